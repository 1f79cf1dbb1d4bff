"""A model as one graph of `torch.export`, and its `.pt2` file, which needs only torch."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import BytesIO, StringIO

import torch
from torch.export import Dim, ExportedProgram
from torch.fx import GraphModule

from neptune_nas.errors import NeptuneError
from neptune_nas.models.export.facts import BATCH, facts_text
from neptune_nas.models.model import Model

_EXAMPLES = 2  # images to trace the graph with; from one, torch would fix the batch size to 1
FACTS = "neptune-nas.json"


def to_pt2(model: Model, program: ExportedProgram | None = None) -> bytes:
    """Return the file's content: a graph from images in 0..1 `(N, C, H, W)` to logits, for any N.

    `torch.export.load(file).module()` opens it. Its extra file `FACTS` holds labels and
    preprocessing. `program`: the result of `trace` for the model, if already computed.
    """
    content = BytesIO()
    with silence():
        torch.export.save(program or trace(model), content, extra_files={FACTS: facts_text(model)})
    return content.getvalue()


def trace(model: Model) -> ExportedProgram:
    """Return the graph of the model's classifier: images `(N, C, H, W)` in 0..1 to logits.

    It takes any N. Raises `NeptuneError` for a network that torch cannot trace, as may happen with
    users' SubStages.
    """
    images = torch.rand(_EXAMPLES, *model.input_shape)
    classifier = model.classifier().requires_grad_(False)
    try:
        with silence():
            batch = {0: Dim(BATCH)}
            program = torch.export.export(classifier, (images,), dynamic_shapes=(batch,))
    except NeptuneError:
        raise
    except Exception as error:  # the tracer, or a user's SubStage in it, may raise anything
        raise refusal(model, "traced", error) from error
    forget_stack_traces(program)
    return program


def forget_stack_traces(program: ExportedProgram) -> None:
    """Drop the stack trace of every operation: paths of this machine, most of a file's size."""
    for module in program.graph_module.modules():
        if isinstance(module, GraphModule):
            for node in module.graph.nodes:
                node.meta.pop("stack_trace", None)


def refusal(model: Model, what: str, error: Exception) -> NeptuneError:
    """Return the error for a failure of torch, with the first line of its message."""
    reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return NeptuneError(f"the network {model.key} cannot be {what} by torch ({reason.strip()}).")


@contextmanager
def silence() -> Iterator[None]:
    """Hold back the output and warnings of torch's exporters, which say nothing about the model."""
    with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        warnings.simplefilter("ignore")
        yield
