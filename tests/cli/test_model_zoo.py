"""A space of torchvision's networks, one of them pruned, from a search to a prediction."""

from pathlib import Path

from PIL import Image
from torch import save
from torchvision.models import squeezenet1_1

from neptune_nas.study.read import read_study
from tests.cli.run import assert_one_sentence, neptune

SOURCE = """
from neptune_nas import Pruned, Space, TorchvisionModel, choice

NETWORK = TorchvisionModel(
    "squeezenet1_1", resolution=choice(24, 32), weights={weights!r}, frozen=0.5, first_rate=0.1
)
SPACE = Space("zoo", Pruned(NETWORK, depth=choice(0.5, 1.0)))
"""


def test_a_space_of_pretrained_networks_is_searched_trained_and_exported(tmp_path: Path) -> None:
    weights = tmp_path / "pretrained.pth"
    save(squeezenet1_1(num_classes=3).state_dict(), weights)
    (tmp_path / "zoo.py").write_text(SOURCE.format(weights=str(weights)))
    asked = ("--space", tmp_path / "zoo.py", "--data", "digits#100", "--trials", 2)
    where = ("--rungs", "1", "--study-name", "zoo", "--out", tmp_path, "--jobs", 1, "--threads", 1)
    searched = neptune("search", *asked, *where)
    assert searched.code == 0, searched.err
    study = read_study(tmp_path / "zoo", allow=())
    assert len({trial.values["macs"] for trial in study.trials}) == 2
    assert [trial.failure for trial in study.trials] == [None, None]

    assert "squeezenet1_1" in (tmp_path / "zoo" / "report.html").read_text()

    best, once = tmp_path / "zoo" / "best.json", ("--epochs", 1, "--seeds", 1, "--threads", 1, "-q")
    trained = neptune("train", best, *once, "-o", tmp_path / "x")
    assert (trained.code, trained.err) == (0, "")
    weights.unlink()  # what was trained stands for itself
    model = tmp_path / "x" / "seed-0" / "model.safetensors"
    exported = neptune("export", model, "-o", tmp_path / "net.onnx")
    assert (exported.code, exported.err) == (0, "")
    source = neptune("export", model, "--format", "python", "-o", tmp_path / "net.py")
    assert_one_sentence(source, "`Pruned.build`, code of a library", "onnx or pt2")
    Image.new("L", (8, 8), 120).save(tmp_path / "gray.png")
    assert neptune("predict", model, tmp_path / "gray.png").code == 0
    again = neptune("train", best, *once, "-o", tmp_path / "y")
    assert_one_sentence(again, "pretrained.pth cannot be read: No such file")
