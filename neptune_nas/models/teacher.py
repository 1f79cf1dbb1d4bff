"""A teacher: a model in a file or a user's own network, made to fit a data set.

A model file is data. Code runs only where the user names it, as `FILE.py:FUNCTION` or
`package.module:FUNCTION`: a function that returns an `nn.Module`, or a `Model`. Such a network
takes the images as the student does, unless it has one of these attributes: `mean` and `std`, one
number per channel of images scaled to 0..1; `labels`, in the order of its outputs; `image_size`,
the side of the square images that it takes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from types import FunctionType
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from neptune_nas.data.images import ImageData
from neptune_nas.devices.memory import is_out_of_memory
from neptune_nas.errors import OptionError, OwnCodeError, failure_text, first_line
from neptune_nas.files.rules import FINITE, Number, Size, above
from neptune_nas.files.schema import check_value, cut, located
from neptune_nas.models.fit import is_shape, shape_text
from neptune_nas.models.model import Model, load_model
from neptune_nas.nn.builder import seeded
from neptune_nas.space.locate import find_named, place_of, source_of
from neptune_nas.tasks.registry import task_of
from neptune_nas.text import counted

_DIGITS = 16  # of a digest, in hexadecimal
_HINTS: tuple[tuple[str, Any], ...] = (
    ("labels", tuple[str, ...] | None),
    ("mean", tuple[Number, ...] | None),
    ("std", tuple[Annotated[float, above(0), FINITE], ...] | None),
    ("image_size", Size | None),
)


@dataclass(frozen=True, eq=False)
class Teacher:
    """A trained network and what it expects of images; None stands for what the data has.

    `place`: its file or function, as the user named it. `labels`, `mean`, `std`: as in `Model`.
    `size`: height and width of its images. `task`: the name of its task.
    """

    place: str
    network: nn.Module
    labels: tuple[str, ...] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    size: tuple[int, int] | None = None
    task: str | None = None

    @cached_property
    def digest(self) -> str:
        """Hexadecimal digits that change with its layers, its weights, and what it expects."""
        layers = [(name, type(each).__name__) for name, each in self.network.named_modules()]
        what = (layers, self.labels, self.mean, self.std, self.size)
        found = sha256(repr(what).encode())
        for name, value in sorted(self.network.state_dict().items()):
            found.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            found.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
        return found.hexdigest()[:_DIGITS]


def is_code(place: str) -> bool:
    """Return whether a teacher's place names a user's function rather than a model's file."""
    return place_of(place)[1] != ""


def load_teacher(place: str, allow: Iterable[type] = ()) -> Teacher:
    """Return the teacher in a model's file, or the one that a user's function returns.

    `allow`: the user's record classes that the architecture in a file may name. Raises
    `FileFormatError` as `load_model` does, `SpaceError` where the code is missing or cannot be
    imported, and `OwnCodeError` where it fails or returns something else.
    """
    where, name = place_of(place)
    if name:
        with seeded(0):  # so that a resumed run draws the same weights
            return _teacher_of(place, _returned_by(place))
    if where.endswith(".py"):
        raise OptionError(
            f"teacher '{place}' must name a function in that file that returns an `nn.Module`: "
            f"write {place}:FUNCTION."
        )
    return _from_model(place, load_model(Path(place), allow))


def _returned_by(place: str) -> object:
    """Return what the user's function at a place returns."""
    subject, name = f"teacher '{place}'", place_of(place)[1]
    rule = "must be a function that returns an `nn.Module`"
    function = find_named(place, subject, rule, FunctionType)
    if isinstance(function, nn.Module | Model):
        return function
    if not callable(function):
        raise OptionError(f"{subject} {rule}, but `{name}` is {cut(function)}.")
    try:
        return function()
    except (Exception, SystemExit) as error:  # the user's code may raise anything
        why = failure_text(error, source_of(place), named=True)
        raise OwnCodeError(f"{subject}: `{name}()` failed{why}") from error


def _teacher_of(place: str, found: object) -> Teacher:
    """Return the teacher that a user's code made."""
    if isinstance(found, Model):
        return _from_model(place, found)
    if not isinstance(found, nn.Module):
        raise OwnCodeError(
            f"teacher '{place}' must return an `nn.Module`, but returned {cut(found)}."
        )
    values: dict[str, Any] = {}
    for name, hint in _HINTS:
        value = getattr(found, name, None)
        value = value.flatten().tolist() if isinstance(value, Tensor) else value
        values[name] = tuple(value) if isinstance(value, list) else value
        with located(f"teacher '{place}'", OwnCodeError):
            check_value(values[name], hint, name, OwnCodeError)
    side = values.pop("image_size")
    return Teacher(place, found, **values, size=None if side is None else (side, side))


def _from_model(place: str, model: Model) -> Teacher:
    size = (model.input_shape[1], model.input_shape[2])
    labels, mean, std = model.labels, model.mean, model.std
    return Teacher(place, model.network(), labels, mean, std, size, model.task)


class FittedTeacher(nn.Module):
    """A teacher fitted to a data set: it takes its images and returns outputs for its classes.

    `mean`, `std`: how to normalise images for it. Images are resized to the size that the teacher
    expects. Raises `OptionError` for a teacher with another task, other classes or other channels.
    A call raises `OwnCodeError` where the teacher fails or returns anything but the task's outputs.
    """

    def __init__(self, teacher: Teacher, data: ImageData) -> None:
        super().__init__()
        self.place, self.network = teacher.place, teacher.network
        task, (channels, *sides) = task_of(data), data.input_shape
        if teacher.task not in (None, data.task):
            raise OptionError(
                f"teacher '{self.place}' is a network for {teacher.task}, but data '{data.name}' "
                f"is for {data.task}: choose a teacher for {data.task}."
            )
        self.sides = tuple(sides)
        self.task, self.shape = task, task.output_shape(task.outputs(data), *sides)
        self.order = _order(self.place, teacher.labels, data)
        self.size = None if teacher.size in (None, tuple(sides)) else teacher.size
        self.mean, self.std = teacher.mean or data.mean, teacher.std or data.std
        if self.size is not None and None in self.shape:
            raise OptionError(
                f"teacher '{self.place}' takes images of {self.size[1]}x{self.size[0]} pixels, but "
                f"for {task.name} it must take those of data '{data.name}' as they are, "
                f"{sides[1]}x{sides[0]}: choose another teacher."
            )
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != channels:
                raise OptionError(
                    f"teacher '{self.place}' takes images of {counted(len(values), 'channel')} "
                    f"(`{name}`), but data '{data.name}' has {channels}: choose another teacher."
                )

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images `(N, C, H, W)` to float32 outputs, one row an image."""
        if self.size is not None:
            images = F.interpolate(images, self.size, mode="bilinear", antialias=True)
        found, wanted = self._answer(images), (len(images), *self.shape)
        if self.size is not None and isinstance(found, Tensor) and found.ndim == len(wanted) == 4:
            found = F.interpolate(found, self.sides, mode="bilinear")
        if not is_shape(found, wanted) or found.is_complex():
            got = tuple(found.shape) if isinstance(found, Tensor) else cut(found)
            raise OwnCodeError(
                f"teacher '{self.place}' must return a tensor {shape_text(self.shape)} for N "
                f"images of {self.task.name}, but returned {got}."
            )
        if not bool(found.isfinite().all()):
            raise OwnCodeError(
                f"teacher '{self.place}' returned NaN or infinity for an image: train it again, or "
                f"choose another."
            )
        return found.float() if self.order is None else self.task.ordered(found.float(), self.order)

    def _answer(self, images: Tensor) -> object:
        try:
            return self.network(images)
        except Exception as error:  # the user's code may raise anything
            if is_out_of_memory(error):
                raise
            shape = "x".join(map(str, images.shape[1:]))
            raise OwnCodeError(
                f"teacher '{self.place}' failed on images of {shape} ({first_line(error)}): give "
                f"the network the attribute `image_size`, or choose another teacher."
            ) from error


def _order(place: str, labels: Sequence[str] | None, data: ImageData) -> list[int] | None:
    """Return the teacher's output for each class of the data; None if the orders agree."""
    if labels is None or tuple(labels) == data.classes:
        return None
    if sorted(labels) != sorted(data.classes) or len({*labels}) < len(labels):
        more, less = sorted({*labels} - {*data.classes}), sorted({*data.classes} - {*labels})
        told = [f"only the teacher has {cut(more[0])}"] if more else []
        told += [f"only the data has {cut(less[0])}"] if less else []
        raise OptionError(
            f"teacher '{place}' must have the {len(data.classes)} classes of data '{data.name}', "
            f"but has {len(labels)}{': ' if told else ''}{', '.join(told)}."
        )
    return [list(labels).index(label) for label in data.classes]
