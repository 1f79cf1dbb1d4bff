"""Whether the trials of a study still cost what they did, as they do unless code was changed."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from neptune_nas.errors import ArchitectureError, StudyError
from neptune_nas.metrics.trial import Cost, Trial

WORDS = {"macs": "MACs", "params": "parameters", "activations": "activations"}


def check_costs(folder: Path, trials: Iterable[Trial], count: Callable[[Any], Cost]) -> None:
    """Refuse to go on with a study one of whose trials has another exact cost than was stored.

    `count`: the cost of an architecture as it is now. Raises `StudyError` for the first such trial.
    """
    for trial in trials:
        try:
            now = count(trial.architecture)
        except ArchitectureError as error:
            why = str(error).rstrip(".")
            raise _changed(folder, trial, f"cannot be counted now ({why})") from error
        if now != trial.cost:
            costs = ((word, getattr(trial.cost, n), getattr(now, n)) for n, word in WORDS.items())
            then = next(f"{a:,} {word}, but now {b:,}" for word, a, b in costs if a != b)
            raise _changed(folder, trial, f"had {then}")


def _changed(folder: Path, trial: Trial, how: str) -> StudyError:
    return StudyError(
        f"trial {trial.number} of study {folder} {how}: the code that builds it, or its table, was "
        f"changed since; undo that, or begin another study by another `name` (--study-name)."
    )
