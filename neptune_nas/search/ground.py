"""What architectures are measured on: the evaluator, and the shape of its images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, cast

from neptune_nas.architecture.records import Architecture
from neptune_nas.data.images import ImageData
from neptune_nas.data.load import load_once
from neptune_nas.devices.mode import Modes
from neptune_nas.errors import SpaceError
from neptune_nas.evaluators.evaluator import Evaluator
from neptune_nas.evaluators.proxy_first import ProxyFirst
from neptune_nas.evaluators.short_training import ShortTraining
from neptune_nas.evaluators.zero_cost import Proxy, ZeroCost
from neptune_nas.metrics.counted import CostModel
from neptune_nas.search.costs import Costs
from neptune_nas.space import Space
from neptune_nas.study.folder import record_from
from neptune_nas.study.settings import Question
from neptune_nas.tasks.registry import task_of
from neptune_nas.tasks.task import Task
from neptune_nas.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Ground:
    """An evaluator, what knows the costs, and the facts about the data that a study keeps.

    `task`: what the networks do. `images`: how many there are to train, validate and test on.
    `latency`: what knows that of an architecture, in ms; None where it has to be measured.
    """

    evaluator: Evaluator
    costs: Costs
    input_shape: tuple[int, int, int]
    classes: int
    task: Task
    fingerprint: str
    images: tuple[int, int, int]
    latency: Callable[[Any], float] | None = None

    @property
    def chance(self) -> Mapping[str, float]:
        """What guessing scores, by metric."""
        return self.task.chance(self.classes)


def training_task(
    question: Question, data_dir: str | Path | None, device: str, modes: Modes
) -> Ground:
    """Short training on the question's data with its recipe, and its proxy as rung 0."""
    data = load_once(question.data, data_dir, 0)
    recipe = record_from(Recipe, question.recipe, "recipe")
    training = ShortTraining(question.data, data_dir, recipe, device, modes=modes)
    if not question.proxy:
        return task_on(data, training)
    proxy = ZeroCost(cast("Proxy", question.proxy), question.data, data_dir)  # checks the name
    return task_on(data, ProxyFirst(proxy, training, device))


def check_ours(space: Space[Any]) -> None:
    """Refuse a space whose records no network can be built from, and so none be measured."""
    sample = space.sample(Random(0))
    if not isinstance(sample, Architecture):
        raise SpaceError(
            f"space '{space.name}' is of {type(sample).__name__} records, which neptune-nas cannot "
            f"build: give the file of a table of its networks as `table` (--table), or make the "
            f"space of `Architecture`."
        )


def task_on(data: ImageData, evaluator: Evaluator) -> Ground:
    """Any evaluator that measures on `data`."""
    task = task_of(data)
    return Ground(
        evaluator=evaluator,
        costs=CostModel(data.input_shape, task.outputs(data)),
        input_shape=data.input_shape,
        classes=len(data.classes),
        task=task,
        fingerprint=data.fingerprint,
        images=(len(data.train), len(data.validation), len(data.test)),
    )
