"""`--teacher` of `train` and `search`, with whatever a user may name."""

from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest

from neptune_nas.models.model import make_untrained, save_model
from neptune_nas.retrain.metrics import load_metrics
from tests.cli.run import assert_one_sentence, neptune
from tests.retrain.builders import NETWORK
from tests.study.edits import edit_study

TRAIN = ("train", "resnet8", "--data", "digits#60", "--epochs", 1, "--seeds", 1, "--threads", 1)
CODE = """
from pathlib import Path
from torch import nn
Path({ran!r}).touch()

def big():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

def small():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    file = tmp_path / "mine.py"
    file.write_text(CODE.format(ran=str(tmp_path / "ran")))
    return file


def test_a_training_says_how_good_its_teacher_is(code: Path, tmp_path: Path) -> None:
    out = tmp_path / "x"
    outcome = neptune(*TRAIN, "--teacher", f"{code}:big", "--teacher-views", 2, "-o", out)
    assert outcome.code == 0, outcome
    assert f"The teacher, {code}:big: accuracy 0." in outcome.err
    assert "Computing the teacher's outputs: 60 images, 2 views each." in outcome.err
    terms = load_metrics(out / "metrics.json").terms
    assert (terms.teacher, terms.teacher_views) == (f"{code}:big", 2)
    assert {each.name for each in (out / "teacher").iterdir()} == {"teacher.json", "teacher.npy"}


@pytest.mark.parametrize(
    ("teacher", "parts"),
    [
        ("gone.safetensors", ("gone.safetensors cannot be read",)),
        ("text.safetensors", ("must be safetensors",)),
        ("best.json", ("is an architecture",)),
        (
            "other.safetensors",
            ("must have the 10 classes of data 'digits#60'", "only the teacher has 'a'"),
        ),
        ("mine.py", ("must name a function in that file", "mine.py:FUNCTION")),
        ("mine.py:none", ("must be a function", "`none` is missing: choose one of big, small.")),
        ("mine.py:small", ("must return a tensor (", "10)", "but returned (", "3)")),
        ("no.such.module:big", ("No module named 'no'",)),
        ("", ("is a folder, but a file is needed",)),
    ],
)
def test_what_cannot_teach_is_one_sentence(
    teacher: str, parts: tuple[str, ...], code: Path, study: Path, tmp_path: Path
) -> None:
    other = replace(make_untrained(NETWORK), labels=tuple("abcdefghij"))
    save_model(tmp_path / "other.safetensors", other)
    (tmp_path / "text.safetensors").write_text("no model")
    (tmp_path / "best.json").write_bytes((study / "best.json").read_bytes())
    place = teacher if teacher.startswith("no.") else str(tmp_path / teacher)
    outcome = neptune(*TRAIN, "--teacher", place, "-o", tmp_path / "x")
    assert_one_sentence(outcome, *parts)
    assert not (tmp_path / "x").exists()
    assert code.is_file()


def test_views_need_a_teacher(tmp_path: Path) -> None:
    options = ("--teacher-views", 2, "-o", tmp_path / "x")
    assert_one_sentence(neptune(*TRAIN, *options), "--teacher-views needs a --teacher")
    assert_one_sentence(
        neptune("search", "--space", "tiny", "--teacher-views", 2), "--teacher-views needs"
    )


@pytest.mark.parametrize("views", [-1, 1.5])
def test_views_are_a_number(views: float, code: Path, tmp_path: Path) -> None:
    options = ("--teacher", f"{code}:big", "--teacher-views", views, "-o", tmp_path / "x")
    outcome = neptune(*TRAIN, *options)
    assert outcome.code == 2
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("command", ["confirm", "search"])
def test_the_teacher_of_a_study_from_elsewhere_is_not_run(
    command: str, code: Path, study: Path, tmp_path: Path
) -> None:
    folder = copytree(study, tmp_path / study.name)
    edit_study(
        folder,
        ('teacher_digest = ""', 'teacher_digest = "0123456789abcdef"'),
        ('teacher = ""', f'teacher = "{code}:big"'),
    )
    told = {
        "confirm": ("confirm", folder, "--dry-run"),
        "search": ("search", "--config", folder / "study.toml", "--out", tmp_path / "new"),
    }
    outcome = neptune(*told[command])
    assert_one_sentence(outcome, "`teacher` is ", "that you have not run for this study here")
    assert not (tmp_path / "ran").exists()
