from dataclasses import dataclass
from pathlib import Path

import pytest

from neptune_nas.errors import FileFormatError
from neptune_nas.metrics.score import Score
from neptune_nas.study.measured_file import read_measured, traced_json, write_measured


@dataclass(frozen=True)
class Kept:
    """What some file holds."""

    seeds: tuple[int, ...]


def test_what_was_measured_survives_the_file(tmp_path: Path) -> None:
    write_measured(tmp_path / "kept.json", {"seeds": [1, 2]})
    assert read_measured(tmp_path / "kept.json", Kept) == Kept((1, 2))


@dataclass(frozen=True)
class Scored:
    """What a file with a score holds."""

    score: Score


def test_the_traceback_of_a_failure_survives_the_file(tmp_path: Path) -> None:
    failed = Score(1, failure="odd", trace="in line 3\n")
    write_measured(tmp_path / "kept.json", {"score": traced_json(failed)})
    kept = read_measured(tmp_path / "kept.json", Scored).score
    assert (kept, kept.trace) == (failed, "in line 3\n")
    assert "trace" not in traced_json(Score(1, {"accuracy": 0.5}))


@pytest.mark.parametrize(
    ("score", "says"),
    [
        ('{"fidelity": 1, "values": {}, "trace": 3}', "`score.trace` must be a string, but got 3"),
        ('{"fidelity": -1, "values": {}, "trace": "x"}', "`score.fidelity` must be a whole number"),
        ('{"fidelity": 1, "values": {}, "traces": "x"}', "`score.traces` is unknown"),
        ('"trace"', "`score` must be an object, but got 'trace'"),
    ],
)
def test_a_score_that_is_none_is_refused(tmp_path: Path, score: str, says: str) -> None:
    (tmp_path / "kept.json").write_text(f'{{"version": 1, "score": {score}}}')
    with pytest.raises(FileFormatError, match=says):
        read_measured(tmp_path / "kept.json", Scored)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", r"kept\.json: it is not valid JSON .*; repair it, or move it away and measure"),
        ("[" * 100_000, "it is nested too deeply; repair it"),
        ("[]", r"it must be an object, but got \[\]"),
        ("{}", "`version` is missing: it must be 1"),
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
