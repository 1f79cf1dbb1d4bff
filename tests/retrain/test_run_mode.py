"""In which precision and memory layout a full training runs."""

from pathlib import Path

import pytest

from neptune_nas.devices.mode import Mode, same_for_all
from neptune_nas.retrain import run as module
from neptune_nas.retrain.terms import Terms
from neptune_nas.study.folder import read_toml
from neptune_nas.training.recipe import Recipe
from tests.retrain.builders import asked


def test_a_folder_keeps_to_the_mode_that_it_was_begun_with(
    done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked(done).mode == Mode("fp32")
    faster = same_for_all(Mode("bf16", "contiguous"))
    monkeypatch.setattr(module, "modes_for", lambda *_: faster)
    assert asked(done / "new").mode == faster.dense
    (done / "metrics.json").unlink()
    assert asked(done).run().terms.mode == Mode("fp32")


def test_a_folder_from_before_modes_goes_on_as_its_recipe_says(done: Path) -> None:
    file = done / "train.toml"
    file.write_text(file.read_text().partition("[mode]")[0])
    assert read_toml(file, Terms).mode is None
    assert asked(done).mode == Mode("auto")
    assert asked(done, seeds=3).run().terms.mode == Mode("auto")


def test_a_recipe_that_names_its_precision_is_kept_to(tmp_path: Path) -> None:
    assert asked(tmp_path / "x", recipe=Recipe(precision="bf16")).mode == Mode("bf16")
