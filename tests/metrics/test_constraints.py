"""Constraints from text."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neptune_nas.errors import OptionError
from neptune_nas.metrics.constraints import Constraint, parse_constraint
from neptune_nas.metrics.registry import COSTS


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
        ("ram<=64KiB", Constraint("ram", "<=", 65_536.0)),
        ("RAM<=0.5mib", Constraint("ram", "<=", 524_288.0)),
        ("flash<2MiB", Constraint("flash", "<", 2_097_152.0)),
        ("flash<=100KB", Constraint("flash", "<=", 100_000.0)),
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
    ("text", "said"),
    [
        ("ram<=64KiB", "ram <= 64 KiB"),
        ("ram<=65536", "ram <= 64 KiB"),
        ("flash<1.5MiB", "flash < 1.5 MiB"),
        ("flash<=100kb", "flash <= 100 kB"),
        ("ram<=1000001", "ram <= 1,000,001 bytes"),
        ("ram<=100", "ram <= 100 bytes"),
        ("peak_memory<=10000000KiB", "peak_memory <= 10.24 GB"),
    ],
)
def test_a_limit_in_bytes_is_said_as_people_write_it(text: str, said: str) -> None:
    assert str(parse_constraint(text)) == said


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
            "is on 'accuracy': choose one of activations, flash, flops, latency, macs, "
            "params, peak_memory, ram",
        ),
        ("flops<=20T", "has a limit in 'T': choose one of G, M, k"),
        ("peak_memory<=5Q", "choose one of GB, GiB, KiB, MB, MiB, bytes, kB"),
        ("flops<=5ms", "has a limit in 'ms'"),
        ("peak_memory<=5M", "has a limit in 'M'"),
        ("ram<=64KiBs", "has a limit in 'KiBs': did you mean 'KiB'"),
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
