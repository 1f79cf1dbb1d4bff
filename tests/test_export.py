import json
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import neptune_nas
from neptune_nas.architecture import Architecture, Conv, Stage
from neptune_nas.cost import cost
from neptune_nas.errors import FileFormatError
from neptune_nas.export import bare, dumps, loads
from neptune_nas.space import find_space

SHAPE = (1, 8, 8)


@dataclass(frozen=True, slots=True)
class Scale:
    """A user's own SubStage."""

    factor: float = 2.0

    def build(self, width: int) -> nn.Module:
        return nn.Conv2d(width, width, 1, groups=width)


@given(st.integers(0, 2**32))
def test_what_is_loaded_builds_the_network_that_was_exported(seed: int) -> None:
    item = bare(find_space("default").sample(Random(seed)), SHAPE, 10)
    again = loads(dumps(item), "text")
    assert again == item
    assert again.key == item.key
    assert cost(again.build(), SHAPE) == item.cost


def test_equal_seeds_build_equal_weights() -> None:
    item = bare(Architecture(), SHAPE, 10)
    first, second = (item.build(seed=3).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_load_reads_a_file(tmp_path: Path) -> None:
    file = tmp_path / "best.json"
    file.write_text(dumps(bare(Architecture(), SHAPE, 10)))
    assert neptune_nas.load(file).architecture == Architecture()


def text_with(**changes: Any) -> str:
    content = json.loads(dumps(bare(Architecture(), SHAPE, 10)))
    return json.dumps({**content, **changes})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no JSON"),
        (dumps(bare(Architecture(), SHAPE, 10))[:200], "is no JSON"),
        ("[]", "`format` must be"),
        ('{"format": "something else"}', "`format` must be .* but got 'something else'"),
        (text_with(version=2), "`version` must be 1, but got 2"),
        (text_with(key="0" * 16), "`key` must be"),
        (text_with(architecture={"type": "Shoe"}), "'Shoe'"),
        (text_with(architecture=None), "architecture"),
        (text_with(cost={"macs": 1}), "`params` is missing"),
        (text_with(input_shape=[1, 2]), "wrong type"),
        (text_with(classes="ten"), "wrong type"),
        (text_with(scores=[{"fidelity": 1}]), "wrong type"),
    ],
)
def test_a_file_that_is_not_whole_and_ours_is_refused(text: str, message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        loads(text, "best.json")


def test_a_missing_field_is_named() -> None:
    content = json.loads(text_with())
    del content["recipe"]
    with pytest.raises(FileFormatError, match="`recipe` is missing"):
        loads(json.dumps(content), "best.json")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"nothing\.json cannot be read"):
        neptune_nas.load(tmp_path / "nothing.json")


def test_a_users_own_record_is_refused_until_it_is_allowed() -> None:
    item = bare(Architecture(stages=(Stage(substages=(Scale(), Conv())),)), SHAPE, 10)
    with pytest.raises(FileFormatError, match=r"not allowed.*--allow"):
        loads(dumps(item), "best.json")
    assert loads(dumps(item), "best.json", allow=(Scale,)) == item
