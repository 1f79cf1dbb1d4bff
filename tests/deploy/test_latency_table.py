from dataclasses import replace
from pathlib import Path

import pytest

from neptune_nas.architecture.records import Architecture, Stage
from neptune_nas.deploy.latency_table import (
    architecture_in,
    measured,
    read_latencies,
    write_latencies,
)
from neptune_nas.errors import FileFormatError

ONE = Architecture(stages=(Stage(width=8),))


def test_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = (measured(ONE, 1.5, 0.1), measured(ONE, 2.5, 0.0, "pick"))
    write_latencies(tmp_path / "a.csv", rows)
    found = read_latencies(tmp_path / "a.csv")
    assert found == rows
    assert architecture_in(found[0]) == ONE


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("latency_ms\n1\n", "`architecture` is missing"),
        ("latency_ms,architecture,x\n", "`x` is unknown"),
        ("latency_ms,architecture\n-1,{}\n", r"row 1: `latency_ms` must be .*above 0.* got -1\.0"),
        ("latency_ms,architecture\nnan,{}\n", r"row 1: `latency_ms` must be .*but got nan"),
        ("latency_ms,architecture\ninf,{}\n", r"row 1: `latency_ms` must be .*but got inf"),
        ("latency_ms,architecture\nfast,{}\n", r"row 1: `latency_ms` must be .*but got 'fast'"),
        ("latency_ms,architecture\n1,{},3\n", "row 1: it has more than 2 cells"),
        ("latency_ms,architecture\n1,\n", "row 1: `architecture` is missing"),
    ],
)
def test_a_wrong_cell_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(FileFormatError, match=message):
        read_latencies(tmp_path / "a.csv")


def test_a_row_with_another_networks_key_is_refused() -> None:
    with pytest.raises(FileFormatError, match=r"`key` must be .*, of its architecture, but got"):
        architecture_in(replace(measured(ONE, 1.0, 0.0), key="0" * 16))
