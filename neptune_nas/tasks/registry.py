"""Every task that the toolkit knows, as one table; a new one is a file and a row here."""

from collections.abc import Mapping

from neptune_nas.data.images import ImageData
from neptune_nas.errors import OptionError, one_of
from neptune_nas.tasks.classification import Classification
from neptune_nas.tasks.task import Task

TASKS: Mapping[str, Task] = {
    "classification": Classification(),
}


def find_task(name: str) -> Task:
    """Return the task of that name; raises `OptionError` for one that is unknown."""
    if name not in TASKS:
        raise OptionError(f"task '{name}' is unknown: {one_of(TASKS, name)}")
    return TASKS[name]


def task_of(data: ImageData) -> Task:
    """Return the task that a data set's targets are for."""
    return find_task(data.task)
