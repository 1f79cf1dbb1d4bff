from dataclasses import replace

import pytest

from neptune_nas.errors import OptionError
from neptune_nas.tasks.registry import TASKS, find_task, task_of
from tests.training.data import easy_data


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_found_by_its_name(name: str) -> None:
    assert find_task(name) is TASKS[name]
    assert TASKS[name].name == name


def test_an_unknown_task_is_refused_with_the_one_that_is_meant() -> None:
    with pytest.raises(OptionError, match=r"task 'clasification' is unknown: .*'classification'"):
        find_task("clasification")


def test_a_data_set_says_what_its_targets_are_for() -> None:
    assert task_of(easy_data()) is TASKS["classification"]
    with pytest.raises(OptionError, match="task 'other' is unknown"):
        task_of(replace(easy_data(), task="other"))
