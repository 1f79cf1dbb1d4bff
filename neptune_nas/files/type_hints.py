"""Type hints of a record's fields: whether a value fits one, and what it asks for in words."""

from ast import literal_eval
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from neptune_nas.errors import OptionError

WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
NAMED = {
    "sampler": ': name it as text, "tpe" or "FILE.py:Class", with its arguments as `sampler_kwargs`'
}
"""What is meant where a field is asked for by name, as code that is made later is."""


def check_types(record: object) -> None:
    """Refuse the first field of a record that is not of its type; raises `OptionError`."""
    for name, hint in get_type_hints(type(record)).items():
        value = getattr(record, name)
        if not fits(value, hint):
            remedy = NAMED.get(name) or _remedy(value, hint)
            raise OptionError(
                f"`{name}` must be {in_words(hint, 'tuple')}, but got {value!r}{remedy}."
            )


def fits(value: object, hint: Any) -> bool:
    """Whether a value is of a field's type: true is no number, and a class no instance of it."""
    origin, inner = get_origin(hint), get_args(hint)
    if isinstance(value, type):
        return hint is Any
    if origin in (Union, UnionType):
        return any(fits(value, each) for each in inner)
    if origin in (dict, Mapping):
        return isinstance(value, origin) and all(conforms(v, inner[1]) for v in value.values())
    if origin is Sequence:
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            return False
        return all(conforms(each, inner[0]) for each in value)
    if isinstance(origin, type) and origin is not tuple:
        return isinstance(value, origin)
    return conforms(value, hint)


def in_words(hint: Any, many: str = "list") -> str:
    """A field's type as it is said to people; `many` is what they call a tuple.

    >>> in_words(int), in_words(tuple[int, int, int]), in_words(tuple[str, ...])
    ('a whole number', 'a list of 3, each a whole number', 'a list, each text')
    """
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (tuple, Sequence):
        length = f" of {len(inner)}" if origin is tuple and ... not in inner else ""
        return f"a {many}{length}, each {in_words(inner[0])}"
    if origin is Literal:
        return f"one of {', '.join(map(str, inner))}"
    if origin in (Union, UnionType):
        return " or ".join(in_words(each, many) for each in inner if each is not type(None))
    if origin in (dict, Mapping):
        kind = "table" if origin is dict else "dict"
        return f"a {kind} of {'values' if inner[1] is Any else in_words(inner[1])}"
    return WORDS.get(hint) or _named(origin or hint)


def _named(cls: type) -> str:
    return f"{'an' if cls.__name__[0] in 'AEIOU' else 'a'} {cls.__name__}"


def _remedy(value: object, hint: Any) -> str:
    """What may have been meant: the value without its quotes, in a tuple, or an instance."""
    if isinstance(value, type):
        return f": write {value.__name__}(...)"
    plain = getattr(value, "tolist", lambda: value)()  # numpy's numbers and arrays
    meant = [_unquoted(value), plain, (value,)]
    if isinstance(value, str) and "," in value:
        meant.insert(1, tuple(map(str.strip, value.split(","))))
    if isinstance(value, Path):
        meant.append(str(value))
    return next((f": write {each!r}" for each in meant if fits(each, hint)), "")


def _unquoted(value: object) -> object:
    try:
        return literal_eval(value) if isinstance(value, str) else value
    except (ValueError, SyntaxError):
        return value


def conforms(value: object, hint: Any) -> bool:
    """Whether a plain value fits a record field's type hint (bool is not int here)."""
    origin = get_origin(hint)
    if hint is Any:
        return True
    if origin is Literal:
        return any(type(value) is type(arg) and value == arg for arg in get_args(hint))
    if origin in (Union, UnionType):
        return any(conforms(value, arg) for arg in get_args(hint))
    if origin is tuple:
        return _conforms_tuple(value, get_args(hint))
    if hint is None or hint is type(None):
        return value is None
    if hint is float:
        return type(value) in (int, float)
    if hint in (int, str, bool):
        return type(value) is hint
    return isinstance(value, hint) if isinstance(hint, type) else True


def _conforms_tuple(value: object, args: tuple[Any, ...]) -> bool:
    if not isinstance(value, tuple):
        return False
    if len(args) == 2 and args[1] is Ellipsis:
        return all(conforms(item, args[0]) for item in value)
    return len(value) == len(args) and all(map(conforms, value, args))
