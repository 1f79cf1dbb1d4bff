from pathlib import Path

import pytest

from neptune_nas.errors import OptionError
from neptune_nas.study.progress import Progress
from neptune_nas.trackers import tracker as module
from neptune_nas.trackers.tracker import TRACKERS, SafeTracker, Tracker, check_tracker, tracking
from tests.trackers.contract import TESTED, result, step


class Broken:
    """A tracker whose methods fail from the second result on, or when it is closed."""

    hint = "nowhere"

    def __init__(self) -> None:
        self.results = 0

    def add_result(self, _: Progress) -> None:
        self.results += 1
        if self.results > 1:
            raise ConnectionError("no server\nat all")

    def add_epoch(self, _: object) -> None:
        raise SystemExit("no disk")

    def add_test(self, _: object) -> None:
        """Accept it."""

    def close(self) -> None:
        raise OSError("no room")


def test_a_tracker_that_fails_ends_with_one_sentence() -> None:
    said, inner = list[str](), Broken()
    tracker = SafeTracker(lambda: inner, said.append)
    for number in range(5):
        tracker.add_result(result(number, 0.5, number + 1))
    tracker.close()
    assert inner.results == 2
    failure = "The tracker failed (ConnectionError: no server at all)"
    assert said == [f"{failure}; everything else goes on without it."]


def test_one_that_cannot_be_opened_or_exits_ends_likewise() -> None:
    said = list[str]()

    def refuse() -> Tracker:
        raise PermissionError("not yours")

    for make in (refuse, Broken):
        tracker = SafeTracker(make, said.append)
        tracker.add_epoch(step(0, 1, 1.0))
        tracker.add_test(TESTED)
        tracker.close()
    assert [text.split("(")[1].split(")")[0] for text in said] == [
        "PermissionError: not yours",
        "SystemExit: no disk",
    ]


def test_one_that_fails_to_close_says_so_and_not_where_to_look() -> None:
    said = list[str]()
    tracker = SafeTracker(Broken, said.append)
    tracker.add_result(result(0, 0.5, 1))
    tracker.close()
    assert said == ["The tracker failed (OSError: no room); everything else goes on without it."]


def test_nothing_is_written_before_an_event(tmp_path: Path) -> None:
    for name in (None, *TRACKERS):
        with tracking(name, tmp_path, pytest.fail):
            pass
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_tracker_is_refused() -> None:
    with pytest.raises(OptionError, match="tracker 'tensorbord' is unknown: did you mean 'tensorb"):
        check_tracker("tensorbord")


@pytest.mark.parametrize("name", TRACKERS)
def test_a_missing_extra_is_one_sentence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(OptionError, match=rf"needs .* pip install 'neptune-nas\[{name}\]'\.$"):
        check_tracker(name)
