from pathlib import Path
from typing import Any

import pytest

from neptune_nas.errors import FileFormatError
from neptune_nas.study.measured_file import read_measured, write_measured


def seeds(content: dict[str, Any]) -> list[int]:
    return [int(seed) for seed in content["seeds"]]


def test_what_was_measured_survives_the_file(tmp_path: Path) -> None:
    write_measured(tmp_path / "kept.json", {"seeds": [1, 2]})
    assert read_measured(tmp_path / "kept.json", seeds) == [1, 2]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "cannot be read.*move it away, and measure again"),
        ("[]", "cannot be read"),
        ("{}", "cannot be read .KeyError: 'version'"),
        ('{"version": 1}', "cannot be read .KeyError: 'seeds'"),
        ('{"version": 1, "seeds": 3}', "cannot be read"),
        ('{"version": 9, "seeds": []}', "`version` must be 1, but got 9"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "kept.json").write_text(content)
    with pytest.raises(FileFormatError, match=says):
        read_measured(tmp_path / "kept.json", seeds)
