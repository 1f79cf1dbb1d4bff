"""The forecast of a training, from an epoch of it in a temporary folder."""

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from neptune_nas.errors import FileFormatError
from neptune_nas.retrain.folder import SeedFolder, TrainFolder
from neptune_nas.retrain.history import read_history
from neptune_nas.retrain.progress import TrainingPace
from neptune_nas.retrain.seed import SeedJob, train_seed
from neptune_nas.tasks.task import Task
from neptune_nas.training.state import Epoch

_SHORT = 10.0  # seconds of an epoch


class _FirstEpochDoneError(Exception):
    """The end of the one epoch that a forecast measures."""


def epoch_seconds(job: SeedJob, seed: int, epochs: int) -> float:
    """Return the seconds of so many epochs at the pace of the first epoch of a seed."""
    seconds = _at_first_pace(job, seed, epochs)
    if seconds < _SHORT * epochs:  # mostly the start of the first epoch: repeat it without that
        return _at_first_pace(job, seed, epochs)
    return seconds


def _at_first_pace(job: SeedJob, seed: int, epochs: int) -> float:
    def stop(_: Epoch) -> None:
        raise _FirstEpochDoneError

    pace = TrainingPace()
    with TemporaryDirectory() as out, suppress(_FirstEpochDoneError):
        train_seed(job, seed, TrainFolder(Path(out)).seed(seed), stop)
    return pace.seconds_for(epochs)


def epochs_done(folder: SeedFolder, task: Task) -> int:
    """Return after how many epochs a stopped seed resumes."""
    with suppress(FileFormatError):  # training does not need the history
        if folder.checkpoint.exists():
            return len(read_history(folder.history, task.metrics))
    return 0
