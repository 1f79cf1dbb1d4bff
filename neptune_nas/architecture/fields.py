"""The fields of records: which there are, which are open, and when two values are the same."""

from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

PLAIN = frozenset({int, str, float, bool, type(None)})
_FILE_PREFIX = "neptune_nas_file_"


class Open:
    """A value that a space leaves open; no architecture contains one."""

    __slots__ = ()


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


def record_classes(value: object) -> set[type]:
    """Return the classes of all records in a value or template, options of open fields included."""
    if isinstance(value, tuple):
        return {cls for item in value for cls in record_classes(item)}
    if not is_record(value):
        return set()
    parts = tuple(getattr(value, field.name) for field in fields(value))  # type: ignore[arg-type]  # a record, by the line above
    return record_classes(parts) | (set() if isinstance(value, Open) else {type(value)})


def is_frozen(record: object) -> bool:
    """Return whether the class of a record is frozen."""
    return bool(type(record).__dataclass_params__.frozen)  # type: ignore[attr-defined]  # a dataclass has them


def is_closed(value: object) -> bool:
    """Return whether no field of `value`, at any depth, is left open."""
    if type(value) in PLAIN:
        return True
    if isinstance(value, Open):
        return False
    if isinstance(value, tuple):
        return all(is_closed(item) for item in value)
    if is_record(value):
        return all(is_closed(getattr(value, name)) for name in field_names(type(value)))
    return True


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
