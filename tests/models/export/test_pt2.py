import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from neptune_nas.architecture.records import Architecture, Attention, Stage, Stem
from neptune_nas.models.export.facts import facts
from neptune_nas.models.export.pt2 import FACTS, to_pt2
from tests.models.export.forms import random_model, run

ALONE = """
import sys, torch
sys.modules["neptune_nas"] = None
extra = {FACTS: ""}
network = torch.export.load(sys.argv[1], extra_files=extra).module()
with torch.inference_mode():
    torch.save((network(torch.load(sys.argv[2])), extra[FACTS]), sys.argv[3])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pt2")


def test_torch_alone_opens_the_file_with_labels_and_preprocessing(folder: Path) -> None:
    model = random_model(Architecture(Stem(4), (Stage(8, substages=(Attention(2),)),)), (1, 6, 6))
    images = torch.rand(3, 1, 6, 6)
    (folder / "model.pt2").write_bytes(to_pt2(model))
    torch.save(images, folder / "images.pt")
    files = [folder / name for name in ("model.pt2", "images.pt", "logits.pt")]
    subprocess.run(
        [sys.executable, "-c", ALONE.replace("FACTS", repr(FACTS)), *map(str, files)], check=True
    )
    logits, text = torch.load(folder / "logits.pt")
    torch.testing.assert_close(logits, run(model.classifier(), images))
    assert json.loads(text) == facts(model)
