"""The tracker that writes event files for TensorBoard."""

from collections.abc import Mapping
from pathlib import Path
from shlex import quote

from torch.utils.tensorboard import SummaryWriter

from neptune_nas.architecture.description import describe
from neptune_nas.retrain.metrics import SeedMetrics
from neptune_nas.retrain.progress import TrainingStep
from neptune_nas.study.progress import Progress
from neptune_nas.trackers.tracker import epoch_values, finite, progress_values, trial_values

_FLUSH = 5  # seconds


class TensorBoard:
    """A `Tracker`: event files in the folder `tensorboard`.

    A search is one run, whose trials are points in the order they began; a seed of a training is a
    run of its own, whose epochs are the points.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "tensorboard"
        self._writers: dict[str, SummaryWriter] = {}

    @property
    def hint(self) -> str:
        """The command that shows it."""
        return f"tensorboard --logdir {quote(str(self._folder))}"

    def add_result(self, progress: Progress) -> None:
        """Add a result of a search."""
        self._add("search", progress_values(progress), progress.done, "search/")
        if (trial := progress.newest) is not None:
            self._add("search", trial_values(trial), trial.number, "trial/")
            if len(trial.scores) == 1:
                text = describe(trial.architecture)
                self._writer("search").add_text("architecture", text, trial.number)

    def add_epoch(self, step: TrainingStep) -> None:
        """Add a finished epoch of a training."""
        self._add(f"seed-{step.seed}", epoch_values(step), step.epoch.number)

    def add_test(self, seed: SeedMetrics) -> None:
        """Add the test values of a seed at the end of a training."""
        self._add(f"seed-{seed.seed}", finite(seed.test), seed.epoch, "test ")

    def close(self) -> None:
        """Write what has not been written yet."""
        for writer in self._writers.values():
            writer.close()

    def _add(self, run: str, values: Mapping[str, float], step: int, prefix: str = "") -> None:
        for name, value in values.items():
            self._writer(run).add_scalar(f"{prefix}{name}", value, step)

    def _writer(self, run: str) -> SummaryWriter:
        if run not in self._writers:
            path = str(self._folder / run)
            self._writers[run] = SummaryWriter(path, flush_secs=_FLUSH)
        return self._writers[run]
