"""A study's folder: what lies where, who may write to it, and `study.toml` in and out."""

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_origin, get_type_hints

import tomli_w
from filelock import FileLock, Timeout

from neptune_nas.codec import conforms
from neptune_nas.errors import FileFormatError, NeptuneError, StudyError
from neptune_nas.files import read_file, write_file
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
    def baselines(self) -> Path:
        """The folder of other samplers' studies of the same question."""
        return self.path / "baselines"

    @property
    def exists(self) -> bool:
        """Whether a study has begun here."""
        return self.settings.is_file()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other searches out of this study while inside.

        Raises `StudyError` if one is at work already; the lock of a killed search is gone with it.
        """
        lock = FileLock(self.path / "study.lock")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout as error:
            raise StudyError(
                f"study {self.path} is being searched by another process: wait for it, or give "
                f"this search another --study-name."
            ) from error
        except OSError as error:
            raise StudyError(
                f"study folder {self.path} cannot be written ({error.strerror}): choose another "
                f"with --out."
            ) from error
        try:
            yield
        finally:
            lock.release()


def open_folder(path: Path) -> Folder:
    """The folder of the study at `path`; raises `StudyError` where there is none."""
    folder = Folder(path)
    if not folder.exists:
        raise StudyError(
            f"{path} is no study: it has no study.toml; `neptune-nas search` begins one."
        )
    return folder


def write_settings(folder: Folder, settings: Settings) -> None:
    """Write `study.toml`."""
    content = {"version": VERSION, **asdict(settings)}
    write_file(folder.settings, tomli_w.dumps(_plain(content)))


def read_settings(file: Path) -> Settings:
    """Read a `study.toml`; raises `FileFormatError` naming the field that is wrong."""
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
    return record_from(Settings, content, str(file))


def record_from(cls: type[R], content: Mapping[str, Any], where: str) -> R:
    """A record from TOML or JSON, every field of it checked against its type.

    Raises `FileFormatError` for a field that is unknown, missing or of another type.
    """
    hints = get_type_hints(cls)
    values: dict[str, Any] = {}
    names = {field.name for field in fields(cls)}  # type: ignore[arg-type]  # only records are passed
    for name, value in content.items():
        if name not in names:
            raise FileFormatError(f"{where}: `{name}` is unknown: remove it.")
        values[name] = _field_from(hints[name], value, f"{where}: `{name}`")
    try:
        return cls(**values)
    except TypeError as error:
        raise FileFormatError(f"{where}: {str(error).partition('() ')[2]}.") from error
    except NeptuneError as error:
        raise FileFormatError(f"{where}: {error}") from error


def _field_from(hint: Any, value: Any, where: str) -> Any:
    if is_dataclass(hint) and isinstance(hint, type) and isinstance(value, dict):
        return record_from(hint, value, where)
    if get_origin(hint) is tuple and isinstance(value, list):
        value = tuple(value)
    if get_origin(hint) is not dict and not conforms(value, hint):
        raise FileFormatError(f"{where} must be {hint}, but got {value!r}.")
    return value


def _plain(value: Any) -> Any:
    """What TOML can hold: no tuples, no None."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items() if item is not None}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value
