"""The folder of a training: its files, its lock, and the check of its terms."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from neptune_nas.errors import StudyError
from neptune_nas.files.atomic import check_inside
from neptune_nas.files.locks import locked
from neptune_nas.retrain.terms import Terms, refuse_others
from neptune_nas.study.folder import read_toml, write_toml


@dataclass(frozen=True, slots=True)
class SeedFolder:
    """The folder of one seed."""

    path: Path

    @property
    def checkpoint(self) -> Path:
        """The state between two epochs, present while the run lasts."""
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
    def evaluation(self) -> Path:
        """The page of the model's evaluation on the test split."""
        return self.path / "evaluation.html"

    @property
    def evaluation_numbers(self) -> Path:
        """The same evaluation as JSON."""
        return self.path / "evaluation.json"

    @property
    def is_trained(self) -> bool:
        """True if the run is over and all its files are written."""
        return self.model.is_file() and not self.checkpoint.exists()

    def drop_checkpoint(self) -> None:
        """Remove the checkpoint, and any partial one left by a killed process."""
        for file in (*self.path.glob(f".{self.checkpoint.name}.*"), self.checkpoint):
            file.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class TrainFolder:
    """The folder of one network's training."""

    path: Path

    @property
    def terms(self) -> Path:
        """The terms of the training."""
        return self.path / "train.toml"

    @property
    def metrics(self) -> Path:
        """The final measurements."""
        return self.path / "metrics.json"

    @property
    def curves(self) -> Path:
        """The page with the learning curves."""
        return self.path / "curves.html"

    @property
    def teacher(self) -> Path:
        """The folder of the teacher's outputs, if there is a teacher."""
        return self.path / "teacher"

    @property
    def has_begun(self) -> bool:
        """True if any seed has files here."""
        return any(self.path.glob("seed-*/*"))

    def seed(self, seed: int) -> SeedFolder:
        """Return the folder of a seed."""
        return SeedFolder(self.path / f"seed-{seed}")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock this folder against other commands while inside."""
        busy = (
            f"another process is training in {self.path}: wait for it, or choose another "
            f"folder as `out` (--out)."
        )
        check_inside(self.path, (self.teacher, *self.path.glob("seed-*")))
        with locked(self.path / "train.lock", busy):
            yield


def write_terms(folder: TrainFolder, terms: Terms) -> None:
    """Write the terms into a new folder; raises `StudyError` if they differ from its old ones."""
    if folder.terms.exists():
        refuse_others(f"{folder.path} was started", read_toml(folder.terms, Terms), terms)
        return
    if folder.metrics.exists() or any(folder.path.glob("seed-*")):
        raise StudyError(
            f"{folder.path} has seeds, but no {folder.terms.name} that says how they were trained: "
            f"put it back, or choose another folder as `out` (--out)."
        )
    write_toml(folder.terms, terms)
