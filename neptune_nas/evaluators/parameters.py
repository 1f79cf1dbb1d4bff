"""The parameters of an evaluator, by which a study knows it again."""

import json
from dataclasses import fields
from hashlib import sha256
from typing import Any

from neptune_nas.architecture.fields import is_record

PLAIN = (bool, int, float, str)
PLACE = "device"  # where is measured and not what; an engine sets it
LONGEST = 1_000  # characters of JSON


def parameters_of(evaluator: object) -> dict[str, Any] | None:
    """The fields of a dataclass by name; None for any other evaluator, whose are not known.

    Left out are `device`, fields that dataclasses do not compare (`field(compare=False)`), and what
    is None or cannot be told in JSON. What is very long stands there as its digest.
    """
    if not is_record(evaluator):
        return None
    return {name: shortened(value) for name, value in told(evaluator).items()}


def told(record: Any) -> dict[str, Any]:
    """What JSON can hold of a record's fields."""
    names = [each.name for each in fields(record) if each.init and each.compare]
    return kept({name: getattr(record, name) for name in names if name != PLACE})


def kept(values: dict[Any, Any]) -> dict[str, Any]:
    """What JSON can hold of a dict."""
    found = {name: plain(value) for name, value in values.items() if isinstance(name, str)}
    return {name: value for name, value in found.items() if value is not None}


def plain(value: object) -> Any:
    """A value as JSON holds it; None for one that it cannot hold."""
    if is_record(value):
        return told(value)
    if isinstance(value, dict):
        return kept(value)
    if isinstance(value, list | tuple):
        items = [plain(item) for item in value]
        return None if any(item is None for item in items) else items
    return value if type(value) in PLAIN and value == value else None  # JSON knows no NaN


def shortened(value: Any) -> Any:
    """A value, or the digest of one that is too long to be read in a file of settings."""
    text = json.dumps(value, sort_keys=True)
    return value if len(text) <= LONGEST else f"sha256:{sha256(text.encode()).hexdigest()}"
