from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from neptune_nas.architecture.records import Architecture, Attention, Conv, Stage, Stem
from neptune_nas.errors import DataError, NeptuneError
from neptune_nas.evaluators.table_networks import TableNetworks, code_of
from neptune_nas.space import Picks, Space, choice, integer, optional, repeat, tie, where


@dataclass(frozen=True)
class _Free:
    """A record with a field for any value."""

    x: object


_STAGE = Stage(width=choice(8, 16), substages=(choice(Conv(), Attention(heads=choice(2, 4))),))
_UP_TO_2: Any = repeat(_STAGE, 0, 2)
SPACES: list[Space[Any]] = [
    Space("parts", Architecture(stem=Stem(width=choice(8, 16)), stages=(_STAGE, _STAGE))),
    Space("copies", Architecture(stages=repeat(_STAGE, 1, 3))),
    Space("mixed", Architecture(stages=(Stage(width=8), _UP_TO_2))),
    Space("shared", Architecture(stages=repeat(_STAGE, 1, 3, shared=True))),
    Space("none", (_Free(optional(_Free(choice(1, None)))), repeat(_Free(optional(2)), 1, 3))),
    Space("tied", Architecture(stages=repeat(Stage(width=tie("w", choice(8, 16))), 1, 3))),
    Space(
        "ruled",
        Architecture(
            stages=repeat(where(Stage(width=integer(8, 12)), lambda s: s.width != 10), 1, 2)
        ),
    ),
    Space(
        "whole",
        Architecture(stages=repeat(Stage(width=choice(8, 16)), 1, 3)),
        where=lambda a: a.stages[0].width == 8,
    ),
    Space("fixed", Architecture(stages=(Stage(),))),
    Space("templates", choice(Architecture(stages=(_STAGE,)), Architecture(stages=(_STAGE,) * 2))),
]


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_the_cells_of_every_network_name_it(space: Space[Any]) -> None:
    networks = TableNetworks(space, {each.path for each in space.decisions})
    for architecture in space:
        picks = space.picks(architecture)
        cells = tuple(str(picks[path]) if path in picks else "" for path in networks.columns)
        assert networks.code(cells, "here") == code_of(space, architecture)


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_cells_are_taken_exactly_where_the_space_takes_their_picks(
    space: Space[Any],
) -> None:
    rng, networks = Random(0), TableNetworks(space, ())
    seen = {"taken": 0, "refused": 0}
    for _ in range(300):
        picks: Picks = space.picks(space.sample(rng))
        if space.decisions and rng.random() < 0.7:
            changed = rng.choice(space.decisions)
            picks.pop(changed.path, None)
            if rng.random() < 0.7:
                picks[changed.path] = rng.choice([*changed.options])
        cells = tuple(str(picks[path]) if path in picks else "" for path in networks.columns)
        architecture = None
        with suppress(NeptuneError):
            architecture = space.decode(picks)
        if architecture is None:
            seen["refused"] += 1
            with pytest.raises(DataError, match="line 7 is not a network of the space: "):
                networks.code(cells, "line 7")
        else:
            seen["taken"] += 1
            assert networks.code(cells, "line 7") == code_of(space, architecture)
    assert seen["taken"], seen
    assert seen["refused"] or space.name == "fixed", seen


def test_an_unknown_option_is_named_in_every_part() -> None:
    space = SPACES[1]
    networks = TableNetworks(space, ())
    for i, path in enumerate(networks.columns):
        cells = ["1" if path.endswith("depth") else "" for path in networks.columns]
        cells[i] = "17"
        with pytest.raises(DataError, match=r"line 3: `stages\.\S+` .* is one of .*, but is '17'"):
            networks.code(tuple(cells), "line 3")
