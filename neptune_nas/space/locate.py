"""Lookup of spaces: by name, in a file, or a user's own by file or module."""

import hashlib
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import is_dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from neptune_nas.architecture.fields import module_in_json, module_of_file
from neptune_nas.errors import OptionError, SpaceError, failure_text, one_of
from neptune_nas.interrupts import Terminated
from neptune_nas.space.space import Space

AUTO = "auto"  # the space that a search scales to its images and limits
_PACKAGE = Path(__file__).parents[1]


def _spaces_folder() -> Path:
    """Return the folder of the shipped spaces: in an installed package, beside it in a checkout."""
    inside = _PACKAGE / "search_spaces"
    return inside if inside.is_dir() else _PACKAGE.parent / "search_spaces"


def _shipped_file(name: str) -> Path:
    return _spaces_folder() / f"{name.replace('-', '_')}.py"


def list_spaces() -> tuple[str, ...]:
    """Return the names of the shipped spaces."""
    names = (file.stem.replace("_", "-") for file in _spaces_folder().glob("[!_]*.py"))
    return tuple(sorted(names))


def find_space(where: str) -> Space[Any]:
    """Return the space that `where` names: `default`, `./my_space.py` or `package.module:SPACE`.

    Raises `SpaceError` in one sentence, whatever is wrong with the name or the code behind it.
    """
    module = find_module(where)
    name = place_of(where)[1] or "SPACE"
    space = getattr(module, name, None)
    if not isinstance(space, Space):
        got = f"is of type {type(space).__name__}."
        raise SpaceError(
            f"space '{where}': it must define `{name} = Space(...)`, but `{name}` "
            f"{_missing_text(module, name, Space) if space is None else got}"
        )
    return space


def place_of(where: str) -> tuple[str, str]:
    """Return the file or module of a user's object, and its name; "" for what is missing.

    >>> place_of("my.py:Mine"), place_of("package.module:Mine"), place_of("my.py")
    (('my.py', 'Mine'), ('package.module', 'Mine'), ('my.py', ''))
    """
    place, _, name = where.rpartition(":")
    if where.endswith(".py"):
        return where, ""
    is_place = place.endswith(".py") or all(part.isidentifier() for part in place.split("."))
    return (place, name) if is_place and name.isidentifier() else ("", "")


def _missing_text(module: ModuleType, name: str, kind: type) -> str:
    """Return the end of a message about a name that a module lacks, with the nearest it has."""
    known = {each: value for each, value in vars(module).items() if isinstance(value, kind)}
    own = [n for n, each in known.items() if kind is Space or each.__module__ == module.__name__]
    return f"is missing: {one_of(own, name)}" if own else "is missing."


def find_module(where: str) -> ModuleType:
    """Return the module that defines the space; a file is loaded under a private module name.

    No import finds that name. It depends on the location of the file alone, so that a worker that
    has called this too can unpickle what the file defines.
    """
    subject, place = f"space '{where}'", place_of(where)[0]
    if place:
        return _load(place, subject)
    check_where(where)
    return _load_file(_shipped_file(where), subject)


def find_modules(places: Iterable[str]) -> None:
    """Load the modules of several spaces, so that what they define can be unpickled."""
    for where in places:
        find_module(where)


def find_named(where: str, subject: str, rule: str, kind: type = type) -> Any:
    """Return the object at `FILE.py:NAME` or `package.module:NAME`.

    `subject` and `rule`: what messages begin with. `kind`: the type of the objects that they
    suggest. Raises `SpaceError` as `find_space` does, and `OptionError` where `where` has another
    form or names nothing.
    """
    place, name = place_of(where)
    if not name:
        raise OptionError(f"{subject} must be named as FILE.py:Class or package.module:Class.")
    module = _load(place, subject)
    if (found := getattr(module, name, None)) is None:
        raise OptionError(f"{subject} {rule}, but `{name}` {_missing_text(module, name, kind)}")
    return found


def file_of(cls: type) -> str | None:
    """Return the file that `find_module` loaded a class from; None for an importable class."""
    if module_in_json(cls.__module__) == cls.__module__:
        return None
    return sys.modules[cls.__module__].__file__


def check_where(where: str) -> None:
    """Refuse what names no shipped space, no file and no module, without running any code."""
    if not place_of(where)[0] and where not in list_spaces():
        raise SpaceError(
            f"space '{where}' is unknown: {one_of(list_spaces(), where)} "
            f"A file (my_space.py, my_space.py:NAME) or package.module:SPACE works too."
        )


def is_shipped(where: str) -> bool:
    """Return whether a name has the form of a space or sampler that comes with the toolkit."""
    return ":" not in where and not where.endswith(".py")


def source_of(where: str) -> Path | None:
    """Return the file of the code that `where` names, or None; nothing is run.

    `where`: as `find_space` or `find_named` takes it.
    """
    place, _ = place_of(where)
    if not place:
        path = _shipped_file(where) if where in list_spaces() else None
    else:
        path = Path(os.path.realpath(place)) if place.endswith(".py") else _file_of_module(place)
    return path if path is not None and path.is_file() else None


def _file_of_module(name: str) -> Path | None:
    """Return the file that an import of a module would run, without importing its packages."""
    if name == "__main__":
        return None  # it runs already, and packages may have files of that name
    inside: Sequence[str] | None = None
    spec: ModuleSpec | None = None
    for i in range(1, name.count(".") + 2):
        package = ".".join(name.split(".")[:i])
        found = (finder.find_spec(package, inside) for finder in sys.meta_path)
        spec = next(filter(None, found), None)
        if spec is None:
            return None
        inside = spec.submodule_search_locations or []
    return (
        None if spec is None or not spec.has_location else Path(os.path.realpath(str(spec.origin)))
    )


def records_of(module: ModuleType) -> Iterator[type]:
    """Yield the dataclasses that a module defines or imports, except the toolkit's own.

    They are the user's records, which an architecture's JSON may name.
    """
    for value in vars(module).values():
        if isinstance(value, type) and is_dataclass(value) and not _is_ours(value):
            yield value


def _is_ours(cls: type) -> bool:
    return cls.__module__.partition(".")[0] == __name__.partition(".")[0]


def _load(place: str, subject: str) -> ModuleType:
    return _load_file(Path(place), subject) if place.endswith(".py") else _import(place, subject)


def _import(name: str, subject: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise SpaceError(f"{subject}: {error}; is it installed or on PYTHONPATH?") from error
    except (Exception, SystemExit) as error:
        raise SpaceError(f"{subject}: importing it failed{failure_text(error)}") from error


def _load_file(path: Path, subject: str) -> ModuleType:
    path = Path(os.path.realpath(path))
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
    except Terminated:
        del sys.modules[name]
        raise
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        told = failure_text(error, path)
        raise SpaceError(f"{subject}: running {path.name} failed{told}") from error
    return module


def _module_name(path: Path) -> str:
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:8]
    return module_of_file(re.sub(r"\W", "_", path.stem), digest)
