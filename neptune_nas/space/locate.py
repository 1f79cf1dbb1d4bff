"""Lookup of spaces: by name, in a file, or as `package.module:SPACE`."""

import hashlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from neptune_nas.architecture.fields import module_in_json, module_of_file
from neptune_nas.errors import SpaceError, failure_text, one_of
from neptune_nas.space.space import Space

_PACKAGE = Path(__file__).parents[1]


def _spaces_folder() -> Path:
    """Return the folder of the shipped spaces: in an installed package, beside it in a checkout."""
    inside = _PACKAGE / "search_spaces"
    return inside if inside.is_dir() else _PACKAGE.parent / "search_spaces"


def list_spaces() -> tuple[str, ...]:
    """Return the names of the shipped spaces."""
    names = (file.stem.replace("_", "-") for file in _spaces_folder().glob("[!_]*.py"))
    return tuple(sorted(names))


def find_space(where: str) -> Space[Any]:
    """Return the space that `where` names: `default`, `./my_space.py` or `package.module:SPACE`.

    Raises `SpaceError` in one sentence, whatever is wrong with the name or the code behind it.
    """
    module = find_module(where)
    name = where.rpartition(":")[2] if _is_import_path(where) else "SPACE"
    space = getattr(module, name, None)
    if not isinstance(space, Space):
        got = "is missing" if space is None else f"is of type {type(space).__name__}"
        raise SpaceError(
            f"space '{where}': it must define `{name} = Space(...)`, but `{name}` {got}."
        )
    return space


def find_module(where: str) -> ModuleType:
    """Return the module that defines the space; a file is loaded under a private module name.

    No import finds that name. It depends on the location of the file alone, so that a worker that
    has called this too can unpickle what the file defines.
    """
    subject = f"space '{where}'"
    if where.endswith(".py"):
        return _load_file(Path(where), subject)
    if _is_import_path(where):
        return _import(where.rpartition(":")[0], subject)
    check_where(where)
    return _load_file(_spaces_folder() / f"{where.replace('-', '_')}.py", subject)


def find_modules(places: Iterable[str]) -> None:
    """Load the modules of several spaces, so that what they define can be unpickled."""
    for where in places:
        find_module(where)


def find_named(where: str, subject: str) -> Any:
    """Return the object at `FILE.py:NAME` or `package.module:NAME`, or None if there is none.

    `subject`: what messages begin with. Raises `SpaceError` as `find_space` does.
    """
    place, _, name = where.rpartition(":")
    is_file = place.endswith(".py")
    module = _load_file(Path(place), subject) if is_file else _import(place, subject)
    return getattr(module, name, None)


def file_of(cls: type) -> str | None:
    """Return the file that `find_module` loaded a class from; None for an importable class."""
    if module_in_json(cls.__module__) == cls.__module__:
        return None
    return sys.modules[cls.__module__].__file__


def check_where(where: str) -> None:
    """Refuse what names no shipped space, no file and no module, without running any code."""
    if not where.endswith(".py") and not _is_import_path(where) and where not in list_spaces():
        raise SpaceError(
            f"space '{where}' is unknown: {one_of(list_spaces(), where)} "
            f"A file (my_space.py) or package.module:SPACE works too."
        )


def is_there(where: str) -> bool:
    """Return whether the code that `where` names exists; running it may still fail."""
    if where.endswith(".py"):
        return Path(where).is_file()
    if not _is_import_path(where):
        return where in list_spaces()
    try:
        return importlib.util.find_spec(where.rpartition(":")[0]) is not None
    except ModuleNotFoundError:
        return False
    except Exception:  # the parent package is imported, and its code may fail
        return True


def records_of(module: ModuleType) -> Iterator[type]:
    """Yield the dataclasses that a module defines or imports, except the toolkit's own.

    They are the user's own records, which an architecture's JSON may name.
    """
    for value in vars(module).values():
        if isinstance(value, type) and is_dataclass(value) and not _is_ours(value):
            yield value


def _is_ours(cls: type) -> bool:
    return cls.__module__.partition(".")[0] == __name__.partition(".")[0]


def _is_import_path(where: str) -> bool:
    module, _, name = where.rpartition(":")
    return bool(module) and name.isidentifier() and all(p.isidentifier() for p in module.split("."))


def _import(name: str, subject: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise SpaceError(f"{subject}: {error}; is it installed or on PYTHONPATH?") from error
    except Exception as error:
        raise SpaceError(f"{subject}: importing it failed{failure_text(error)}") from error


def _load_file(path: Path, subject: str) -> ModuleType:
    path = path.resolve()
    if not path.is_file():
        raise SpaceError(f"{subject}: there is no file {path}.")
    name = _module_name(path)
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look their module up by name
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        told = failure_text(error, path)
        raise SpaceError(f"{subject}: running {path.name} failed{told}") from error
    return module


def _module_name(path: Path) -> str:
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    return module_of_file(re.sub(r"\W", "_", path.stem), digest)
