"""Whether the trials of a study still cost what they did, as they do unless code was changed."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from neptune_nas.errors import ArchitectureError, StudyError
from neptune_nas.metrics.registry import COUNTED
from neptune_nas.study.trial import Trial


def check_costs(
    folder: Path, trials: Iterable[Trial], count: Callable[[Any], Mapping[str, float]]
) -> None:
    """Refuse to go on with a study one of whose trials has another exact cost than was stored.

    `count`: the counted costs of an architecture as it is now. Raises `StudyError` for the first
    such trial.
    """
    for trial in trials:
        try:
            now = count(trial.architecture)
        except ArchitectureError as error:
            why = str(error).rstrip(".")
            raise _changed(folder, trial, f"cannot be counted now ({why})") from error
        for each in COUNTED:
            then = trial.values.get(each.name)
            if then is not None and now.get(each.name, then) != then:
                how = f"had {then:,.10g} {each.title}, but now {now[each.name]:,.10g}"
                raise _changed(folder, trial, how)


def _changed(folder: Path, trial: Trial, how: str) -> StudyError:
    return StudyError(
        f"trial {trial.number} of study {folder} {how}: the code that builds it, or its table, was "
        f"changed since; undo that, or begin another study by another `name` (--study-name)."
    )
