"""A training's folder: what lies where, who may write to it, and the terms that it keeps to."""

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from neptune_nas.errors import FileFormatError, StudyError
from neptune_nas.files import read_file, write_file
from neptune_nas.full_training.metrics import Terms
from neptune_nas.lock import locked
from neptune_nas.study.folder import read_toml, write_toml
from neptune_nas.training.choice import choices
from neptune_nas.training.state import Epoch

AUTO = ("crop", "flip")  # of a recipe: "auto" in files of older versions stands for what it did
COLUMNS = ("epoch", *(field.name for field in fields(Epoch)[1:]))  # of `history.csv`


@dataclass(frozen=True, slots=True)
class SeedFolder:
    """The folder of one seed."""

    path: Path

    @property
    def checkpoint(self) -> Path:
        """The run between two epochs, for as long as it lasts."""
        return self.path / "checkpoint.pt"

    @property
    def model(self) -> Path:
        """The best weights, once the run is over."""
        return self.path / "model.safetensors"

    @property
    def history(self) -> Path:
        """One row an epoch."""
        return self.path / "history.csv"

    @property
    def is_trained(self) -> bool:
        """Whether the run is over and everything of it written."""
        return self.model.is_file() and not self.checkpoint.exists()

    def drop_checkpoint(self) -> None:
        """Remove the checkpoint, and what a killed process left of another."""
        for file in (*self.path.glob(f".{self.checkpoint.name}.*"), self.checkpoint):
            file.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class TrainFolder:
    """The folder of one network's training."""

    path: Path

    @property
    def terms(self) -> Path:
        """What was asked."""
        return self.path / "train.toml"

    @property
    def metrics(self) -> Path:
        """What was measured in the end."""
        return self.path / "metrics.json"

    @property
    def curves(self) -> Path:
        """The page with the learning curves."""
        return self.path / "curves.html"

    def seed(self, seed: int) -> SeedFolder:
        """The folder of a seed."""
        return SeedFolder(self.path / f"seed-{seed}")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other commands out of this folder while inside."""
        busy = (
            f"{self.path} is being trained in by another process: wait for it, or choose another "
            f"folder with --out."
        )
        with locked(self.path / "train.lock", busy):
            yield


def settle(folder: TrainFolder, terms: Terms) -> None:
    """Write the terms into a new folder; raises `StudyError` for others than it began with."""
    if folder.terms.exists():
        refuse_others(f"{folder.path} was begun", read_toml(folder.terms, Terms), terms)
        return
    if folder.metrics.exists() or any(folder.path.glob("seed-*")):
        raise StudyError(
            f"{folder.path} has seeds, but no {folder.terms.name} that says how they were trained: "
            f"put it back, or choose another folder with --out."
        )
    write_toml(folder.terms, terms)


def refuse_others(what_was: str, old: Terms, new: Terms) -> None:
    """Refuse terms that differ, naming the first difference.

    `what_was`: the beginning of the sentence, such as "trained/x was begun".
    """
    for what, now, then in differences(old, new):
        raise StudyError(
            f"{what_was} with {what} {then}, but now it is {now}: choose another folder with "
            f"--out, or ask for what was asked then."
        )


def differences(old: Terms, new: Terms) -> Iterator[tuple[str, object, object]]:
    """In what the terms asked differ from those of the folder: what, now, then.

    Data of another name that are the same images are the same.
    """
    if new.network != old.network:
        yield "network", new.network, old.network
    if new.data_fingerprint != old.data_fingerprint:
        yield (
            "data",
            f"{new.data} ({new.data_fingerprint})",
            f"{old.data} ({old.data_fingerprint})",
        )
    if new.classes != old.classes and new.classes and old.classes:
        yield "classes", ", ".join(new.classes), ", ".join(old.classes)
    if new.epochs != old.epochs:
        yield "epochs", new.epochs, old.epochs
    for name in dict.fromkeys([*old.recipe, *new.recipe]):
        now, then = new.recipe.get(name), old.recipe.get(name)
        if now != then and not (name in AUTO and "auto" in (now, then)):
            yield f"the recipe's {name}", now, then


def write_history(file: Path, history: Sequence[Epoch]) -> None:
    """Write one row an epoch; empty where nothing was measured."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows(map(astuple, history))
    write_file(file, text.getvalue())


def read_history(file: Path) -> tuple[Epoch, ...]:
    """What `write_history` wrote; raises `FileFormatError` for a file that it did not."""
    try:
        head, *rows = csv.reader(io.StringIO(read_file(file)))
        if tuple(head) != COLUMNS:
            raise ValueError(f"its columns must be {', '.join(COLUMNS)}")
        history = tuple(epoch_of(*row) for row in rows)
        if not any(choice for epoch in history for choice in choices(epoch)):
            raise ValueError("none of its epochs was measured")
        return history
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"{file} is no history of a training: {error}.") from error


def epoch_of(number: str, loss: str, lr: str, seconds: str, *measured: str) -> Epoch:
    """The epoch in a row."""
    found = (float(text) if text else None for text in measured)
    return Epoch(int(number), float(loss), float(lr), float(seconds), *found)
