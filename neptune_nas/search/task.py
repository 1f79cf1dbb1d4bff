"""What architectures are measured on: the evaluator, and the shape of its images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import log
from pathlib import Path
from random import Random
from typing import Any

from neptune_nas.architecture.records import Architecture
from neptune_nas.data.images import ImageData
from neptune_nas.data.load import load_once
from neptune_nas.devices.mode import Modes
from neptune_nas.errors import SpaceError
from neptune_nas.evaluators.evaluator import Evaluator
from neptune_nas.evaluators.proxy_first import ProxyFirst
from neptune_nas.evaluators.short_training import ShortTraining
from neptune_nas.evaluators.zero_cost import ZeroCost
from neptune_nas.metrics.counted import CostModel
from neptune_nas.metrics.registry import CLASSIFICATION
from neptune_nas.search.costs import CostSource
from neptune_nas.space import Space
from neptune_nas.study.folder import record_from
from neptune_nas.study.settings import Question
from neptune_nas.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Task:
    """An evaluator, what knows the costs, and the facts about the data that a study keeps.

    `guess`: what guessing scores, by metric. `images`: how many there are to train, validate and
    test on. `timed`: what knows a timed metric of an architecture, by its name; what is not among
    them has to be measured.
    """

    evaluator: Evaluator
    costs: CostSource
    input_shape: tuple[int, int, int]
    classes: int
    guess: Mapping[str, float]
    fingerprint: str
    images: tuple[int, int, int]
    timed: Mapping[str, Callable[[Any], float]] = field(default_factory=dict)


def training_task(
    question: Question, data_dir: str | Path | None, device: str, modes: Modes
) -> Task:
    """Short training on the question's data with its recipe, and its proxy as rung 0."""
    data = load_once(question.data, data_dir, 0)
    recipe = record_from(Recipe, question.recipe, "recipe")
    training = ShortTraining(question.data, data_dir, recipe, device, modes=modes)
    if not question.proxy:
        return task_on(data, training)
    proxy = ZeroCost(question.proxy, question.data, data_dir)  # checks the name
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


def task_on(data: ImageData, evaluator: Evaluator) -> Task:
    """Any evaluator that measures on `data`."""
    return Task(
        evaluator=evaluator,
        costs=CostModel(data.input_shape, len(data.classes)),
        input_shape=data.input_shape,
        classes=len(data.classes),
        guess=guess(len(data.classes), data.chance),
        fingerprint=data.fingerprint,
        images=(len(data.train), len(data.validation), len(data.test)),
    )


def guess(classes: int, chance: float) -> dict[str, float]:
    """Return what guessing scores, by metric: `chance`, and the entropy of equal odds in nats."""
    return {
        each.name: value for each, value in zip(CLASSIFICATION, (chance, log(classes)), strict=True)
    }
