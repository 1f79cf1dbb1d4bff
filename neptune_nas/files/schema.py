"""The schema of types and ranges of records from files and users.

A rule is declared with its field, as in `epochs: Annotated[int, at_least(1)]`. A record checks
itself with `check` on construction; `decode` makes one from JSON or TOML. Every message has path,
rule, the value cut to a line, and a remedy if there is one. This is our own code because msgspec's
messages lack the value, cattrs' the ranges, and neither checks the arguments of a constructor.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from neptune_nas.errors import (
    FileFormatError,
    NeptuneError,
    OptionError,
    one_of,
    shortened,
)
from neptune_nas.files.rules import (
    LARGEST,
    SHORT,
    Predicate,
    as_plain,
    listed,
    predicate_for,
    rules_of,
    unquoted,
    words_for,
)
from neptune_nas.text import visible

T = TypeVar("T")

Readers = Mapping[type, Callable[[Any, str], Any]]
"""Readers of records with their own JSON form, from a value and its path."""

_PLAIN = frozenset({str, float, bool, type(None)})
_LINE = 100  # characters of a value in a message
TOO_DEEP = "it is nested too deeply."
_REMEDIES = {
    "sampler": 'name it as text, "tpe" or "FILE.py:Class" ("__main__:Class" if it is defined in '
    "a notebook), with its arguments as `sampler_kwargs`"
}
"""Remedies for fields that take the name of an object instead of the object itself."""


# What is said.


def cut(value: object) -> str:
    """Return the `repr` of a value, cut to a line.

    >>> cut([1, "a"]), cut("x" * 1000)
    ("[1, 'a']", "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'")
    """
    return visible(shortened(SHORT.repr(value).replace("\n", " "), _LINE))


def fault(path: str, words: str, value: object, remedy: str = "") -> str:
    """Return the message about an invalid value.

    >>> fault("jobs", "a whole number", 1.5)
    '`jobs` must be a whole number, but got 1.5.'
    """
    subject, end = f"`{path}`" if path else "it", f": {remedy}" if remedy else ""
    if type(value) is int and value > LARGEST and "whole number" in words and "below" not in words:
        words += f" and at most {LARGEST}"
    return f"{subject} must be {words}, but got {cut(value)}{end}."


def exclusive(one: str, other: str) -> str:
    """Return the message about two options that exclude each other.

    >>> exclusive("table", "evaluator")
    '`table` and `evaluator` exclude each other: leave one of them out.'
    """
    return f"`{one}` and `{other}` exclude each other: leave one of them out."


@contextmanager
def located(where: object, error: type[NeptuneError] = FileFormatError) -> Iterator[None]:
    """Convert errors inside to an `error` that begins with their place: a file, or data by name."""
    try:
        yield
    except NeptuneError as wrong:
        raise error(f"{where}: {wrong}") from wrong


# What a record, or one value, may be.


def check(
    record: object,
    error: type[NeptuneError] = OptionError,
    path: str = "",
    let_through: type | tuple[()] = (),
) -> None:
    """Refuse the first field of a record that is not of its type, or breaks its rule.

    `path`: the prefix of a field's name in the message. `let_through`: a class whose instances may
    replace any value, at any depth of tuples. Raises `error`.
    """
    cls: Any = type(record)
    for name, test in _tests(cls):
        value = getattr(record, name)
        if not test(value) and not _holds(value, let_through):
            hint = next(each.hint for each in _fields_of(cls) if each.name == name)
            remedy = _REMEDIES.get(name) or _remedy(value, hint)
            raise error(fault(_join(path, name), words_for(hint, python=True), value, remedy))


def check_value(
    value: object, hint: Any, path: str, error: type[NeptuneError] = OptionError, remedy: str = ""
) -> None:
    """Refuse a value that does not fit a hint; raises `error`."""
    if not fits(value, hint):
        meant = remedy or _remedy(value, hint)
        raise error(fault(path, words_for(hint, python=True), value, meant))


def fits(value: object, hint: Any) -> bool:
    """Return whether a value has a hint's type and follows its rules."""
    test = _predicate(hint)
    return test is None or test(value)


_predicate = cache(predicate_for)


def check_exclusive(record: object, pairs: Iterable[tuple[str, str]]) -> None:
    """Refuse the first pair of these fields that are both given."""
    for pair in pairs:
        if all(getattr(record, name) for name in pair):
            raise OptionError(exclusive(*pair))


def check_names(
    data: Mapping[str, object],
    known: Iterable[str],
    needed: Iterable[str],
    path: str = "",
    error: type[NeptuneError] = FileFormatError,
) -> None:
    """Refuse the first unknown name, else all missing ones."""
    names = [*known]
    for name in data:
        if name not in names:
            known_ones = one_of(names, str(name)) if names else "there can be none."
            raise error(f"`{_join(path, name)}` is unknown: {known_ones}")
    if missing := [f"`{_join(path, name)}`" for name in needed if name not in data]:
        raise error(f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing.")


def _join(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)


def _holds(value: object, cls: type | tuple[()]) -> bool:
    """Return whether a value is an instance of a class, or a tuple with one."""
    if isinstance(value, cls):
        return True
    return isinstance(value, tuple) and any(_holds(item, cls) for item in value)


def _remedy(value: object, hint: Any) -> str:
    """Return a remedy: without quotes, as a tuple, or as an instance."""
    if isinstance(value, type):
        return f"write {value.__name__}(...)"
    meant = [unquoted(value), as_plain(value), listed(value), (value,)]
    if isinstance(value, str) and "," in value:
        meant.insert(1, tuple(map(str.strip, value.split(","))))
    if isinstance(value, Path):
        meant.append(str(value))
    return next((f"write {cut(each)}" for each in meant if fits(each, hint)), "")


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of a record's constructor; `test`: None if any value is valid."""

    name: str
    hint: Any
    is_needed: bool
    test: Predicate | None
    may_be_float: bool

    @property
    def is_float(self) -> bool:
        """True if the field takes any number, whole or not."""
        return float in (self.hint, *get_args(self.hint)[:1])

    def takes(self, value: object) -> bool:
        """Return whether a value is plain, and valid without a conversion."""
        is_plain = type(value) in _PLAIN or (type(value) is int and not self.may_be_float)
        return is_plain and self.test is not None and self.test(value)


@cache
def _fields_of(cls: Any) -> tuple[_Field, ...]:
    hints = _hints_of(cls)
    asked = [(each, hints.get(each.name, Any)) for each in fields(cls) if each.init]
    return tuple(
        _Field(
            each.name,
            hint,
            each.default is each.default_factory is MISSING,
            predicate_for(hint),
            _has_float(hint),
        )
        for each, hint in asked
    )


def _has_float(hint: Any) -> bool:
    """Return whether a hint is float, or contains it at any depth."""
    return hint is float or any(map(_has_float, get_args(hint)))


@cache
def _tests(cls: Any) -> tuple[tuple[str, Predicate], ...]:
    return tuple((each.name, each.test) for each in _fields_of(cls) if each.test is not None)


def _hints_of(cls: type) -> dict[str, Any]:
    """Return the type hints of a class with their rules, except those for type checkers only."""
    try:
        return get_type_hints(cls, include_extras=True)
    except (NameError, AttributeError, TypeError):
        return {}


# Records from and to what JSON and TOML hold.


def decode(
    cls: type[T],
    data: object,
    path: str = "",
    error: type[NeptuneError] = FileFormatError,
    readers: Readers | None = None,
) -> T:
    """Return the record in a plain object; lists become tuples, and objects records.

    `path`: the place of the object, for messages. Fields with a default may be missing.
    Raises `error` for the first field that is unknown, missing, or of another type or range.
    """
    try:
        made: T = _Decoder(error, readers or {}).record(cls, data, path)
    except RecursionError as deep:
        raise error(TOO_DEEP) from deep
    return made


@dataclass(frozen=True, slots=True)
class _Decoder:
    """The error to raise, and the readers of records with their own form."""

    error: type[NeptuneError]
    readers: Readers = field(default_factory=dict)

    def record(self, cls: Any, data: object, path: str) -> Any:
        """Return a record from an object."""
        if not isinstance(data, Mapping):
            raise self.error(fault(path, "an object", data))
        known = _fields_of(cls)
        needed = [each.name for each in known if each.is_needed]
        check_names(data, [each.name for each in known], needed, path, self.error)
        values = {
            each.name: value
            if each.takes(value := data[each.name])
            else self.value(each.hint, value, _join(path, each.name))
            for each in known
            if each.name in data
        }
        try:
            return cls(**values)
        except NeptuneError as wrong:
            raise self.error(f"`{path}`: {wrong}" if path else str(wrong)) from wrong

    def value(self, hint: Any, value: Any, path: str) -> Any:
        """Return a value converted to its hint."""
        origin, inner = get_origin(hint), get_args(hint)
        if origin is Annotated:
            read = self.value(inner[0], value, path) if _is_shaped(value, inner[0]) else None
            if read is None or not all(rule.holds(read) for rule in rules_of(hint)):
                raise self.error(fault(path, words_for(hint), value))
            return read
        if origin in (Union, UnionType):
            return self._one_of(hint, inner, value, path)
        if hint in self.readers:
            return self.readers[hint](value, path)
        if isinstance(hint, type) and is_dataclass(hint):
            return self.record(hint, value, path)
        if origin in (tuple, Sequence) and isinstance(value, list | tuple):
            return self._items(hint, value, path)
        if origin in (dict, Mapping) and isinstance(value, Mapping):
            if _PLAIN.issuperset(map(type, value.values())) and fits(value, hint):
                return dict(value)
            return {n: self.value(inner[1], item, _join(path, n)) for n, item in value.items()}
        if not fits(value, hint):
            raise self.error(fault(path, words_for(hint), value))
        return float(value) if hint is float and type(value) is int else value

    def _items(self, hint: Any, values: Sequence[Any], path: str) -> tuple[Any, ...]:
        hints = get_args(hint)
        if get_origin(hint) is Sequence or ... in hints:
            hints = (hints[0],) * len(values)
        if len(values) != len(hints):
            raise self.error(fault(path, words_for(hint), values))
        items = enumerate(zip(hints, values, strict=True))
        return tuple(self.value(each, item, f"{path}.{i}") for i, (each, item) in items)

    def _one_of(self, hint: Any, members: Sequence[Any], value: Any, path: str) -> Any:
        if value is None and type(None) in members:
            return None
        some = [each for each in members if each is not type(None)]
        chosen = [each for each in some if len(some) == 1 or _is_shaped(value, each)]
        if not chosen:
            raise self.error(fault(path, words_for(hint), value))
        return self.value(chosen[0], value, path)


def _is_shaped(value: object, hint: Any) -> bool:
    """Return whether a value has the outer shape of a hint."""
    base = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if is_dataclass(base) or get_origin(base) in (dict, Mapping):
        return isinstance(value, Mapping)
    if get_origin(base) in (tuple, Sequence):
        return isinstance(value, list | tuple)
    return fits(value, hint)


def check_values(cls: type, values: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return the checked fields of a record, with numbers as floats where the hints say so.

    Raises `FileFormatError` for the first that has another type, or breaks its rule.
    """
    checked = dict(values)
    for each in _fields_of(cls):
        value = values[each.name]
        if each.test is not None and not each.test(value):
            is_record = is_dataclass(value)
            words, got = (
                words_for(each.hint, python=is_record),
                value if is_record else encode(value),
            )
            raise FileFormatError(fault(f"{path}.{each.name}", words, got))
        if type(value) is int and each.is_float:
            checked[each.name] = float(value)  # JSON written elsewhere may say 0 for 0.0
    return checked


def encode(value: Any) -> Any:
    """Return a record in JSON's types: objects, lists and plain values."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: encode(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {name: encode(item) for name, item in value.items()}
    return [encode(item) for item in value] if isinstance(value, tuple | list) else value
