"""Full trainings to test with."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from neptune_nas.architecture.records import Architecture, Stem
from neptune_nas.data.images import ImageData, Split
from neptune_nas.models.architecture_file import without_study
from neptune_nas.retrain.run import Training

NETWORK = without_study(Architecture(stem=Stem(width=4)), (1, 8, 8), 10)


def asked(out: Path, kind: type[Training] = Training, /, **changes: Any) -> Training:
    """Return a training of three epochs from two seeds."""
    training = kind(NETWORK, data="digits#100", epochs=3, seeds=2, out=out, threads=1)
    return replace(training, **changes)


def on(change: Callable[[ImageData], ImageData]) -> type[Training]:
    """Return the training whose data are changed once they are loaded."""

    class Changed(Training):
        @cached_property
        def images(self) -> ImageData:
            return change(super().images)

    return Changed


def noting(note: Callable[[], None]) -> type[Training]:
    """Return the training that calls `note` each time before it reads its test split."""

    class Noted(Split):
        def to(self, device: torch.device) -> Split:
            note()
            return super().to(device)

    def noted(data: ImageData) -> ImageData:
        return replace(data, test=Noted(data.test.images, data.test.targets, data.test.file))

    return on(noted)


def refuse(*_: object) -> None:
    raise AssertionError("nothing is left to do")
