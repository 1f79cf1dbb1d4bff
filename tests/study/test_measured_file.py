from dataclasses import dataclass
from pathlib import Path

import pytest

from neptune_nas.errors import FileFormatError
from neptune_nas.study.measured_file import read_measured, write_measured


@dataclass(frozen=True)
class Kept:
    """What some file holds."""

    seeds: tuple[int, ...]


def test_what_was_measured_survives_the_file(tmp_path: Path) -> None:
    write_measured(tmp_path / "kept.json", {"seeds": [1, 2]})
    assert read_measured(tmp_path / "kept.json", Kept) == Kept((1, 2))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", r"kept\.json: it is no JSON .*; mend it, or move it away and measure"),
        ("[" * 100_000, "it is nested too deeply; mend it"),
        ("[]", r"it must be an object, but got \[\]"),
        ("{}", "`version` must be 1, but got None"),
        ('{"version": 1}', "`seeds` is missing"),
        ('{"version": 1, "seeds": 3}', "`seeds` must be a list of whole numbers, but got 3"),
        ('{"version": 1, "seeds": [], "seed": 1}', "`seed` is unknown: did you mean 'seeds'"),
        ('{"version": 9, "other": []}', "`version` must be 1, but got 9"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "kept.json").write_text(content)
    with pytest.raises(FileFormatError, match=says):
        read_measured(tmp_path / "kept.json", Kept)
