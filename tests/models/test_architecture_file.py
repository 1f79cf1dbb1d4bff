import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from math import inf, isnan, nan
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import neptune_nas
from neptune_nas.architecture.records import Architecture, Conv, Stage
from neptune_nas.errors import ArchitectureError, FileFormatError, OptionError
from neptune_nas.metrics.counted import cost
from neptune_nas.metrics.score import Score
from neptune_nas.models.architecture_file import (
    ExportedArchitecture,
    adapt_to,
    dumps,
    loads,
    without_study,
)
from neptune_nas.space import find_space
from neptune_nas.study.export import export_trial
from neptune_nas.study.ledger import Ledger
from neptune_nas.study.study import Study
from tests.study.builders import make_trial, question, settings

SHAPE = (1, 8, 8)
COSTS = {"macs": 1, "params": 1, "activations": 1, "flops": 2, "latency": 0.5}
SCORE = {"fidelity": 1, "values": {"accuracy": 0.5, "loss": 1.0}}


@dataclass(frozen=True, slots=True)
class Scale:
    """A user's SubStage."""

    factor: float = 2.0

    def build(self, width: int) -> nn.Module:
        return nn.Conv2d(width, width, 1, groups=width)


@given(st.integers(0, 2**32))
def test_what_is_loaded_builds_the_network_that_was_exported(seed: int) -> None:
    item = without_study(find_space("default").sample(Random(seed)), SHAPE, 10)
    again = loads(dumps(item), "text")
    assert again == item
    assert again.key == item.key
    assert cost(again.build(), SHAPE).values == item.costs


def test_equal_seeds_build_equal_weights() -> None:
    item = without_study(Architecture(), SHAPE, 10)
    first, second = (item.build(seed=3).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_load_reads_a_file(tmp_path: Path) -> None:
    file = tmp_path / "best.json"
    file.write_text(dumps(without_study(Architecture(), SHAPE, 10)))
    assert neptune_nas.load(file).architecture == Architecture()


def text_with(**changes: Any) -> str:
    content = json.loads(dumps(without_study(Architecture(), SHAPE, 10)))
    return json.dumps({**content, **changes})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not valid JSON"),
        (dumps(without_study(Architecture(), SHAPE, 10))[:200], "is not valid JSON"),
        ("[]", r"it must be an object, but got \[\]"),
        ('{"format": "something else"}', "`format` must be .* but got 'something else'"),
        (text_with(version=2), "`version` must be 1, but got 2"),
        (text_with(key="0" * 16), "`key` must be"),
        (text_with(architecture={"type": "Shoe"}), "'Shoe'"),
        (text_with(architecture=None), "architecture"),
        pytest.param("[" * 100_000, "nested too deeply", id="deep"),
        pytest.param(f'{{"classes": {"1" * 5000}}}', "more digits than can be read", id="digits"),
        (text_with(version=True), "`version` must be 1, but got True"),
        (text_with(version=1.0), r"`version` must be 1, but got 1\.0"),
        (text_with(key=3), "`key` must be a string, but got 3"),
        (text_with(shoe=3), "`shoe` is unknown"),
        (text_with(costs={**COSTS, "watts": 1}), r"`costs\.watts` is unknown"),
        (
            text_with(costs={**COSTS, "latency": -1}),
            r"`costs\.latency` must be a finite number of at least",
        ),
        (
            text_with(costs={**COSTS, "macs": inf}),
            r"`costs\.macs` must be a whole number.*got inf",
        ),
        (text_with(costs={**COSTS, "params": -1}), r"`costs\.params` must be a whole number of at"),
        (text_with(costs={**COSTS, "flops": 3}), r"`costs\.flops` must be \d+, but got 3"),
        (
            text_with(input_shape=[1, 2]),
            "`input_shape` must be a list of 3 whole numbers of at least 1",
        ),
        (
            text_with(input_shape=[1.5, 8, 8]),
            r"`input_shape\.0` must be a whole number of at least 1",
        ),
        (
            text_with(input_shape=[0, 0, 0]),
            r"`input_shape\.0` must be a whole number of at least 1",
        ),
        (
            text_with(input_shape=[-1, 8, 8]),
            r"`input_shape\.0` must be a whole number of at least 1",
        ),
        (text_with(classes="ten"), "`classes` must be a whole number of at least 1, but got 'ten'"),
        (text_with(classes=0), "`classes` must be a whole number of at least 1, but got 0"),
        (text_with(scores=None), "`scores` must be a list of objects, but got None"),
        (text_with(scores=[None]), r"`scores\.0` must be an object, but got None"),
        (text_with(scores=["a"]), r"`scores\.0` must be an object, but got 'a'"),
        (text_with(scores=[{"fidelity": 1}]), r"`scores\.0\.values` is missing"),
        (
            text_with(scores=[{**SCORE, "values": {"accuracy": "high"}}]),
            r"`scores\.0\.values\.accuracy` must be a finite number, but got 'high'",
        ),
        (
            text_with(scores=[{**SCORE, "values": {"accuracy": 2}}]),
            r"`scores\.0\.values\.accuracy` must be a number in 0\.\.1, but got 2",
        ),
        (
            text_with(scores=[{**SCORE, "values": {"loss": inf}}]),
            r"`scores\.0\.values\.loss` must be a finite number",
        ),
        (text_with(scores=[{**SCORE, "seed": True}]), r"`scores\.0\.seed` must be a whole number"),
        (text_with(recipe=[]), "`recipe` must be an object"),
    ],
)
def test_a_file_that_is_not_whole_and_ours_is_refused(text: str, message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        loads(text, "best.json")


@pytest.mark.parametrize("name", ["key", "recipe"])
def test_a_missing_field_is_named(name: str) -> None:
    content = json.loads(text_with())
    del content[name]
    with pytest.raises(FileFormatError, match=rf"^best\.json: `{name}` is missing\.$"):
        loads(json.dumps(content), "best.json")


def test_a_score_that_is_unknown_comes_back_as_such() -> None:
    item = replace(
        without_study(Architecture(), SHAPE, 10),
        scores=(Score(1, {"accuracy": nan, "loss": inf}, proxy=3.5),),
    )
    (score,) = loads(dumps(item), "text").scores
    assert isnan(score.main)
    assert (score.values["loss"], score.proxy) == (inf, 3.5)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place inside a JSON value: what holds it, and its name or number there."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for name, item in inner:
        yield value, name
        if isinstance(item, dict | list):
            yield from places(item)


@given(st.data())
def test_whatever_stands_in_one_place_of_a_file_it_is_read_or_refused(data: st.DataObject) -> None:
    content = json.loads(text_with(scores=[SCORE]))
    inside: Any = content
    while True:
        name = data.draw(
            st.sampled_from(range(len(inside)) if isinstance(inside, list) else [*inside])
        )
        if (
            not isinstance(inside[name], dict | list)
            or not inside[name]
            or data.draw(st.booleans())
        ):
            break
        inside = inside[name]
    inside[name] = data.draw(json_values)
    with suppress(FileFormatError):
        assert isinstance(loads(json.dumps(content), "best.json"), ExportedArchitecture)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    item = without_study(Architecture(), SHAPE, 10)
    neptune_nas.save(tmp_path / "new" / "item.json", item)
    assert neptune_nas.load(tmp_path / "new" / "item.json") == item


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"nothing\.json cannot be read"):
        neptune_nas.load(tmp_path / "nothing.json")


def test_a_users_own_record_is_data_until_it_is_allowed() -> None:
    item = without_study(Architecture(stages=(Stage(substages=(Scale(), Conv())),)), SHAPE, 10)
    data = loads(dumps(item), "best.json")
    assert dumps(data) == dumps(item)
    assert data.key == item.key
    with pytest.raises(ArchitectureError, match=r"not allowed.*--allow"):
        data.build()
    with pytest.raises(ArchitectureError, match=r"not allowed.*--allow"):
        adapt_to(data, (3, 64, 64), 10)
    assert loads(dumps(item), "best.json", allow=(Scale,)) == item


def test_the_number_of_a_trial_is_no_trial() -> None:
    study = Study(Path("x"), settings(question()), (make_trial(0, 0.5, 100),), Ledger())
    with pytest.raises(OptionError, match=r"`trial` must be a Trial, such as .*, but got 3\."):
        export_trial(study, 3)  # type: ignore[arg-type]  # what the test is about
