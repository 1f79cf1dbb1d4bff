"""The table of all tasks; a new one is a file and a row here."""

from collections.abc import Mapping

from neptune_nas.data.images import ImageData
from neptune_nas.errors import OptionError, one_of
from neptune_nas.tasks.classification import Classification
from neptune_nas.tasks.detection import Detection
from neptune_nas.tasks.segmentation import Segmentation
from neptune_nas.tasks.task import Task

TASKS: Mapping[str, Task] = {
    "classification": Classification(),
    "segmentation": Segmentation(),
    "detection": Detection(),
}


def find_task(name: str) -> Task:
    """Return the task with this name; raises `OptionError` for an unknown one."""
    if name not in TASKS:
        raise OptionError(f"task '{name}' is unknown: {one_of(TASKS, name)}")
    return TASKS[name]


def task_of(data: ImageData) -> Task:
    """Return the task of a data set's targets."""
    return find_task(data.task)
