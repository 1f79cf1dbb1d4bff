from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.trackers.contract import Series, TrackerContract


class TestTensorBoard(TrackerContract):
    name = "tensorboard"

    def read(self, folder: Path, run: str, key: str) -> Series:
        tag = f"search/{key}" if run == "search" else key
        return points(folder / "tensorboard" / run, tag)

    def trial_accuracy(self, folder: Path, number: int) -> float:
        return points(folder / "tensorboard" / "search", "trial/accuracy")[number]


def points(folder: Path, tag: str) -> Series:
    events = EventAccumulator(str(folder))
    events.Reload()
    return {point.step: point.value for point in events.Scalars(tag)}
