from pathlib import Path
from typing import Any

import pytest

from neptune_nas.errors import FileFormatError
from neptune_nas.files.schema import LIST
from neptune_nas.study.measured_file import read_measured, write_measured


def seeds(content: dict[str, Any]) -> list[int]:
    return list(content["seeds"])


RULES = {"seeds": LIST}


def test_what_was_measured_survives_the_file(tmp_path: Path) -> None:
    write_measured(tmp_path / "kept.json", {"seeds": [1, 2]})
    assert read_measured(tmp_path / "kept.json", RULES, seeds) == [1, 2]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", r"kept\.json: it cannot be read as JSON .*; mend it, or move it away and measure"),
        ("[" * 100_000, "it cannot be read as JSON"),
        ("[]", "it must hold an object, but holds a list"),
        ("{}", "`version` must be 1, but got None"),
        ('{"version": 1}', "`seeds` is missing"),
        ('{"version": 1, "seeds": 3}', "`seeds` must be a list, but got 3"),
        ('{"version": 1, "seeds": [], "seed": 1}', "`seed` is unknown: did you mean 'seeds'"),
        ('{"version": 9, "other": []}', "`version` must be 1, but got 9"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "kept.json").write_text(content)
    with pytest.raises(FileFormatError, match=says):
        read_measured(tmp_path / "kept.json", RULES, seeds)
