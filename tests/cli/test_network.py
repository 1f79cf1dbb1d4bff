"""A space of a user's networks, from the file that defines them to a prediction."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from neptune_nas.architecture.codec import key
from neptune_nas.space import find_space
from neptune_nas.study.read import read_study
from tests.cli.run import Outcome, assert_one_sentence, neptune

SOURCE = '''
from dataclasses import dataclass

from torch import nn

from neptune_nas import Space, choice
from neptune_nas.errors import ArchitectureError


@dataclass(frozen=True)
class Plain:
    """Convolutions of one width."""

    width: int = 8
    depth: int = 1

    def build(self, input_shape, outputs):
        channels, height, width = input_shape
        if max(height, width) > 32:
            raise ArchitectureError(f"images must be of at most 32 pixels, but got {height}.")
        layers = []
        for i in range(self.depth):
            layers += [nn.Conv2d(self.width if i else channels, self.width, 3, padding=1)]
            layers += [nn.BatchNorm2d(self.width), nn.ReLU()]
        pooled = (nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return nn.Sequential(*layers, *pooled, nn.Linear(self.width, outputs))


SPACE = Space("plain", Plain(width=choice(4, 8, 12), depth=choice(1, 2)))
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with `plain.py` and the study `plain` of it, of two trials."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "plain.py").write_text(SOURCE)
    assert search(folder, trials=2).code == 0
    return folder


def search(folder: Path, trials: int) -> Outcome:
    asked = ("--space", folder / "plain.py", "--data", "digits#100", "--trials", trials)
    where = ("--rungs", "1", "--study-name", "plain", "--out", folder)
    return neptune("search", *asked, *where, "--jobs", 1, "--threads", 1)


def test_the_space_is_sound_on_images_that_all_of_it_can_be_built_for(folder: Path) -> None:
    outcome = neptune("space", "validate", folder / "plain.py")
    assert (outcome.code, outcome.err) == (0, "")
    assert "space 'plain' is sound: 6 architectures, 200 of them built; " in outcome.out
    assert outcome.out.endswith("MFLOPs on 3x32x32 images.\n")


def test_the_best_is_in_the_space(folder: Path) -> None:
    best = folder / "plain" / "best.json"
    outcome = neptune("space", "validate", folder / "plain.py", "--json", best)
    assert "as number" in outcome.out


def test_a_search_goes_on(folder: Path) -> None:
    before = read_study(folder / "plain").trials
    assert search(folder, trials=4).code == 0
    after = read_study(folder / "plain").trials
    assert len(after) == 4
    assert after[: len(before)] == before
    assert len({trial.key for trial in after}) == 4
    assert all(trial.failure is None and trial.values["params"] > 0 for trial in after)


def test_the_report_shows_the_fields_of_the_networks(folder: Path) -> None:
    outcome = neptune("report", folder / "plain")
    assert outcome.code == 0, outcome
    page = (folder / "plain" / "report.html").read_text()
    best: Any = read_study(folder / "plain").best().architecture
    assert f">width {best.width}</text>" in page
    assert "100%</text>" not in page
    table = (folder / "plain" / "trials.csv").read_text()
    assert f"Plain(width={best.width}, depth={best.depth})" in table


def test_the_best_is_shown_drawn_and_profiled(folder: Path, tmp_path: Path) -> None:
    best, allow = folder / "plain" / "best.json", ("--allow", folder / "plain.py")
    fields = json.loads(best.read_text())["architecture"]
    assert fields["type"] == "plain:Plain"
    shown = neptune("show", best, *allow)
    assert f"width {fields['width']}" in shown.out
    assert "Plain" in shown.out
    drawn = neptune("draw", best, "-o", tmp_path / "best.svg", *allow)
    assert drawn.code == 0
    assert f"depth {fields['depth']}</text>" in (tmp_path / "best.svg").read_text()
    profiled = neptune("profile", best, *allow)
    assert "network" in profiled.out
    assert "peak memory, batch 64" in profiled.out
    assert re.search(r"on a device, in int8: RAM [\d.]+ KiB, flash [\d.]+ KiB", profiled.out)


def test_it_is_shown_but_not_built_where_its_code_is_not_allowed(folder: Path) -> None:
    best = folder / "plain" / "best.json"
    shown = neptune("show", best)
    assert shown.code == 0
    assert f"width {json.loads(best.read_text())['architecture']['width']}" in shown.out
    assert_one_sentence(neptune("profile", best), "'plain:Plain', whose class is not allowed")


def test_the_best_is_trained_exported_and_predicts(folder: Path, tmp_path: Path) -> None:
    allow = ("--allow", folder / "plain.py")
    once = ("--epochs", 1, "--seeds", 1, "--threads", 1, "-q")
    trained = neptune("train", folder / "plain" / "best.json", *once, "-o", tmp_path / "x", *allow)
    assert (trained.code, trained.err) == (0, "")
    model = tmp_path / "x" / "seed-0" / "model.safetensors"
    for form, name in (("onnx", "net.onnx"), ("pt2", "net.pt2"), ("json", "net.json")):
        outcome = neptune("export", model, "--format", form, "-o", tmp_path / name, *allow)
        assert (outcome.code, outcome.err) == (0, "")
        assert (tmp_path / name).stat().st_size > 0
    source = neptune("export", model, "--format", "python", "-o", tmp_path / "net.py", *allow)
    assert_one_sentence(source, "`Plain.build`", "onnx or pt2")
    Image.new("L", (8, 8), 120).save(tmp_path / "gray.png")
    predicted = neptune("predict", model, tmp_path / "gray.png", *allow)
    assert predicted.code == 0
    assert predicted.out.startswith(f"{tmp_path / 'gray.png'}: ")


def test_equal_networks_of_two_files_of_one_name_have_one_key(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text(SOURCE)
    spaces = [find_space(str(where / "plain.py")) for where in (folder, tmp_path)]
    assert key(spaces[0][3]) == key(spaces[1][3])


def test_a_space_of_records_that_build_nothing_says_what_helps(tmp_path: Path) -> None:
    file = tmp_path / "bare.py"
    file.write_text(SOURCE.replace("def build", "def make"))
    assert_one_sentence(
        neptune("space", "validate", file), "`build(input_shape, outputs)`", "table"
    )
    outcome = neptune("search", "--space", file, "--trials", 1, "--out", tmp_path)
    assert_one_sentence(outcome, "`table` (--table)", "`build(input_shape, outputs)`")


def test_a_build_that_fails_ends_a_search_in_a_sentence_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "faulty.py"
    file.write_text(SOURCE.replace("layers = []", "layers = [] + None"))
    line = 1 + next(i for i, text in enumerate(file.read_text().splitlines()) if "+ None" in text)
    outcome = neptune("search", "--space", file, "--trials", 1, "--out", tmp_path)
    assert_one_sentence(
        outcome, "neptune-nas: `Plain.build(", f"in line {line} of faulty.py: TypeError"
    )
