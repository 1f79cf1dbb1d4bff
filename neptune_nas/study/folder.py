"""The folder of a study: its files, its locks, and reading and writing of `study.toml`."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import tomli_w

from neptune_nas.errors import FileFormatError, OptionError, StudyError
from neptune_nas.files.atomic import check_inside, folder_name, read_file, write_file
from neptune_nas.files.documents import parse_toml, versioned
from neptune_nas.files.kinds import no_study
from neptune_nas.files.locks import is_locked, locked
from neptune_nas.files.regular import is_file
from neptune_nas.files.schema import decode, encode, located
from neptune_nas.study.settings import Settings
from neptune_nas.text import visible

R = TypeVar("R")

_VERSION = 1
_SURROGATE = re.compile("[\ud800-\udfff]")  # how Python decodes a name that is not UTF-8


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of one study."""

    path: Path

    @property
    def settings(self) -> Path:
        """The file with the question and the facts of the study."""
        return self.path / "study.toml"

    @property
    def database(self) -> Path:
        """Optuna's SQLite database."""
        return self.path / "study.db"

    @property
    def audit(self) -> Path:
        """The measurements of an audit, if there was one."""
        return self.path / "audit.json"

    @property
    def confirmations(self) -> Path:
        """Further scores of the best trials, if they were confirmed."""
        return self.path / "confirmations.json"

    @property
    def latencies(self) -> Path:
        """The measured latencies that others are predicted from, and those of the picks."""
        return self.path / "latencies.csv"

    @property
    def references(self) -> Path:
        """Scores of reference networks, if any were trained."""
        return self.path / "references.json"

    @property
    def exports(self) -> Path:
        """The measurements of files that its trials were exported to, if any were."""
        return self.path / "exports.json"

    @property
    def exports_lock(self) -> Path:
        """The lock of the process that adds an exported file."""
        return self.path / "exports.lock"

    @property
    def baselines(self) -> Path:
        """The folder of the studies of other samplers on the same question."""
        return self.path / "baselines"

    @property
    def source(self) -> Path:
        """A copy of the file that defines the space, to read and never to run."""
        return self.path / "space.py.txt"

    @property
    def shared(self) -> Path:
        """The folder of files that an evaluator makes once for all workers."""
        return self.path / "shared"

    @property
    def lock(self) -> Path:
        """The lock of the process that searches or makes other measurements."""
        return self.path / "study.lock"

    @property
    def id(self) -> Path:
        """The file with the id by which a lease in the study's database knows the folder."""
        return self.path / "folder.id"

    @property
    def confirm_lock(self) -> Path:
        """The further lock of the process that confirms the best trials."""
        return self.path / "confirm.lock"

    @property
    def is_confirmed_now(self) -> bool | None:
        """True if a process confirms the best trials now; None where it cannot be known."""
        return is_locked(self.confirm_lock)

    @property
    def is_in_use(self) -> bool | None:
        """True if a process searches or measures here now; None where it cannot be known."""
        return is_locked(self.lock)

    @property
    def exists(self) -> bool:
        """True if a study has begun here."""
        return is_file(self.settings)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the study inside the context, against other searches and measurements.

        Raises `StudyError` if it is locked already, and `NeptuneError` for a subfolder that leads
        elsewhere. The lock of a killed process is released.
        """
        check_inside(self.path, (self.shared, self.baselines))
        with locked(self.lock, self._busy):
            yield

    @contextmanager
    def locked_to_confirm(self) -> Iterator[None]:
        """Lock the study inside the context, and mark that it is being confirmed."""
        with self.locked(), locked(self.confirm_lock, self._busy):
            yield

    @property
    def _busy(self) -> str:
        return (
            f"another process is searching or measuring study {self.path}: wait for it, or "
            f"search under another name."
        )


def check_name_of_folder(name: str) -> None:
    """Refuse a study's name that cannot be the name of a folder unchanged."""
    if (plain := folder_name(name)) != name:
        raise OptionError(
            f"`name` (--study-name) must be the name of a folder in `out` (--out), of letters, "
            f"digits and any of _.<>()+- but got '{name}': write '{plain}'."
        )


def open_folder(path: Path) -> Folder:
    """Return the folder of the study at `path`; raises `StudyError` where there is none."""
    folder = Folder(path)
    if not folder.exists:
        raise StudyError(no_study(path))
    return folder


def write_settings(folder: Folder, settings: Settings) -> None:
    """Write `study.toml`."""
    write_toml(folder.settings, settings)


def read_settings(file: Path) -> Settings:
    """Return the content of a `study.toml`; raises `FileFormatError` that names a wrong field."""
    return read_toml(file, Settings)


def write_toml(file: Path, record: Any) -> None:
    """Write a record as TOML, with the version of the format."""
    write_file(file, toml_text(file, record))


def toml_text(file: Path, record: Any) -> str:
    """Return the content of a TOML file; raises `StudyError` for a text that is not Unicode."""
    text = tomli_w.dumps(_without_none({"version": _VERSION, **encode(record)}))
    if (broken := _SURROGATE.search(text)) is not None:
        got = visible(text[: broken.end()].splitlines()[-1])
        raise StudyError(
            f"{file.name} can hold only text in UTF-8, but got `{got}`: rename the file or folder."
        )
    return text


def read_toml(file: Path, cls: type[R]) -> R:
    """Return the record that `write_toml` wrote; raises `FileFormatError` that names the error."""
    text = read_file(file)
    with located(file):
        if not text.strip():
            raise FileFormatError(
                "it is empty, so the settings in it are missing: restore a copy of it, or delete "
                "it and repeat the search or training that wrote it."
            )
        return decode(cls, versioned(parse_toml(text), _VERSION))


def _without_none(value: Any) -> Any:
    """Return a value without its None items, which TOML cannot hold."""
    if isinstance(value, dict):
        return {name: _without_none(item) for name, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list) else value
