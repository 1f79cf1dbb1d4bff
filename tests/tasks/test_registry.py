from dataclasses import replace

import pytest

from neptune_nas.errors import OptionError
from neptune_nas.metrics.registry import IN_INT8, metric
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


def test_a_metric_in_int8_is_one_of_a_tasks_main_metric() -> None:
    main = {task.metrics[0] for task in TASKS.values()}
    assert {*IN_INT8} < main
    for name, in_int8 in IN_INT8.items():
        assert (in_int8.unit, in_int8.better) == (metric(name).unit, metric(name).better)
        assert in_int8.title == f"int8 {metric(name).title}"
