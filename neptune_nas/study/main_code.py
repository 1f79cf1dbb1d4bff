"""The user's code in a notebook or the main script: what it is called, and whether it has changed.

No import finds such code again, and a cell has no file. So a digest of its source stands for it.
"""

import ast
import sys
from collections.abc import Iterable, Iterator
from functools import cached_property, partial
from hashlib import sha256
from inspect import getsource
from textwrap import dedent
from types import FunctionType
from typing import Any

from neptune_nas.architecture.codec import type_name
from neptune_nas.architecture.fields import PLAIN

_MAIN = "__main__"
_DIGITS = 16


def main_digests(code: Iterable[Any]) -> dict[str, str]:
    """Return digests of those classes and functions that `__main__` defines, by their names."""
    return {type_name(each): _digest(each) for each in code if _is_main(each)}


def main_object(where: str) -> Any:
    """Return the object that a name such as `__main__:Gate` means now, or None."""
    place, _, name = where.partition(":")
    return vars(sys.modules[_MAIN]).get(name) if place == _MAIN else None


def main_digest(where: str) -> str | None:
    """Return the digest of what a name such as `__main__:Gate` means now; None for nothing."""
    found = main_object(where)
    return _digest(found) if _is_main(found) else None


def _is_main(code: object) -> bool:
    return isinstance(code, type | FunctionType) and code.__module__ == _MAIN


def _digest(code: Any) -> str:
    return sha256("\0".join(_parts(code, set())).encode()).hexdigest()[:_DIGITS]


def _parts(code: Any, seen: set[int]) -> Iterator[str]:
    """Yield the source of a class or function, and of whatever it uses from `__main__`.

    What has no source is left out: methods that `dataclass` writes, and what is typed into Python's
    own prompt.
    """
    if id(code) in seen:
        return
    seen.add(id(code))
    if isinstance(code, type):
        yield code.__qualname__
        used = {**{base.__name__: base for base in code.__bases__}, **vars(code)}
        inside = {name: _function_in(value) for name, value in used.items()}
    elif source := _source_of(code):
        yield source
        inside = _used_by(code)
    else:
        return
    for name, value in inside.items():
        if _is_main(value):
            yield from _parts(value, seen)
        elif _is_constant(value) and not name.startswith("__"):
            yield f"{name} = {value!r}"


def _function_in(value: Any) -> Any:
    """Return the function behind a method, a property or the like; anything else as it is."""
    if isinstance(value, staticmethod | classmethod):
        return value.__func__
    if isinstance(value, property):
        return value.fget
    return value.func if isinstance(value, cached_property | partial) else value


def _used_by(function: FunctionType) -> dict[str, Any]:
    """Return the globals and the closure of a function, by name; None for what is not set."""
    names = (name for each in _bodies(function.__code__) for name in each.co_names)
    return {
        **{name: function.__globals__.get(name) for name in names},
        **dict(zip(function.__code__.co_freevars, _cells(function), strict=True)),
    }


def _source_of(function: FunctionType) -> str:
    """Return the source of a function without comments; empty where there is none."""
    try:
        text = dedent(getsource(function))
    except (OSError, TypeError):
        return ""
    try:
        return ast.unparse(ast.parse(text))
    except SyntaxError:  # part of a line, as for a lambda
        return text


def _bodies(code: Any) -> Iterator[Any]:
    """Yield a code object and those of the functions inside it."""
    yield code
    for inner in code.co_consts:
        if hasattr(inner, "co_consts"):
            yield from _bodies(inner)


def _cells(function: FunctionType) -> Iterator[Any]:
    """Yield the contents of a function's closure, None for what is not set yet."""
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:
            yield None


def _is_constant(value: object) -> bool:
    return all(map(_is_constant, value)) if isinstance(value, tuple) else type(value) in PLAIN
