"""In which precision and memory layout a full training runs."""

from pathlib import Path

import pytest

from neptune_nas.devices.numerics import Numerics
from neptune_nas.training.probe import cache_file, machine_key, write_cache
from neptune_nas.training.recipe import Recipe
from tests.retrain.builders import asked


def test_a_folder_keeps_to_the_numerics_that_it_was_begun_with(
    done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked(done).numerics == Numerics("fp32")
    faster = Numerics("bf16", "contiguous")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    file = cache_file()
    assert file is not None
    write_cache(file, {machine_key(): faster})
    assert asked(done / "new").numerics == faster
    (done / "metrics.json").unlink()
    assert asked(done).run().terms.numerics == Numerics("fp32")


def test_a_recipe_that_names_its_precision_is_kept_to(tmp_path: Path) -> None:
    training = asked(tmp_path / "x", recipe=Recipe(precision="bf16"))
    assert training.numerics == Numerics("bf16")
