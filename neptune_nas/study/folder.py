"""A study's folder: what lies where, who may write to it, and `study.toml` in and out."""

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import tomli_w

from neptune_nas.errors import FileFormatError, NeptuneError, StudyError
from neptune_nas.files.atomic import read_file, write_file
from neptune_nas.files.kinds import no_study
from neptune_nas.files.locks import is_locked, locked
from neptune_nas.files.type_hints import fits, in_words
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
    write_file(file, tomli_w.dumps(_plain({"version": VERSION, **asdict(record)})))


def read_toml(file: Path, cls: type[R]) -> R:
    """The record that `write_toml` wrote; raises `FileFormatError` naming what is wrong."""
    try:
        content = tomllib.loads(read_file(file))
    except tomllib.TOMLDecodeError as error:
        raise FileFormatError(f"{file} is no TOML: {error}.") from error
    version = content.pop("version", None)
    if version != VERSION:
        raise FileFormatError(
            f"{file}: `version` must be {VERSION}, but got {version!r}: "
            f"it was written by another version of neptune-nas."
        )
    return record_from(cls, content, str(file))


def record_from(cls: type[R], content: Mapping[str, Any], where: str) -> R:
    """A record from TOML or JSON, every field of it checked against its type.

    Raises `FileFormatError` for a field that is unknown, missing or of another type.
    """
    hints = get_type_hints(cls)
    known = fields(cls)  # type: ignore[arg-type]  # only records are passed
    for name in content:
        if name not in {field.name for field in known}:
            raise FileFormatError(f"{where}: `{name}` is unknown: remove it.")
    needed = [field.name for field in known if {field.default, field.default_factory} == {MISSING}]
    missing = [f"`{name}`" for name in needed if name not in content]
    if missing:
        raise FileFormatError(f"{where} needs {', '.join(missing)}, but has none: put it there.")
    values = {
        name: _field_from(hints[name], value, f"{where}: `{name}`")
        for name, value in content.items()
    }
    try:
        return cls(**values)
    except NeptuneError as error:
        raise FileFormatError(f"{where}: {error}") from error


def _field_from(hint: Any, value: Any, where: str) -> Any:
    record = next(filter(is_dataclass, (hint, *get_args(hint))), None)  # it, or it and None
    if isinstance(record, type) and isinstance(value, dict):
        return record_from(record, value, where)
    if isinstance(record, type) and get_origin(hint) is tuple and isinstance(value, list):
        return tuple(_field_from(record, each, f"{where}.{i}") for i, each in enumerate(value))
    if isinstance(value, list):  # no record holds lists
        value = tuple(value)
    if not fits(value, hint):
        got = list(value) if isinstance(value, tuple) else value
        words = "a table" if record else in_words(hint)
        raise FileFormatError(f"{where} must be {words}, but got {got!r}.")
    return value


def _plain(value: Any) -> Any:
    """What TOML can hold: no tuples, no None."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items() if item is not None}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value
