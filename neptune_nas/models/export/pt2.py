"""A model as a `.pt2` file of `torch.export`, which needs torch alone to run."""

from io import BytesIO

import torch
from torch.export import ExportedProgram

from neptune_nas.models.export.facts import facts_text
from neptune_nas.models.export.program import quiet, traced
from neptune_nas.models.model import Model

FACTS = "neptune-nas.json"


def to_pt2(model: Model, program: ExportedProgram | None = None) -> bytes:
    """The file's content: a graph from images in 0..1 `(N, C, H, W)` to logits, for any N.

    `torch.export.load(file).module()` opens it. Its extra file `FACTS` holds labels and
    preprocessing. `program`: what `traced` made of the model, if that is at hand.
    """
    content = BytesIO()
    with quiet():
        torch.export.save(program or traced(model), content, extra_files={FACTS: facts_text(model)})
    return content.getvalue()
