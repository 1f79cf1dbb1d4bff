"""The user's code in a notebook or the main script: what it is called, and whether it has changed.

No import finds such code again, and a cell has no file. So a digest of its source stands for it.
"""

import ast
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dis import get_instructions
from functools import cached_property, partial
from hashlib import sha256
from inspect import getattr_static, getsource
from itertools import islice
from textwrap import dedent
from types import FunctionType
from typing import Any

from neptune_nas.architecture.codec import type_name
from neptune_nas.architecture.fields import PLAIN

_MAIN = "__main__"
_DIGITS = 16
_MOST = 10_000  # values of one container that are read
_DEPTH = 10  # containers or wrappers inside each other that are looked into
_LOADS = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
_CHANGES = {
    *("append", "extend", "insert", "add", "update", "setdefault"),
    *("pop", "popitem", "remove", "discard", "clear"),
}


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
    return sha256("\0".join(_parts(_unwrapped(code), set())).encode()).hexdigest()[:_DIGITS]


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
        inside = {**{base.__name__: base for base in code.__bases__}, **vars(code)}
        methods = map(_unwrapped, vars(code).values())
        changed = {text.partition(".")[2] for each in methods for text in _changed_by(each)}
    else:
        yield from map(repr, filter(_is_plain, _defaults(code)))
        source = _source_of(code)
        if not source:
            return
        yield source
        inside, changed = _used_by(code), {*_changed_by(code)}
    for name, value in inside.items():
        if _is_main(_unwrapped(value)):
            yield from _parts(_unwrapped(value), seen)
        elif not name.startswith("__") and name not in changed:
            yield from (f"{name} = {text}" for text in islice(_values(value, seen), _MOST))


def _values(value: Any, seen: set[int], depth: int = _DEPTH) -> Iterator[str]:
    """Yield the plain values in a value, and the parts of what `__main__` defines in it."""
    value = _unwrapped(value)
    if _is_plain(value):
        yield repr(value)
    elif _is_main(value):
        yield from _parts(value, seen)
    elif isinstance(value, set | frozenset):
        yield f"{sorted(map(repr, filter(_is_plain, value)))}"
    elif inside := _items(value) if depth else None:
        yield f"{type(value).__name__} of {len(inside)}"
        for each in inside:
            yield from _values(each, seen, depth - 1)


def _items(value: Any) -> Sequence[Any]:
    """Return what a list, a tuple, a dict or a partial function holds; nothing of other values."""
    if isinstance(value, partial):
        return (value.func, *value.args, *_items(value.keywords))
    if isinstance(value, dict):
        return [each for pair in value.items() for each in pair]
    return value if isinstance(value, list | tuple) else ()


def _unwrapped(value: Any) -> Any:
    """Return the function behind a method, a property, `lru_cache` or the like; else the value."""
    inner: Any
    for _ in range(_DEPTH):
        if isinstance(value, staticmethod | classmethod):
            inner = value.__func__
        elif isinstance(value, property):
            inner = value.fget
        elif isinstance(value, cached_property):
            inner = value.func
        elif isinstance(value, FunctionType) and value.__globals__.get("__name__") == _MAIN:
            return value  # what it wraps is in its closure
        else:
            inner = getattr_static(value, "__wrapped__", None)
        if inner is None:
            break
        value = inner
    return value


def _defaults(function: FunctionType) -> Iterable[Any]:
    return (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())


def _used_by(function: FunctionType) -> dict[str, Any]:
    """Return the globals and the closure of a function, by name; None for what is not set."""
    steps = (step for each in _bodies(function.__code__) for step in get_instructions(each))
    names = dict.fromkeys(step.argval for step in steps if step.opname in _LOADS)
    return {
        **{name: function.__globals__.get(name) for name in names},
        **dict(zip(function.__code__.co_freevars, _cells(function), strict=True)),
    }


def _changed_by(function: Any) -> Iterator[str]:
    """Yield what a function itself sets, fills or empties, as `N` or `self.n`: no setting."""
    text = _source_of(function) if isinstance(function, FunctionType) else ""
    with suppress(SyntaxError):
        for node in ast.walk(ast.parse(text)):
            match node:
                case ast.Global(names=names):
                    yield from names
                case ast.Subscript(ctx=ast.Store() | ast.Del(), value=holder):
                    yield ast.unparse(holder)
                case ast.Attribute(attr=method, value=holder) if method in _CHANGES:
                    yield ast.unparse(holder)


def _source_of(function: FunctionType) -> str:
    """Return the source of a function without comments; empty where there is none."""
    try:
        text = dedent(getsource(function.__code__))  # of itself, not of what it wraps
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


def _is_plain(value: object) -> bool:
    return type(value) in PLAIN
