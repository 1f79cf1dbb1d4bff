"""The fields of records: which there are, which are open, and when two values are the same."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from math import isfinite
from operator import attrgetter
from typing import Any

from neptune_nas.errors import ArchitectureError, NeptuneError
from neptune_nas.files.schema import cut

PLAIN = frozenset({int, str, float, bool, type(None)})
_BITS = 64  # the most that a whole number may have
_FILE_PREFIX = "neptune_nas_file_"

LATER: Mapping[str, bool] = {"later": True}
"""Metadata of a record's field that text and JSON leave out where it has its default.

A field that joins a record so changes neither keys of architectures nor names of options.
"""


class Open:
    """A value that a space leaves open; no architecture contains one."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, repr=False)
class UnknownRecord:
    """A record of a user's class that is not known here, kept as data.

    `type`: its name in JSON, such as `my_space:Scale`. `values`: its fields by name, in order.
    """

    type: str
    values: tuple[tuple[str, Any], ...]

    def __repr__(self) -> str:
        inner = ", ".join(f"{name}={value!r}" for name, value in self.values)
        return f"{self.type.rpartition(':')[2]}({inner})"


def values_of(record: Any) -> dict[str, Any]:
    """Return the values of a record by field name, in order; nothing for any other value."""
    if isinstance(record, UnknownRecord):
        return dict(record.values)
    if not is_record(record):
        return {}
    return {field.name: getattr(record, field.name) for field in fields(record)}


def class_name(record: object) -> str:
    """Return the name of a record's class, known or not."""
    if isinstance(record, UnknownRecord):
        return record.type.rpartition(":")[2].rpartition(".")[2]
    return type(record).__name__


def unknown_records(value: object) -> Iterator[UnknownRecord]:
    """Yield the records in a value, at any depth, whose classes are not known."""
    if isinstance(value, UnknownRecord):
        yield value
    for part in value if isinstance(value, tuple) else values_of(value).values():
        yield from unknown_records(part)


def require_classes(value: object, error: type[NeptuneError] = ArchitectureError) -> None:
    """Refuse a value that contains a record of unknown class, which cannot be built."""
    for record in unknown_records(value):
        what = f"a custom record {cut(record.type)}"
        if record.type.startswith("__main__:"):
            raise error(
                f"the network has {what}, defined in a script or notebook: pass its class as "
                f"`allow` there; to use it elsewhere, define it in a module and import that."
            )
        raise error(
            f"the network has {what}, whose class is not allowed: if you trust its code, pass the "
            f"class, or on the command line its file or module, as `allow` (--allow)."
        )


def is_record(value: object) -> bool:
    """Return whether `value` is an instance of a dataclass, built in or the user's own."""
    return is_dataclass(value) and not isinstance(value, type)


def field_names(cls: type) -> tuple[str, ...]:
    """Return the fields of a dataclass that its constructor takes, in order."""
    remembered: tuple[str, ...] = _field_names(cls)
    return remembered


@cache
def _field_names(cls: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cls) if field.init)


@cache
def later_fields(cls: Any) -> dict[str, Any]:
    """Return the defaults of the fields of a record class that are marked `LATER`, by name."""
    return {field.name: field.default for field in fields(cls) if "later" in field.metadata}


def written_values(record: Any) -> dict[str, Any]:
    """Return the values of a record by field name, without `LATER` fields at their defaults."""
    cls: Any = type(record)
    values, usual = {name: getattr(record, name) for name in field_names(cls)}, later_fields(cls)
    for name, default in usual.items():
        if is_same(values[name], default):
            del values[name]
    return values


@cache
def _getter(cls: type) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function that gets the fields of a record of this class; none for other classes."""
    names = field_names(cls) if is_dataclass(cls) else ()
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)


def record_classes(value: object) -> set[type]:
    """Return the classes of all records in a value or template, options of open fields included.

    A record of unknown class adds only the classes of records inside it.
    """
    if isinstance(value, tuple):
        return {cls for item in value for cls in record_classes(item)}
    if not is_record(value):
        return set()
    nameless = isinstance(value, Open | UnknownRecord)
    return record_classes((*values_of(value).values(),)) | (set() if nameless else {type(value)})


def is_frozen(record: object) -> bool:
    """Return whether the class of a record is frozen."""
    return bool(type(record).__dataclass_params__.frozen)  # type: ignore[attr-defined]  # a dataclass has them


def is_plain(value: object) -> bool:
    """Return whether a value has a JSON type, is finite, and a whole number fits in 64 bits."""
    if type(value) is float:
        return isfinite(value)
    if type(value) is str:
        return value.isascii() or value.encode(errors="replace").decode() == value
    return type(value) in PLAIN and (type(value) is not int or value.bit_length() <= _BITS)


def is_closed(value: object) -> bool:
    """Return whether no field of `value`, at any depth, is left open."""
    if type(value) in PLAIN:
        return True
    if isinstance(value, Open):
        return False
    cls: Any = type(value)
    parts = value if isinstance(value, tuple) else _getter(cls)(value)
    return all(map(is_closed, [part for part in parts if type(part) not in PLAIN]))


def is_same(a: object, b: object) -> bool:
    """Return whether two values are equal at every depth; 1, 1.0 and True differ.

    >>> is_same((1, 2), (1, 2)), is_same((1, 2), (True, 2.0))
    (True, False)
    """
    if a is b:
        return True
    if type(a) is not type(b) or type(a) in PLAIN:
        return type(a) is type(b) and a == b
    if isinstance(a, tuple):
        assert isinstance(b, tuple)
        return len(a) == len(b) and all(map(is_same, a, b))
    if is_record(a):
        return all(is_same(getattr(a, name), getattr(b, name)) for name in field_names(type(a)))
    return bool(a == b)


def module_of_file(stem: str, digest: str) -> str:
    """Return the name of a module that is loaded from a file; no import finds it."""
    return f"{_FILE_PREFIX}{digest}_{stem}"


def module_in_json(name: str) -> str:
    """Return the name of a module in JSON: for one loaded from a file, the file's stem alone.

    >>> module_in_json(module_of_file("my_space", "0123abcd")), module_in_json("shop.layers")
    ('my_space', 'shop.layers')
    """
    file = name.removeprefix(_FILE_PREFIX)
    return name if file == name else file.partition("_")[2]
