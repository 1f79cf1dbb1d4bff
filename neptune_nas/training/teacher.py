"""Knowledge distillation: training on a teacher's outputs as well as on targets.

The method is that of Hinton et al. (arXiv 1503.02531). The teacher sees the same views as the
network, which Beyer et al. found to be what counts ("consistent teaching", arXiv 2106.05237). The
views are therefore fixed, and the teacher's outputs for them are computed once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter

import torch
from torch import Generator, Tensor

from neptune_nas.devices.device import send
from neptune_nas.tasks.augmentation import Augment, Moves, draw_moves
from neptune_nas.tasks.task import Task
from neptune_nas.training.recipe import Recipe


def view_moves(augment: Augment, images: Tensor, view: int) -> Moves:
    """Return the moves of all training images in a view, drawn from the view's number alone."""
    return draw_moves(augment, images, Generator().manual_seed(view))


@dataclass(frozen=True, slots=True, eq=False)
class Teaching:
    """A teacher's outputs for all training images in each of its `views`, one per epoch in turn.

    `outputs` `(views, N, ...)`: float16 on the host, usually mapped from a file. Without views they
    are `(1, N, ...)`, for the images as they are, and each epoch augments the images anew.
    """

    outputs: Tensor
    views: int

    def view(self, epoch: int, seed: int) -> int:
        """Return the view of an epoch, counted from 0; seeds begin with different ones."""
        return (epoch + seed) % len(self.outputs)

    def rows(self, view: int, rows: Tensor, device: torch.device) -> Tensor:
        """Return the outputs for some images in a view, on `device`."""
        return send(self.outputs[view].index_select(0, rows), device)


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """The targets of a batch and, with a teacher, the teacher's `outputs` for it."""

    targets: Tensor
    outputs: Tensor | None = None

    def __getitem__(self, part: slice) -> "Lesson":
        return self.map(itemgetter(part))

    def map(self, change: Callable[[Tensor], Tensor]) -> "Lesson":
        """Return the lesson with both tensors changed alike."""
        return Lesson(change(self.targets), None if self.outputs is None else change(self.outputs))


def lesson_loss(task: Task, recipe: Recipe, outputs: Tensor, lesson: Lesson) -> Tensor:
    """Return the loss of float32 outputs for a lesson, summed over images."""
    loss = task.loss(outputs, lesson.targets, recipe.label_smoothing)
    if lesson.outputs is None:
        return loss
    taught = task.distil(outputs, lesson.outputs.float(), recipe.temperature)
    return loss.lerp(taught, recipe.teacher_weight)


def largest_guess(guess: float, recipe: Recipe) -> float:
    """Return the largest loss of guessing if a teacher is sure; `guess`: its usual loss."""
    weight = recipe.teacher_weight
    return guess * (1 - weight + weight * max(1.0, recipe.temperature**2))
