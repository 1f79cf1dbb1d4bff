"""Full trainings to test with."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from neptune_nas.architecture.records import Architecture, Stem
from neptune_nas.models.architecture_file import without_study
from neptune_nas.retrain.run import Training

NETWORK = without_study(Architecture(stem=Stem(width=4)), (1, 8, 8), 10)


def asked(out: Path, **changes: Any) -> Training:
    """Return a training of three epochs from two seeds."""
    training = Training(NETWORK, data="digits#100", epochs=3, seeds=2, out=out, threads=1)
    return replace(training, **changes)
