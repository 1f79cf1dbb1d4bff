"""The parameters of an evaluator, by which a study recognises it."""

import json
from dataclasses import fields
from hashlib import sha256
from typing import Any

from neptune_nas.architecture.fields import is_record

_PLAIN = (bool, int, float, str)
_PLACE = "device"  # set by the engine, so no part of the question
LONGEST = 1_000  # characters of JSON, before a digest takes their place


def parameters_of(evaluator: object) -> dict[str, Any] | None:
    """Return the fields of a dataclass by name, or None for an evaluator that is no dataclass.

    Left out are `device`, fields that are not compared (`field(compare=False)`), None, and values
    that JSON cannot hold. A long value is replaced by its digest.
    """
    if not is_record(evaluator):
        return None
    return {name: _value_or_digest(value) for name, value in _record_fields(evaluator).items()}


def _record_fields(record: Any) -> dict[str, Any]:
    """Return the fields of a record that JSON can hold, by name."""
    names = [each.name for each in fields(record) if each.init and each.compare]
    return _json_items({name: getattr(record, name) for name in names if name != _PLACE})


def _json_items(values: dict[Any, Any]) -> dict[str, Any]:
    """Return the items of a dict that JSON can hold."""
    found = {name: _json_value(value) for name, value in values.items() if isinstance(name, str)}
    return {name: value for name, value in found.items() if value is not None}


def _json_value(value: object) -> Any:
    """Return a value as JSON holds it, or None for one that JSON cannot hold."""
    if is_record(value):
        return _record_fields(value)
    if isinstance(value, dict):
        return _json_items(value)
    if isinstance(value, list | tuple):
        items = [_json_value(item) for item in value]
        return None if any(item is None for item in items) else items
    return value if type(value) in _PLAIN and value == value else None  # JSON knows no NaN


def _value_or_digest(value: Any) -> Any:
    """Return a value, or its digest if it is too long for a person to read in `study.toml`."""
    text = json.dumps(value, sort_keys=True)
    return value if len(text) <= LONGEST else f"sha256:{sha256(text.encode()).hexdigest()}"
