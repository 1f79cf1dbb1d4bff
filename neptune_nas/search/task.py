"""What architectures are measured on: the evaluator, and the shape of its images."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, cast

from neptune_nas.data.images import ImageData
from neptune_nas.data.load import load_once
from neptune_nas.devices.mode import Modes
from neptune_nas.errors import SpaceError
from neptune_nas.evaluators.evaluator import Evaluator
from neptune_nas.evaluators.proxy_first import ProxyFirst
from neptune_nas.evaluators.short_training import ShortTraining
from neptune_nas.evaluators.zero_cost import Proxy, ZeroCost
from neptune_nas.metrics.counted import CostModel
from neptune_nas.nn.builder import is_buildable
from neptune_nas.search.costs import Costs
from neptune_nas.space import Space
from neptune_nas.study.folder import record_from
from neptune_nas.study.settings import Question
from neptune_nas.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Task:
    """An evaluator, what knows the costs, and the facts about the data that a study keeps.

    `images`: how many there are to train, validate and test on. `latency`: what knows that of an
    architecture, in ms; None where it has to be measured.
    """

    evaluator: Evaluator
    costs: Costs
    input_shape: tuple[int, int, int]
    classes: int
    chance: float
    fingerprint: str
    images: tuple[int, int, int]
    latency: Callable[[Any], float] | None = None


def training_task(
    question: Question, data_dir: str | Path | None, device: str, modes: Modes
) -> Task:
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
    if not is_buildable(sample):
        raise SpaceError(
            f"space '{space.name}' is of {type(sample).__name__} records, which neptune-nas cannot "
            f"build: give the file of a table of its networks as `table` (--table), give the "
            f"records a `build(input_shape, outputs)`, or make the space of `Architecture`."
        )


def task_on(data: ImageData, evaluator: Evaluator) -> Task:
    """Any evaluator that measures on `data`."""
    return Task(
        evaluator=evaluator,
        costs=CostModel(data.input_shape, len(data.classes)),
        input_shape=data.input_shape,
        classes=len(data.classes),
        chance=data.chance,
        fingerprint=data.fingerprint,
        images=(len(data.train), len(data.validation), len(data.test)),
    )
