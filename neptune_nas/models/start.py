"""A trained model that networks start from: its file, by digest, and what they take from it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from torch import nn

from neptune_nas.errors import ArchitectureError, OptionError, StudyError
from neptune_nas.files.atomic import write_file
from neptune_nas.files.kinds import refuse_architecture
from neptune_nas.files.regular import is_file, open_regular
from neptune_nas.models.model import Model, load_model
from neptune_nas.nn.inheritance import inherit
from neptune_nas.tasks.task import Task

SHOWN = 12  # digits of a digest in messages


class NothingFitsError(ArchitectureError):
    """A trained model has no weight that fits a network."""


@dataclass(frozen=True, slots=True)
class Start:
    """A trained model to start networks from, the same wherever its file is.

    `digest`: the SHA-256 of the file. `allow`: the record classes that its architecture may name.
    """

    digest: str
    file: Path = field(compare=False)
    allow: tuple[type, ...] = field(default=(), compare=False)

    @property
    def model(self) -> Model:
        """The model, which is read once a process.

        Raises `StudyError` where the file is missing, or is not what it was.
        """
        return _load(self)

    def begin(self, network: nn.Module, classes: tuple[str, ...]) -> float:
        """Give a fresh network the weights that fit it, and return their share of its parameters.

        The last layer belongs to the classes, and stays fresh where the model has others. Raises
        `NothingFitsError` where nothing fits.
        """
        share = inherit(network, self.model.network(), classifier=self.model.labels == classes)
        if not share:
            raise NothingFitsError(
                f"`start` (--first): no weight of {self.file} ({self.model.key}) fits this "
                f"network, so there is nothing to inherit: take a model of its kind, or leave it "
                f"out."
            )
        return share

    def copied(self, folder: Path) -> "Start":
        """Return the same start from a copy in `folder`, which is made unless it is there."""
        copy = replace(self, file=copy_in(folder))
        if not is_file(copy.file) or _sha256(_content(copy.file)) != self.digest:
            write_file(copy.file, self.checked(_content(self.file)))
        return copy

    def checked(self, content: bytes) -> bytes:
        """Return the content of the file; refuse that of another."""
        if _sha256(content) != self.digest:
            raise StudyError(
                f"{self.file} is not the model that networks started from: put that back, whose "
                f"SHA-256 is {self.digest}."
            )
        return content

    def __str__(self) -> str:
        return f"{self.file} (sha256 {self.digest[:SHOWN]})"

    def of(self, task: Task) -> "Start":
        """Return this start for data of a task, once its model has been read.

        Raises `OptionError` for a model of another task, or one that was not trained.
        """
        if not self.model.is_trained:
            raise OptionError(
                f"`start` (--first): {self.file} has fresh weights: take a trained model."
            )
        if self.model.task != task.name:
            raise OptionError(
                f"`start` (--first): {self.file} is a model of {self.model.task}, but the data are "
                f"for {task.name}: leave it out, or take a model of that."
            )
        return self


def start_at(file: Start | str | Path | None, allow: Iterable[type] = ()) -> Start | None:
    """Return the start from the model in a file, which is read when it is used.

    A start is returned as it is, and None where there is no file. `allow`: as `load_model` takes
    it. Raises `FileFormatError` for a file that is missing or of another kind.
    """
    if file is None or isinstance(file, Start):
        return file
    return Start(_sha256(_content(Path(file))), Path(file), tuple(allow))


def copy_in(folder: Path) -> Path:
    """Return where a study keeps its copy of the model, in the folder of what workers share."""
    return folder / "first.safetensors"


@lru_cache(maxsize=1)
def _load(start: Start) -> Model:
    model = load_model(start.file, start.allow)
    start.checked(_content(start.file))
    return model


def _content(file: Path) -> bytes:
    refuse_architecture(file)  # or a folder, with a better message than that of reading it
    with open_regular(file) as content:
        return content.read()


def _sha256(content: bytes) -> str:
    return sha256(content).hexdigest()
