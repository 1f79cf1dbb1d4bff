"""The task of a search, and what follows from it: data, a space, and what is measured."""

import os
from collections.abc import Mapping

from neptune_nas.data.load import task_named
from neptune_nas.data.names import BOXES, SCENES, SIZE, parse_count, place_of
from neptune_nas.errors import OptionError
from neptune_nas.tasks.registry import find_task
from neptune_nas.tasks.task import Task

_DATA: Mapping[str, str] = {
    "classification": "digits",
    "segmentation": SCENES,
    "detection": BOXES,
}
_SPACES: Mapping[str, str] = {"segmentation": "digits-scenes", "detection": "digits-boxes"}


def usual_data(task: str | None) -> str:
    """Return the data set that comes with the package for a task, or for classification."""
    return _DATA[find_task(task or "classification").name]


def usual_space(task: Task) -> str | None:
    """Return the space for any data of a task; None where it depends on the data."""
    return _SPACES.get(task.name)


def task_for(asked: str | None, data: str) -> Task:
    """Return the task of the data with this name, whose images are not read.

    Raises `OptionError` where another is `asked` for; a folder that is missing is refused later.
    """
    found = task_named(data)
    if asked is not None and find_task(asked).name != found and not _is_missing(data):
        raise OptionError(
            f"`task` (--task) is {asked}, but data '{data}' is for {found}: leave `task` out, "
            f"or name data for {asked}."
        )
    return find_task(asked or found)


def _is_missing(data: str) -> bool:
    """Return whether a name is that of a folder that does not exist, in whole or before its @."""
    place = place_of(parse_count(data)[0])
    return place != "" and not any(map(os.path.exists, (place, place.rpartition(SIZE)[0])))
