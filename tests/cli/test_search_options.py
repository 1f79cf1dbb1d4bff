"""The options of a search that say how to train, on which pictures, and what is told where."""

import re
import tomllib
from pathlib import Path
from random import Random
from typing import Any

import pytest
from PIL import Image

from neptune_nas.cli.search import with_recipe
from neptune_nas.search.config import Search
from tests.cli.run import ALONE, assert_one_sentence, neptune

BRIEF = ("--space", "tiny", "--trials", 2, "--epochs", 1, "-j", 1, "--threads", 1)
QUICK = (*BRIEF, *ALONE)


def recipe_in(folder: Path) -> dict[str, object]:
    content = tomllib.loads((folder / "study.toml").read_text())
    recipe: dict[str, object] = content["question"]["recipe"]
    return recipe


def test_a_recipe_and_single_values_of_it_stand_in_study_toml(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text("lr = 0.02\nbatch_size = 32")
    asked = ("search", *QUICK, "--recipe", tmp_path / "r.toml", "--set", "lr=1e-3", "--set")
    outcome = neptune(*asked, "optimizer=sgd", "--out", tmp_path, "-q")
    assert (outcome.code, outcome.err) == (0, "")
    recipe = recipe_in(tmp_path / "tiny-digits")
    assert (recipe["lr"], recipe["batch_size"], recipe["optimizer"]) == (0.001, 32, "sgd")
    other = neptune(*asked, "optimizer=adam", "--out", tmp_path, "-q")
    assert_one_sentence(other, "'sgd'", "'adam'")


def test_a_named_recipe_is_that_for_the_data(tmp_path: Path) -> None:
    asked = ("search", *QUICK, "--recipe", "strong", "--set", "cutout=2", "--dry-run")
    outcome = neptune(*asked, "--out", tmp_path)
    assert outcome.code == 0
    said = " ".join(outcome.out.split())
    assert "optimizer muon," in said
    assert "batch_size 64," in said
    assert "cutout 2," in said
    wrong = neptune("search", *QUICK, "--recipe", "stron", "--out", tmp_path)
    assert_one_sentence(wrong, "stron", "strong", ".toml")


def test_a_value_alone_changes_the_recipe_that_suits_the_data(tmp_path: Path) -> None:
    outcome = neptune("search", *QUICK, "--set", "lr=0.01", "--dry-run", "--out", tmp_path)
    assert outcome.code == 0
    said = " ".join(outcome.out.split())
    assert "lr 0.01," in said
    assert "batch_size 64," in said


def mixed_pictures(folder: Path) -> Path:
    """Write 12 pictures of around 96x72 pixels for each of 3 classes."""
    random = Random(0)
    for name in ("cat", "dog", "owl"):
        (folder / name).mkdir(parents=True)
        for i in range(12):
            size = (96 + random.randrange(-9, 10), 72 + random.randrange(-9, 10))
            picture = Image.effect_noise(size, random.uniform(10, 90)).convert("RGB")
            picture.save(folder / name / f"{i}.png")
    return folder


def test_a_dry_run_on_pictures_of_many_sizes_says_what_was_chosen(tmp_path: Path) -> None:
    data = f"folder:{mixed_pictures(tmp_path / 'pictures')}"
    asked = ("search", "--data", data, "--out", tmp_path, "--device", "cpu", "--dry-run")
    outcome = neptune(*asked, "--constraint", "flops<=2M", "--constraint", "peak_memory<=9MiB")
    assert outcome.code == 0
    said = " ".join(outcome.out.split() + outcome.err.split())
    assert re.search(
        r"scaled to 32x32 pixels for at most 2M FLOPs \(their shorter sides have about 7\d\); "
        rf"`data` \(--data\) {re.escape(data)}@64 takes larger ones\.",
        said,
    )
    assert re.search(
        r"Space: auto, around \d+ channels, of which about \d+% meets flops <= 2,000,000; "
        r"peak_memory <= 9 MiB is left to the search\.",
        said,
    )
    assert "3x32x32, 3 classes" in said


@pytest.mark.parametrize("plan", [("--dry-run",), ()])
def test_a_limit_that_nothing_meets_is_refused_with_a_smaller_size(
    tmp_path: Path, plan: tuple[str, ...]
) -> None:
    data = f"folder:{mixed_pictures(tmp_path / 'pictures')}"
    asked = ("search", "--data", data, "--constraint", "flops<=9", "--out", tmp_path)
    outcome = neptune(*asked, *plan)
    assert outcome.code == 2
    said = " ".join(outcome.out.split() + outcome.err.split())
    assert "Pictures: scaled to 32x32 pixels for at most 9 FLOPs" in said
    assert "of which about 0% meets flops <= 9; it can be no narrower." in said
    assert "make the images smaller with @16 after the folder's name." in said
    assert "Traceback" not in said


def test_a_value_of_the_recipe_opens_no_picture_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, really_open = [], Image.open

    def count_and_open(file: Any, *options: Any, **named: Any) -> Image.Image:
        opened.append(file)
        return really_open(file, *options, **named)

    monkeypatch.setattr(Image, "open", count_and_open)
    search = Search(data=f"folder:{mixed_pictures(tmp_path / 'pictures')}")
    assert search.used_recipe.batch_size == 16
    before = len(opened)
    assert with_recipe(search, None, ["lr=0.01"]).question.recipe["lr"] == 0.01
    assert len(opened) == before > 0


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--set", "lrr=1"), ("--set: `lrr` is unknown: did you mean 'lr'?",)),
        (("--set", "lr"), ("--set needs NAME=VALUE, such as lr=0.01, but got 'lr'",)),
        (("--set", "=1"), ("--set needs NAME=VALUE",)),
        (("--set", "lr=fast"), ("--set: `lr` must be a number", "but got 'fast'")),
        (("--set", "lr=nan"), ("--set: `lr` must be a number", "but got nan")),
        (("--set", "lr="), ("--set: `lr` must be a number", "but got ''")),
        (("--set", "batch_size=1.5"), ("--set: `batch_size` must be", "but got 1.5")),
        (("--set", f"batch_size={'9' * 5000}"), ("--set: `batch_size` must be", "but got ")),
        (("--set", "optimizer=adamm"), ("--set: `optimizer` must be one of", "'adamm'")),
        (("--set", "flip=maybe"), ("--set: `flip` must be", "'maybe'")),
        (("--tracker", "tensorbord"), ("'tensorbord' is unknown: did you mean 'tensorboard'?",)),
        (("--recipe", "none.toml"), ("none.toml cannot be read",)),
        (("--recipe", "x.yaml"), ("or a .toml or .json file",)),
    ],
)
def test_a_recipe_that_is_wrong_is_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    parts: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_one_sentence(neptune("search", *QUICK, *options), *parts)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
def test_a_search_is_tracked_in_its_folder(tmp_path: Path, name: str) -> None:
    outcome = neptune("search", *QUICK, "--tracker", name, "--out", tmp_path)
    assert outcome.code == 0, outcome
    folder = tmp_path / "tiny-digits" / {"mlflow": "mlruns"}.get(name, name)
    assert [*folder.rglob("*")]
    (last,) = (line for line in outcome.err.splitlines() if line.startswith("Tracked: "))
    assert str(folder) in last
    assert "accuracy" in outcome.out


def test_a_tracker_that_cannot_write_does_not_end_a_search(tmp_path: Path) -> None:
    (tmp_path / "tiny-digits").mkdir()
    (tmp_path / "tiny-digits" / "tensorboard").touch()
    outcome = neptune("search", *QUICK, "--tracker", "tensorboard", "--out", tmp_path)
    assert outcome.code == 0, outcome
    assert "The tracker failed (" in outcome.err
    assert "2 finished" in outcome.out
