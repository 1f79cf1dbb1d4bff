"""A teacher's outputs for the training images, computed once and kept for all workers.

Two files: `teacher.npy`, float16 `(views, N, classes, ...)`, which workers map into memory, and
`teacher.json`, which records the teacher, the images and the views, and how good the teacher is.
Outputs that do not match are computed again.
"""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from torch import Tensor, nn

from neptune_nas.data.images import ImageData
from neptune_nas.devices.device import autocast_for
from neptune_nas.errors import DataError, FileFormatError, NeptuneError
from neptune_nas.files.atomic import read_file, write_file, write_parts
from neptune_nas.files.documents import parse_json, versioned
from neptune_nas.files.regular import is_file, sha256_of
from neptune_nas.files.rules import Count, Number
from neptune_nas.files.schema import decode, encode, located
from neptune_nas.interrupts import raise_held
from neptune_nas.metrics.registry import metric
from neptune_nas.models.fit import is_shape
from neptune_nas.models.teacher import FittedTeacher, Teacher, is_code, load_teacher
from neptune_nas.tasks.augmentation import Augment, Normalizer
from neptune_nas.tasks.registry import task_of
from neptune_nas.text import counted, duration
from neptune_nas.training.measure import measure
from neptune_nas.training.state import to_device
from neptune_nas.training.teacher import Teaching, view_moves

VIEWS = 8
"""The number of views of each image that a teacher sees by default."""

_FORMAT, _VERSION = "neptune-nas/teacher", 1
_BATCH = 256
_MOST = float(np.finfo(np.float16).max)

Say = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Outputs:
    """The facts about kept outputs: the teacher, the images and the views.

    `teacher`: its digest; `place`: its file or function, as the user named it. `data`: the
    fingerprint of the images. `values`: the teacher's metrics on the validation split. `seconds`:
    how long computing them took. `content`: the digest of `teacher.npy`.
    """

    teacher: str
    place: str
    views: Count
    data: str
    augment: Augment
    values: dict[str, float]
    seconds: Number
    content: str

    def kept_in(self, folder: Path) -> "KeptOutputs":
        """Return the place of these outputs in a folder."""
        return KeptOutputs(_file(folder), self.views, self.content)


@dataclass(frozen=True, slots=True)
class KeptOutputs:
    """The place of kept outputs, for workers to open; `content`: the digest of the file."""

    file: Path
    views: int
    content: str


@dataclass(frozen=True)
class TeacherSource:
    """A teacher by its place; it is loaded when it is first needed.

    `place`: a model's file, or `FILE.py:FUNCTION` or `package.module:FUNCTION`. `views`: how many
    fixed views of the images it sees; with 0, it sees each image once, unchanged, while networks
    see new random views. `allow`: the user's record classes that the file may name.
    """

    place: str
    views: int = VIEWS
    allow: tuple[type, ...] = field(default=(), compare=False)

    @cached_property
    def teacher(self) -> Teacher:
        """The teacher."""
        return load_teacher(self.place, self.allow)

    def digest(self, folder: Path) -> str:
        """Return the teacher's digest; if its file is gone, the digest kept with its outputs."""
        if not is_code(self.place) and not is_file(Path(self.place)):
            kept = _read(folder)
            if kept is not None and kept.place == self.place:
                return kept.teacher
        return self.teacher.digest


def teacher_notes(
    source: TeacherSource,
    data: ImageData,
    folder: Path,
    device: str = "cpu",
    usual: float | None = None,
) -> tuple[str, ...]:
    """Return sentences on how good a teacher is on the validation split.

    They are taken from `folder` where it has them, and measured otherwise. `usual`: the network's
    main metric without a teacher, if it is known. Raises as `FittedTeacher` does.
    """
    kept = _read(folder)
    if kept is not None and kept.teacher == source.digest(folder) and kept.data == data.fingerprint:
        values: Mapping[str, float] = kept.values
    else:
        values = _measured(FittedTeacher(source.teacher, data), data, device)
    task = task_of(data)
    main, images = metric(task.metrics[0]), len(data.validation)
    value = values[main.name]
    low, high = task.interval(value, images)
    chance = task.chance(len(data.classes), data.validation.targets)[main.name]
    text = f"The teacher, {source.place}: {main.title} {main.text(value)} on validation"
    worst = main.turn * (low if main.better == "more" else high)
    if worst >= main.turn * chance:
        return (
            f"{text}, which is no better than guessing ({main.text(chance)}): a network learns "
            f"nothing from it, so choose another teacher, or train it first.",
        )
    if usual is not None and main.turn * value > main.turn * usual:
        return (
            f"{text}, but the network itself had {main.text(usual)} in its search: it may learn "
            f"more without this teacher.",
        )
    return (f"{text}.",)


def seconds_to_keep(source: TeacherSource, data: ImageData, folder: Path) -> float:
    """Return about how many seconds `keep_outputs` will take on the host; 0 if it has run."""
    kept = _read(folder)
    if kept is not None and kept.teacher == source.digest(folder):
        return 0.0
    part = replace(data, validation=data.train[torch.arange(min(_BATCH, len(data.train)))])
    teacher, started = FittedTeacher(source.teacher, data), perf_counter()
    _measured(teacher, part, "cpu")
    each = (perf_counter() - started) / len(part.validation)
    return each * max(source.views, 1) * len(data.train)


def kept_seconds(folder: Path) -> float:
    """Return how many seconds the outputs in a folder took to compute; 0 if there are none."""
    kept = _read(folder)
    return 0.0 if kept is None else kept.seconds


def keep_outputs(
    source: TeacherSource,
    data: ImageData,
    augment: Augment,
    folder: Path,
    device: str = "cpu",
    say: Say = str,
) -> Outputs:
    """Compute a teacher's outputs into `folder`, unless they are there; return their facts.

    Computing them takes `views` passes over the training images, so `say` is called with a sentence
    before and after; it is also called where the outputs are damaged.
    """
    digest, kept = source.digest(folder), _read(folder)
    wanted = (digest, source.views, data.fingerprint, augment)
    if kept is not None and (kept.teacher, kept.views, kept.data, kept.augment) == wanted:
        if (why := _damage(folder, kept, data)) is None:
            return kept
        say(f"{_file(folder)} is damaged ({why}): the teacher's outputs are computed again.")
    teacher = FittedTeacher(source.teacher, data)
    views = max(source.views, 1)
    images = f"{counted(len(data.train), 'image')}, {counted(views, 'view')} each"
    say(f"Computing the teacher's outputs: {images}.")
    started = perf_counter()
    values, digested = _measured(teacher, data, device), sha256()

    def parts() -> Iterator[bytes]:
        for part in _parts(teacher, data, augment, source.views, device):
            digested.update(part)
            yield part

    write_parts(_file(folder), parts())
    seconds = perf_counter() - started
    found = Outputs(
        teacher=digest,
        place=source.place,
        views=source.views,
        data=data.fingerprint,
        augment=augment,
        values=values,
        seconds=seconds,
        content=digested.hexdigest(),
    )
    content = {"format": _FORMAT, "version": _VERSION, **encode(found)}
    write_file(_facts(folder), json.dumps(content, indent=2) + "\n")
    say(f"That took {duration(seconds)}; the outputs are kept in {_file(folder)}.")
    return found


def _measured(teacher: FittedTeacher, data: ImageData, device: str) -> dict[str, float]:
    """Return the teacher's metrics on the validation split."""
    where = torch.device(device)
    _, feed = to_device(data, where)
    normalize, autocast = Normalizer(teacher, where), autocast_for("fp32", where)
    return measure(teacher.to(where), feed, task_of(data), normalize, autocast)


def _parts(
    teacher: FittedTeacher, data: ImageData, augment: Augment, views: int, device: str
) -> Iterator[bytes]:
    """Yield the bytes of `teacher.npy`: its header, then the outputs, batch by batch."""
    where, task = torch.device(device), task_of(data)
    feed, _ = to_device(data, where)
    normalize = Normalizer(teacher, where)
    network = teacher.to(where).eval()
    shape = max(views, 1), len(data.train), *_output_shape(network, normalize, data)
    header = io.BytesIO()
    described = {"descr": "<f2", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, described)
    yield header.getvalue()
    rows = torch.split(torch.arange(len(data.train)), _BATCH)
    for view in range(shape[0]):
        moves = view_moves(augment if views else Augment(), data.train.images, view)
        with torch.inference_mode(), feed.batches(rows) as found:
            for each, batch in zip(rows, found, strict=True):
                raise_held()
                images, _ = task.views(batch, moves[each], normalize)
                outputs = network(images).clamp(-_MOST, _MOST).half().cpu()
                yield outputs.numpy().astype("<f2").tobytes()


def _shape(views: int, data: ImageData) -> tuple[int | None, ...]:
    """Return the shape of kept outputs; None where only the teacher knows a size."""
    task, sides = task_of(data), data.input_shape[1:]
    return max(views, 1), len(data.train), *task.output_shape(task.outputs(data), *sides)


def _output_shape(network: nn.Module, normalize: Normalizer, data: ImageData) -> tuple[int, ...]:
    """Return the shape of a teacher's outputs for one image."""
    first = data.train.images[:1].to(normalize.mean.device)
    with torch.inference_mode():
        return tuple(network(normalize(first)).shape[1:])


def _damage(folder: Path, kept: Outputs, data: ImageData) -> str | None:
    """Return what is wrong with the kept outputs, or None."""
    try:
        if sha256_of(_file(folder)) != kept.content:
            return "its bytes have changed"
        outputs = _map(_file(folder))
    except NeptuneError as error:
        return str(error).rstrip(".")
    if is_shape(outputs, _shape(kept.views, data)):
        return None
    return f"its shape is {tuple(outputs.shape)}"


def _map(file: Path) -> Tensor:
    """Return the outputs in a file, mapped into memory; raises `DataError` if it cannot be."""
    try:
        # Copy-on-write: torch wants a writable array, and the file must not change.
        return torch.from_numpy(np.load(file, mmap_mode="c", allow_pickle=False))
    except (OSError, EOFError, ValueError, TypeError) as error:
        raise DataError(
            f"the teacher's outputs in {file} cannot be read ({error}): continue the search or "
            f"training, which computes them again."
        ) from error


@lru_cache(maxsize=1)
def open_teaching(kept: KeptOutputs) -> Teaching:
    """Return kept outputs, mapped once per process; raises `DataError` if they are not there."""
    return Teaching(_map(kept.file), kept.views)


def _read(folder: Path) -> Outputs | None:
    """Return the facts about kept outputs; None where there are no outputs or no facts."""
    try:
        with located(_facts(folder)):
            content = versioned(parse_json(read_file(_facts(folder))), _VERSION, _FORMAT)
            return decode(Outputs, content)
    except FileFormatError:
        return None


def _file(folder: Path) -> Path:
    return folder / "teacher.npy"


def _facts(folder: Path) -> Path:
    return folder / "teacher.json"
