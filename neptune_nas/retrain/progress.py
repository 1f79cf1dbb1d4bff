"""The progress of a training: its epochs as they finish, and its pace."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

from neptune_nas.metrics.registry import metric
from neptune_nas.tasks.task import Task
from neptune_nas.text import clock
from neptune_nas.training.state import Epoch


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """A finished epoch, with its seed and the total numbers of seeds and epochs.

    `seconds_left`: time until all seeds are trained, at the pace so far.
    """

    seed: int
    seeds: int
    epoch: Epoch
    epochs: int
    seconds_left: float


OnEpoch = Callable[[TrainingStep], None]


def epoch_line(step: TrainingStep, task: Task) -> str:
    """Return a line on a finished epoch."""
    epoch, main = step.epoch, metric(task.metrics[0])
    left = f", {clock(step.seconds_left)} left" if step.seconds_left else ""
    return (
        f"seed {step.seed} ({step.seed + 1} of {step.seeds}), epoch {epoch.number}/{step.epochs}: "
        f"{main.title} {epoch.values[main.name]:.4f}, averaged {epoch.ema_values[main.name]:.4f}, "
        f"loss {epoch.loss:.4f}{left}"
    )


class TrainingPace:
    """The pace of training, from the time since the first epoch began."""

    def __init__(self) -> None:
        self.started, self.epochs = perf_counter(), 0

    def seconds_for(self, epochs: int) -> float:
        """Count a finished epoch, and return the seconds that `epochs` more will take."""
        self.epochs += 1
        return (perf_counter() - self.started) / self.epochs * epochs
