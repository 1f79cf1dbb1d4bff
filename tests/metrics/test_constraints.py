"""Constraints from text, and the survey that finds hopeless ones."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neptune_nas.errors import ArchitectureError, OptionError
from neptune_nas.metrics.constraints import Constraint, parse_constraint, survey
from neptune_nas.metrics.registry import COSTS
from neptune_nas.space import Space, integer

SPACE = Space("numbers", (integer(0, 99), integer(0, 99)))


def value(name: str, pair: Any) -> float:
    return float(pair[0] if name == "flops" else pair[1])


@pytest.mark.parametrize(
    ("text", "constraint"),
    [
        ("flops<=20M", Constraint("flops", "<=", 20e6)),
        ("params<1e6", Constraint("params", "<", 1e6)),
        ("latency<=5ms", Constraint("latency", "<=", 5.0)),
        ("latency<=5", Constraint("latency", "<=", 5.0)),
        ("latency<0.5s", Constraint("latency", "<", 500.0)),
        ("latency<250us", Constraint("latency", "<", 0.25)),
        ("macs <= 1.5G", Constraint("macs", "<=", 1.5e9)),
        (" Activations<=20k ", Constraint("activations", "<=", 20e3)),
        ("params<=20K", Constraint("params", "<=", 20e3)),
        ("peak_memory<=64KiB", Constraint("peak_memory", "<=", 65_536.0)),
        ("peak_memory < 1.5MB", Constraint("peak_memory", "<", 1.5e6)),
        ("flops<=2.5e-1", Constraint("flops", "<=", 0.25)),
    ],
)
def test_a_constraint_is_read_from_text(text: str, constraint: Constraint) -> None:
    assert parse_constraint(text) == constraint


@given(
    st.sampled_from([cost.name for cost in COSTS]),
    st.sampled_from(["<", "<="]),
    st.integers(1, 10**10),
)
def test_a_constraint_is_read_from_its_own_text(name: str, op: Any, limit: int) -> None:
    constraint = Constraint(name, op, float(limit))

    assert parse_constraint(str(constraint).replace(",", "")) == constraint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"constraint '' must be a cost, < or <=, and a limit such as 20M"),
        ("flops>=20M", "constraint 'flops>=20M' must be a cost"),
        ("flops<=-3", "must be a cost"),
        ("flops<=", "must be a cost"),
        ("flop<=20M", "constraint 'flop<=20M' is on 'flop': did you mean 'flops'"),
        (
            "accuracy<=1",
            "is on 'accuracy': choose one of activations, flops, latency, macs, params, "
            "peak_memory",
        ),
        ("flops<=20T", "has a limit in 'T': choose one of G, M, k"),
        ("peak_memory<=5Q", "choose one of GB, GiB, KiB, MB, MiB, bytes, kB"),
        ("flops<=5ms", "has a limit in 'ms'"),
        ("peak_memory<=5M", "has a limit in 'M'"),
        ("latency<=5M", "has a limit in 'M': .*Known: ms, s, us"),
        ("flops<=1e400", r"needs a number as its limit, but got '1e400', which is too large\.$"),
        (f"flops<={'9' * 5000}", r"but got '9+\.\.\.9+', which is too large\.$"),
        ("x" * 5000, r"^constraint 'x+\.\.\.x+' must be a cost"),
        (f"flops<=1{'k' * 5000}", r"has a limit in 'k+\.\.\.k+': "),
        ("flops<=1.2.3", r"needs a number as its limit, but got '1\.2\.3'"),
    ],
)
def test_a_constraint_that_cannot_be_read_is_refused(text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        parse_constraint(text)


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_a_limit_is_inside_with_an_equals_sign_only(limit: float, cost: float) -> None:
    assert Constraint("flops", "<=", limit).holds(cost) == (cost <= limit)
    assert Constraint("flops", "<", limit).holds(cost) == (cost < limit)


def test_a_survey_finds_the_feasible_share_with_its_interval() -> None:
    limits = [Constraint("flops", "<", 50), Constraint("params", "<", 50)]

    found = survey(SPACE, value, limits, Random(1))

    assert found.samples == 1_000
    assert found.interval[0] < 0.25 < found.interval[1]
    assert found.interval[0] < found.share < found.interval[1]
    assert found.example in SPACE
    assert found.require_example() == found.example
    assert max(found.require_example()) < 50
    assert {*found.smallest} == {"flops", "params"}
    assert max(found.smallest.values()) <= 1


def test_latency_is_measured_last_and_less_often() -> None:
    asked = []

    def watched(name: str, pair: Any) -> float:
        asked.append(name)
        return value(name, pair)

    found = survey(
        SPACE, watched, [Constraint("latency", "<", 50), Constraint("params", "<", 50)], Random(0)
    )

    assert found.samples == asked.count("params") == 50
    assert 0 < asked.count("latency") < 50


def test_a_hopeless_constraint_is_said_with_the_share_and_the_smallest_value() -> None:
    space = Space("large", (integer(1_000, 2_000), integer(0, 9)))

    limits = [Constraint("flops", "<=", 20), Constraint("params", "<", 5)]
    found = survey(space, value, limits, Random(0))

    with pytest.raises(
        OptionError,
        match=r"^space 'large': none of 1,000 random architectures meets flops <= 20 and params < "
        r"5, so at most 0\.38% of the space does; the smallest seen: flops 1,000, params 0; loosen",
    ):
        found.require_example()


def test_a_rare_feasible_architecture_is_looked_for_among_small_ones() -> None:
    class Rare:
        name = "rare"

        def sample(self, rng: Random, by: str = "architecture") -> tuple[int, int]:
            return (0, 0) if by == "choice" else (9, rng.randrange(9))

    found = survey(Rare(), value, [Constraint("flops", "<", 1)], Random(0))

    assert found.feasible == 0
    assert found.require_example() == (0, 0)


def test_a_space_without_an_architecture_for_the_images_says_why() -> None:
    def refuse(name: str, pair: Any) -> float:
        raise ArchitectureError(f"images are too small to count {name} of {pair}.")

    found = survey(SPACE, refuse, [Constraint("flops", "<", 1)], Random(0))

    with pytest.raises(OptionError, match=r"seen: nothing, as images are too small .*\); loosen"):
        found.require_example()
