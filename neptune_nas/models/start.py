"""A trained model that networks start from: its file, its digest, and what they inherit."""

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
    """The error that no weight of a trained model fits a network."""


@dataclass(frozen=True, slots=True)
class Start:
    """A trained model to start networks from, known by its digest wherever its file is.

    `digest`: the SHA-256 of the file. `allow`: the record classes that its architecture may name.
    """

    digest: str
    file: Path = field(compare=False)
    allow: tuple[type, ...] = field(default=(), compare=False)

    @property
    def model(self) -> Model:
        """The model, which is read once per process.

        Raises `StudyError` where the file is missing or has changed.
        """
        return _load(self)

    def begin(self, network: nn.Module, classes: tuple[str, ...]) -> float:
        """Copy the weights that fit into a fresh network; return their share of its parameters.

        The last layer belongs to the classes, and stays fresh where the model has other classes.
        Raises `NothingFitsError` where nothing fits.
        """
        share = inherit(network, self.model.network(), classifier=self.model.labels == classes)
        if not share:
            raise NothingFitsError(
                f"`start` (--first): no weight of {self.file} ({self.model.key}) fits this "
                f"network, so there is nothing to inherit: choose a model of the same kind, or "
                f"leave it out."
            )
        return share

    def copied(self, folder: Path) -> "Start":
        """Return the same start with its copy in `folder`, which is made unless it is there."""
        copy = replace(self, file=copy_in(folder))
        if not is_file(copy.file) or _sha256(_content(copy.file)) != self.digest:
            write_file(copy.file, self.checked(_content(self.file)))
        return copy

    def checked(self, content: bytes) -> bytes:
        """Return the content of the file; refuse content with another digest."""
        if _sha256(content) != self.digest:
            raise StudyError(
                f"{self.file} is not the model that networks started from: restore the file whose "
                f"SHA-256 is {self.digest}."
            )
        return content

    def __str__(self) -> str:
        return f"{self.file} (sha256 {self.digest[:SHOWN]})"

    def of(self, task: Task) -> "Start":
        """Return this start, once its model has been read and checked for a task.

        Raises `OptionError` for a model of another task, or one that was not trained.
        """
        if not self.model.is_trained:
            raise OptionError(
                f"`start` (--first): {self.file} has fresh weights: choose a trained model."
            )
        if self.model.task != task.name:
            raise OptionError(
                f"`start` (--first): {self.file} is a model of {self.model.task}, but the data are "
                f"for {task.name}: choose a model of {task.name}, or leave it out."
            )
        return self


def start_at(file: Start | str | Path | None, allow: Iterable[type] = ()) -> Start | None:
    """Return the start from the model in a file; the model is read when it is first used.

    A start is returned unchanged, and None where there is no file. `allow`: as `load_model` takes
    it. Raises `FileFormatError` for a file that is missing or of another kind.
    """
    if file is None or isinstance(file, Start):
        return file
    return Start(_sha256(_content(Path(file))), Path(file), tuple(allow))


def copy_in(folder: Path) -> Path:
    """Return the path of a study's copy of the model, in the folder that its workers share."""
    return folder / "first.safetensors"


@lru_cache(maxsize=1)
def _load(start: Start) -> Model:
    model = load_model(start.file, start.allow)
    start.checked(_content(start.file))
    return model


def _content(file: Path) -> bytes:
    refuse_architecture(file)  # also a folder, with a better message than reading it gives
    with open_regular(file) as content:
        return content.read()


def _sha256(content: bytes) -> str:
    return sha256(content).hexdigest()
