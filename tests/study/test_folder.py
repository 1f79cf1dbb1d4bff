import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from neptune_nas.devices.numerics import Numerics
from neptune_nas.errors import FileFormatError, OptionError, StudyError
from neptune_nas.files.schema import decode
from neptune_nas.metrics.registry import Metric
from neptune_nas.study.folder import (
    Folder,
    open_folder,
    read_settings,
    write_settings,
)
from neptune_nas.study.settings import Settings
from neptune_nas.training.recipe import Recipe
from tests.study.builders import question, settings


def test_settings_are_read_as_they_were_written(tmp_path: Path) -> None:
    asked = question(constraints=("flops<=1M",), rungs=(1, 3), sampler_kwargs={"start": 5})
    written = settings(asked)
    write_settings(Folder(tmp_path), written)
    assert read_settings(tmp_path / "study.toml") == written


@pytest.mark.parametrize("told", [{}, {"n": 1, "of": {"it": [1.0, "a"]}}])
def test_parameters_of_an_evaluator_are_read_as_they_were_written(
    tmp_path: Path, told: dict[str, Any]
) -> None:
    written = settings(question(evaluator="mine:Measure", evaluator_kwargs=told))
    write_settings(Folder(tmp_path), written)
    assert read_settings(tmp_path / "study.toml") == written


def test_metrics_of_an_evaluators_own_are_read_as_they_were_written(tmp_path: Path) -> None:
    f1 = Metric("f1", "F1", "share", "more", "scored")
    written = settings(question(evaluator="mine:F", objectives=("f1", "flops"), scored=(f1,)))
    write_settings(Folder(tmp_path), written)
    assert read_settings(tmp_path / "study.toml") == written


def test_numerics_are_read_as_they_were_written(tmp_path: Path) -> None:
    asked = settings(question())
    facts = replace(asked.facts, numerics=Numerics("bf16", "contiguous"))
    written = replace(asked, facts=facts)
    write_settings(Folder(tmp_path), written)
    assert read_settings(tmp_path / "study.toml") == written


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        ("fp32", "`facts.numerics` must be an object, but got 'fp32'"),
        ({"precision": "fp16"}, "`facts.numerics.precision` must be one of auto, fp32, bf16"),
        ({"width": 3}, "`facts.numerics.width` is unknown"),
    ],
)
def test_numerics_that_are_none_are_refused(tmp_path: Path, odd: Any, message: str) -> None:
    write_settings(Folder(tmp_path), settings(question()))
    file = tmp_path / "study.toml"
    content = tomllib.loads(file.read_text())
    content["facts"]["numerics"] = odd
    file.write_text(tomli_w.dumps(content))
    with pytest.raises(FileFormatError, match=message):
        read_settings(file)


@given(name=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20))
def test_any_name_survives_toml(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = Folder(tmp_path_factory.mktemp("study"))
    written = replace(settings(question()), name=name)
    write_settings(folder, written)
    assert read_settings(folder.settings) == written


def test_a_study_can_be_locked_again_after_it_was_released(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "study")
    with folder.locked():
        pass
    with folder.locked():
        assert folder.path.is_dir()


def test_a_study_is_locked_by_one_at_a_time(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "study")
    with folder.locked(), pytest.raises(StudyError, match="another process"), folder.locked():
        raise AssertionError("locked twice")


def test_a_folder_without_a_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"has no study\.toml"):
        open_folder(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"lr": "fast"}, "lr` must be a number in 1e-08..100, but got 'fast'"),
        ({"shoe": 1}, "shoe` is unknown"),
        ({"optimizer": "sdg"}, "optimizer` must be"),
        ({"lr": -1.0}, "must be a number in"),
    ],
)
def test_a_record_that_is_not_one_is_refused(content: dict[str, Any], message: str) -> None:
    with pytest.raises(FileFormatError, match=f"`recipe\\..*{message}"):
        decode(Recipe, content, "recipe")


def test_a_missing_field_is_named() -> None:
    with pytest.raises(
        FileFormatError, match=r"`x\.trials`, `x\.question`, `x\.facts` are missing"
    ):
        decode(Settings, {"name": "x"}, "x")


@pytest.mark.parametrize(
    ("table", "field", "value", "message"),
    [
        ("question", "rungs", [], "`question`: rungs need rising, .* but got none"),
        ("question", "reduction", [3], "one reduction for all, .* but got 3"),
        ("question", "reduction", ["3"], r"`question\.reduction\.0` must be a whole number"),
        ("question", "rungs", [3, 1], "`question`: rungs need rising, .* but got 3,1"),
        ("question", "rungs", ["1"], r"`question\.rungs\.0` must be a whole number, but got '1'"),
        ("question", "seed", True, "`question\\.seed` must be a whole number .*, but got True"),
        (
            "question",
            "seed",
            -1,
            r"`question\.seed` must be a whole number in 0\.\.4294967295, but got -1",
        ),
        (
            "question",
            "repeats",
            0,
            "`question.repeats` must be a whole number of at least 1 and below 10001, but got 0",
        ),
        ("question", "objectives", ["flops"], "`question`: objectives need accuracy or loss"),
        ("question", "constraints", ["flops>1"], "`question`: constraint 'flops>1'"),
        ("question", "proxy", "naswot", "`question`: `proxy` is measured at rung 0"),
        ("question", "sampler_kwargs", 3, "`question.sampler_kwargs` must be an object of values"),
        ("facts", "versions", {"torch": 2}, "`facts.versions.torch` must be a string"),
        ("facts", "input_shape", [1, 8], "`facts.input_shape` must be a list of 3 whole numbers"),
        (
            "facts",
            "input_shape",
            [1, 8, 0],
            "`facts.input_shape.2` must be a whole number of at least 1",
        ),
        ("facts", "classes", 0, "`facts.classes` must be a whole number of at least 1, but got 0"),
        ("facts", "images", [-1, 0, 0], "`facts.images.0` must be a whole number of at least 0"),
        (
            *("facts", "guess", {"accuracy": 1.5}),
            r"`guess\.accuracy` must be a number in 0\.\.1, but got 1\.5",
        ),
        ("facts", "guess", {"accuracy": "low"}, r"`facts\.guess\.accuracy` must be a number"),
        ("question", "scored", [], "first metric must be better when it is more, .* are none"),
        ("question", "scored", [{"name": "f1"}], r"`question\.scored\.0\.title` is missing"),
        ("facts", "reference", [0.1], "`reference` must be one number for each of accuracy, flops"),
        (
            "facts",
            "reference",
            [0.1, float("nan")],
            "`facts.reference.1` must be a number other than NaN",
        ),
    ],
)
def test_a_field_that_cannot_be_is_named_with_its_file(
    tmp_path: Path, table: str, field: str, value: object, message: str
) -> None:
    file = write_changed(tmp_path, table, {field: value})
    with pytest.raises(FileFormatError, match=rf"study\.toml: .*{message}"):
        read_settings(file)


def test_a_field_that_a_table_lacks_is_named_with_its_file(tmp_path: Path) -> None:
    file = write_changed(tmp_path, "facts", {"device": None})
    with pytest.raises(FileFormatError, match=r"study\.toml: `facts\.device` is missing"):
        read_settings(file)


def test_no_trials_are_refused(tmp_path: Path) -> None:
    file = write_changed(tmp_path, "", {"trials": 0})
    with pytest.raises(
        FileFormatError, match=r"study\.toml: `trials` must be a whole number of at least 1"
    ):
        read_settings(file)


def write_changed(folder: Path, table: str, changes: dict[str, Any]) -> Path:
    """Return a `study.toml` whose `table`, or its top, has these fields; None leaves one out."""
    write_settings(Folder(folder), settings(question()))
    file = folder / "study.toml"
    content = tomllib.loads(file.read_text())
    changed = content[table] if table else content
    changed.update(changes)
    for name in [name for name, value in changes.items() if value is None]:
        del changed[name]
    file.write_text(tomli_w.dumps(content))
    return file


VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(kwargs=st.dictionaries(st.text(max_size=5), VALUES, max_size=4))
def test_sampler_kwargs_survive_toml(
    tmp_path_factory: pytest.TempPathFactory, kwargs: dict[str, Any]
) -> None:
    folder = Folder(tmp_path_factory.mktemp("study"))
    written = settings(question(sampler_kwargs=kwargs))
    write_settings(folder, written)
    assert read_settings(folder.settings) == written


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        (
            {"gamma": None},
            r"`sampler_kwargs\.gamma` must be a number, .* but got None: leave it out",
        ),
        ({"a": [1, {"b": None}]}, r"`sampler_kwargs\.a\.1\.b` .* got None"),
        ({"a": (1, 2)}, r"`sampler_kwargs\.a` .* got \(1, 2\)"),
    ],
)
def test_sampler_kwargs_that_toml_cannot_hold_are_refused(
    kwargs: dict[str, Any], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        question(sampler_kwargs=kwargs)
