"""What architectures are measured on: the evaluator, and the shape of its images."""

from dataclasses import dataclass

from neptune_nas.data.images import ImageData
from neptune_nas.data.load import load_once
from neptune_nas.evaluate.evaluator import Evaluator
from neptune_nas.evaluate.short_training import ShortTraining
from neptune_nas.study.folder import record_from
from neptune_nas.study.settings import Question
from neptune_nas.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Task:
    """An evaluator, and the facts about its data that a study keeps.

    `images`: how many there are to train, validate and test on.
    """

    evaluator: Evaluator
    input_shape: tuple[int, int, int]
    classes: int
    chance: float
    fingerprint: str
    images: tuple[int, int, int]


def training_task(question: Question, data_dir: str | None, device: str) -> Task:
    """Short training on the question's data with its recipe."""
    data = load_once(question.data, data_dir, 0)
    recipe = record_from(Recipe, question.recipe, "recipe")
    evaluator = ShortTraining(question.data, data_dir, recipe, device)
    return task_on(data, evaluator)


def task_on(data: ImageData, evaluator: Evaluator) -> Task:
    """Any evaluator that measures on `data`."""
    return Task(
        evaluator=evaluator,
        input_shape=data.input_shape,
        classes=len(data.classes),
        chance=data.chance,
        fingerprint=data.fingerprint,
        images=(len(data.train), len(data.validation), len(data.test)),
    )
