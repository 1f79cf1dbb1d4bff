"""Trackers, such as TensorBoard, which follow a search or a training by its events."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from typing import Protocol

from neptune_nas.errors import OptionError, description, one_of
from neptune_nas.retrain.metrics import SeedMetrics
from neptune_nas.retrain.progress import TrainingStep
from neptune_nas.search.config import Say
from neptune_nas.study.progress import Progress
from neptune_nas.study.trial import Trial

_MODULES = {"tensorboard": "tensorboard", "mlflow": "mlflow"}
"""The package that each tracker needs, which the extra of the tracker's name installs."""
_MLFLOW = ("MLFLOW_DISABLE_TELEMETRY", "MLFLOW_ALLOW_FILE_STORE")
TRACKERS = tuple(_MODULES)


class Tracker(Protocol):
    """A receiver of the events of a search or a training; an error in it ends only the tracker."""

    @property
    def hint(self) -> str:
        """The way to look at what was tracked, such as a command."""

    def add_result(self, progress: Progress) -> None:
        """Add a result of a search."""

    def add_epoch(self, step: TrainingStep) -> None:
        """Add a finished epoch of a training."""

    def add_test(self, seed: SeedMetrics) -> None:
        """Add the test values of a seed at the end of a training."""

    def close(self) -> None:
        """Write what has not been written yet."""


def check_tracker(name: str) -> None:
    """Refuse a tracker that is unknown or whose package is missing; raises `OptionError`."""
    if name not in _MODULES:
        raise OptionError(f"tracker '{name}' is unknown: {one_of(TRACKERS, name)}")
    if find_spec(_MODULES[name]) is None:
        raise OptionError(
            f"tracker '{name}' needs the package {_MODULES[name]}, but it is not installed: "
            f"pip install 'neptune-nas[{name}]'."
        )


def make_tracker(name: str, folder: Path) -> Tracker:
    """Return the tracker of that name, which writes into `folder`."""
    if name == "mlflow":
        for variable in _MLFLOW:  # read when it is imported
            os.environ.setdefault(variable, "true")
        from neptune_nas.trackers.mlflow import MLflow

        return MLflow(folder)
    from neptune_nas.trackers.tensorboard import TensorBoard

    return TensorBoard(folder)


class SafeTracker:
    """A tracker that is opened at its first event, and ends with a message if it fails.

    `open_tracker`: opens it; None for no tracker. `say`: is called with the message.
    """

    def __init__(self, open_tracker: Callable[[], Tracker] | None, say: Say) -> None:
        self._open, self._say = open_tracker, say
        self._tracker: Tracker | None = None

    def add_result(self, progress: Progress) -> None:
        """Add a result of a search."""
        self._try(lambda tracker: tracker.add_result(progress))

    def add_epoch(self, step: TrainingStep) -> None:
        """Add a finished epoch of a training."""
        self._try(lambda tracker: tracker.add_epoch(step))

    def add_test(self, seed: SeedMetrics) -> None:
        """Add the test values of a seed at the end of a training."""
        self._try(lambda tracker: tracker.add_test(seed))

    def close(self) -> None:
        """Close the tracker, if it was opened, and say how to look at it."""
        if self._tracker is not None:
            self._try(lambda tracker: tracker.close())
        if self._tracker is not None:
            self._say(f"Tracked: {self._tracker.hint}")

    def _try(self, call: Callable[[Tracker], None]) -> None:
        if self._open is None:
            return
        try:
            self._tracker = self._tracker or self._open()
            call(self._tracker)
        except (Exception, SystemExit) as error:  # of any library below it
            self._open = self._tracker = None
            failure = description(error)
            self._say(f"The tracker failed ({failure}); everything else goes on without it.")


@contextmanager
def tracking(name: str | None, folder: Path, say: Say) -> Iterator[SafeTracker]:
    """Yield the tracker of that name, which writes into `folder`; None tracks nothing.

    Raises `OptionError` as `check_tracker` does.
    """
    if name is not None:
        check_tracker(name)
    tracker = SafeTracker(None if name is None else lambda: make_tracker(name, folder), say)
    try:
        yield tracker
    finally:
        tracker.close()


def progress_values(progress: Progress) -> dict[str, float]:
    """Return the numbers of a search so far, by name."""
    best = {} if progress.best_score is None else {f"best {progress.metric}": progress.best_score}
    return {**best, "hypervolume": progress.hypervolume, "failed": float(progress.failed)}


def trial_values(trial: Trial) -> dict[str, float]:
    """Return the costs of a trial and the values of its latest score, by metric."""
    score = trial.scores[-1] if trial.scores else None
    return finite({**trial.values, **(score.values if score and score.ok else {})})


def epoch_values(step: TrainingStep) -> dict[str, float]:
    """Return the numbers of an epoch, by name."""
    epoch = step.epoch
    values = {f"validation {name}": value for name, value in epoch.values.items()}
    averaged = {f"averaged {name}": value for name, value in epoch.ema_values.items()}
    return finite({"training loss": epoch.loss, "lr": epoch.lr, **values, **averaged})


def finite(values: Mapping[str, float]) -> dict[str, float]:
    """Return the values that are finite, as no tracker can draw others."""
    return {name: float(value) for name, value in values.items() if isfinite(value)}
