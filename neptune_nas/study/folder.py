"""A study's folder: what lies where, who may write to it, and `study.toml` in and out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import tomli_w

from neptune_nas.errors import StudyError
from neptune_nas.files.atomic import read_file, write_file
from neptune_nas.files.kinds import no_study
from neptune_nas.files.locks import is_locked, locked
from neptune_nas.files.schema import decode, encode, located, parse_toml, versioned
from neptune_nas.study.settings import Settings

R = TypeVar("R")

VERSION = 1


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of one study."""

    path: Path

    @property
    def settings(self) -> Path:
        """Everything that was asked, and of what."""
        return self.path / "study.toml"

    @property
    def database(self) -> Path:
        """Optuna's SQLite database."""
        return self.path / "study.db"

    @property
    def audit(self) -> Path:
        """What an audit measured, if there was one."""
        return self.path / "audit.json"

    @property
    def confirmations(self) -> Path:
        """The scores of the best trials with further seeds, if they were confirmed."""
        return self.path / "confirmations.json"

    @property
    def references(self) -> Path:
        """The scores of hand-designed networks, if any were trained."""
        return self.path / "references.json"

    @property
    def baselines(self) -> Path:
        """The folder of other samplers' studies of the same question."""
        return self.path / "baselines"

    @property
    def shared(self) -> Path:
        """The folder of what an evaluator makes once for all workers."""
        return self.path / "shared"

    @property
    def lock(self) -> Path:
        """Held by the process that searches, or measures more."""
        return self.path / "study.lock"

    @property
    def confirm_lock(self) -> Path:
        """Held too by the process that confirms the best trials."""
        return self.path / "confirm.lock"

    @property
    def is_confirmed_now(self) -> bool | None:
        """Whether a process confirms the best trials now; None where it cannot be known."""
        return is_locked(self.confirm_lock)

    @property
    def is_in_use(self) -> bool | None:
        """Whether a process searches here now, or measures more; None where it cannot be known."""
        return is_locked(self.lock)

    @property
    def exists(self) -> bool:
        """Whether a study has begun here."""
        return self.settings.is_file()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other searches, and what measures for it, out of this study while inside.

        Raises `StudyError` if one is at work already; the lock of a killed search is gone with it.
        """
        with locked(self.lock, self._busy):
            yield

    @contextmanager
    def locked_to_confirm(self) -> Iterator[None]:
        """The same, with a second lock that tells others what is done inside."""
        with self.locked(), locked(self.confirm_lock, self._busy):
            yield

    @property
    def _busy(self) -> str:
        return (
            f"study {self.path} is being searched by another process, or measured for: wait "
            f"for it, or search under another name meanwhile."
        )


def open_folder(path: Path) -> Folder:
    """The folder of the study at `path`; raises `StudyError` where there is none."""
    folder = Folder(path)
    if not folder.exists:
        raise StudyError(no_study(path))
    return folder


def write_settings(folder: Folder, settings: Settings) -> None:
    """Write `study.toml`."""
    write_toml(folder.settings, settings)


def read_settings(file: Path) -> Settings:
    """Read a `study.toml`; raises `FileFormatError` naming the field that is wrong."""
    return read_toml(file, Settings)


def write_toml(file: Path, record: Any) -> None:
    """Write a record as TOML, with the version of its form."""
    write_file(file, tomli_w.dumps(_without_none({"version": VERSION, **encode(record)})))


def read_toml(file: Path, cls: type[R]) -> R:
    """Return the record that `write_toml` wrote; raises `FileFormatError` naming what is wrong."""
    with located(file):
        return decode(cls, versioned(parse_toml(read_file(file)), VERSION))


def _without_none(value: Any) -> Any:
    """Return what TOML can hold, which has no None."""
    if isinstance(value, dict):
        return {name: _without_none(item) for name, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list) else value
