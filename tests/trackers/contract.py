"""What every tracker does, from the events of a search and of a training to what can be read."""

from abc import ABC, abstractmethod
from dataclasses import replace
from math import inf
from pathlib import Path
from shlex import split

import pytest

from neptune_nas.retrain.metrics import SeedMetrics
from neptune_nas.retrain.progress import TrainingStep
from neptune_nas.study.progress import Progress
from neptune_nas.study.trial import State
from neptune_nas.trackers.tracker import Tracker, make_tracker
from neptune_nas.training.state import Epoch
from tests.study.builders import make_trial

Series = dict[int, float]
"""Values by step."""


def result(number: int, accuracy: float, done: int) -> Progress:
    """Return the progress of a search after a trial."""
    trial = make_trial(number, accuracy, 1_000)
    return Progress(done, 5, 0, 0, accuracy, 0.25, None, trial)


def step(seed: int, number: int, loss: float) -> TrainingStep:
    """Return an epoch of a training of two seeds, in which the averaged weights diverged."""
    values = {"accuracy": number / 10, "loss": loss}
    epoch = Epoch(number, loss, 0.01, 1.0, values, {"accuracy": 0.5, "loss": inf})
    return TrainingStep(seed, 2, epoch, 3, 0.0)


TESTED = SeedMetrics(
    0, 2, "raw", {"accuracy": 0.9}, {"accuracy": 0.8}, 1.0, "2026", "cpu", "a CPU", {}
)


class TrackerContract(ABC):
    """The suite, inherited by the tests of each tracker."""

    name: str

    @abstractmethod
    def read(self, folder: Path, run: str, key: str) -> Series:
        """Return the values of a key in a run, by step."""

    @abstractmethod
    def trial_accuracy(self, folder: Path, number: int) -> float:
        """Return the accuracy of a trial."""

    def tracker(self, folder: Path) -> Tracker:
        """Return the tracker that writes into a folder."""
        return make_tracker(self.name, folder)

    def test_a_search_is_tracked_trial_by_trial(self, tmp_path: Path) -> None:
        tracker = self.tracker(tmp_path)
        for number, accuracy in enumerate((0.5, 0.75)):
            tracker.add_result(result(number, accuracy, number + 1))
        tracker.close()
        assert self.read(tmp_path, "search", "hypervolume") == {1: 0.25, 2: 0.25}
        assert self.read(tmp_path, "search", "best accuracy") == {1: 0.5, 2: 0.75}
        assert [self.trial_accuracy(tmp_path, number) for number in (0, 1)] == [0.5, 0.75]

    def test_a_later_session_goes_on_in_the_same_folder(self, tmp_path: Path) -> None:
        for number in (0, 1):
            tracker = self.tracker(tmp_path)
            tracker.add_result(result(number, 0.5, number + 1))
            tracker.close()
        assert self.read(tmp_path, "search", "best accuracy") == {1: 0.5, 2: 0.5}

    def test_a_trial_that_failed_is_no_error(self, tmp_path: Path) -> None:
        failed = replace(make_trial(0, 0.5, 1_000), scores=(), state=State.FAILED)
        tracker = self.tracker(tmp_path)
        tracker.add_result(Progress(0, 5, 0, 1, None, 0.0, None, failed))
        tracker.add_result(Progress(0, 5, 0, 1, None, 0.0, None))
        tracker.close()
        assert self.read(tmp_path, "search", "failed") == {0: 1.0}

    def test_a_training_is_tracked_epoch_by_epoch(self, tmp_path: Path) -> None:
        tracker = self.tracker(tmp_path)
        for number, loss in ((1, 2.0), (2, 1.5)):
            tracker.add_epoch(step(0, number, loss))
        tracker.add_epoch(step(1, 1, 1.0))
        tracker.add_test(TESTED)
        tracker.close()
        assert self.read(tmp_path, "seed-0", "training loss") == {1: 2.0, 2: 1.5}
        assert self.read(tmp_path, "seed-1", "training loss") == {1: 1.0}
        assert self.read(tmp_path, "seed-0", "averaged accuracy") == {1: 0.5, 2: 0.5}
        assert self.read(tmp_path, "seed-0", "test accuracy") == {2: pytest.approx(0.8)}

    def test_it_writes_into_its_folder_alone_and_says_where(self, tmp_path: Path) -> None:
        folder = tmp_path / "a study's folder"
        folder.mkdir()
        tracker = self.tracker(folder)
        tracker.add_result(result(0, 0.5, 1))
        tracker.close()
        assert [path.name for path in tmp_path.iterdir()] == [folder.name]
        (place,) = (word for word in split(tracker.hint) if folder.name in word or "file:" in word)
        assert place.startswith((f"{folder}/", f"{folder.as_uri()}/"))
