"""Records to JSON and back, their canonical form, and the key that names a network.

A record becomes an object whose `type` names its class: the bare name for the toolkit's own,
`package.module:Class` for a user's, and `file:Class` for a user's from a file, wherever the file
is. Reading never imports anything, so a file from elsewhere cannot run code: it makes an instance
of a user's class only if the caller passes that in, and keeps any other record as data.
"""

import hashlib
import json
import marshal
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from neptune_nas.architecture import dense_heads, records
from neptune_nas.architecture.fields import (
    Open,
    UnknownRecord,
    field_names,
    is_record,
    later_fields,
    module_in_json,
    require_classes,
    written_values,
)
from neptune_nas.architecture.records import Architecture, Conv, Head, Identity, Stage
from neptune_nas.errors import ArchitectureError, FileFormatError, one_of
from neptune_nas.files.schema import TOO_DEEP, check_names, check_values, cut, fault

BUILT_IN: Mapping[str, type] = {
    cls.__name__: cls
    for cls in (
        records.Architecture,
        records.Attention,
        records.Conv,
        dense_heads.DecoderHead,
        dense_heads.DetectionHead,
        records.FeedForward,
        records.Head,
        records.Identity,
        records.InvertedResidual,
        dense_heads.LrasppHead,
        records.Stage,
        records.Stem,
    )
}
_KEY_LENGTH = 16
_DEEPEST = 64  # nested records and lists: recursion takes several frames for each
_OWN = re.compile(r"[\w.-]+:[\w.<>]+")
"""Matches the names that `type_name` gives to users' classes."""
_Seen = dict[bytes, Any]


def type_name(cls: type) -> str:
    """Return the name of a record's class in JSON.

    >>> type_name(Conv)
    'Conv'
    """
    if cls in BUILT_IN.values():
        return cls.__name__
    return f"{module_in_json(cls.__module__)}:{cls.__qualname__}"


def to_json(value: object) -> Any:
    """Return the JSON form of a closed record, a tuple of them, or a plain value.

    >>> to_json(Conv(kernel=5))
    {'type': 'Conv', 'kernel': 5, 'groups': 1}
    """
    if isinstance(value, Open):
        raise ArchitectureError(
            f"{cut(value)} is left open: sample an architecture of its space first."
        )
    if isinstance(value, UnknownRecord):
        return {"type": value.type, **{name: to_json(item) for name, item in value.values}}
    if is_record(value):
        content = {name: to_json(item) for name, item in written_values(value).items()}
        return {"type": type_name(type(value)), **content}
    if isinstance(value, tuple):
        return [to_json(item) for item in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise ArchitectureError(
        f"a record holds {cut(value)} of type {type(value).__name__}, which JSON cannot: "
        f"use numbers, strings, booleans, None, tuples and records."
    )


def from_json(
    data: object,
    allow: Iterable[type] = (),
    path: str = "architecture",
    seen: _Seen | None = None,
) -> Any:
    """Return the record that `to_json` wrote; `allow` lists the user's classes that are known.

    A record of any other user class becomes an `UnknownRecord`, which `to_json` writes unchanged.
    `seen`: parts of records that were read before with the same `allow`; equal ones
    are shared. Raises `FileFormatError` with the path of the part that is malformed.
    """
    known = {**BUILT_IN, **{type_name(cls): cls for cls in allow}}
    if not isinstance(data, dict):
        raise FileFormatError(fault(path, "an object with a `type`", data))
    return _record(data, known, path, seen)


def _decode(data: object, known: Mapping[str, type], path: str, seen: _Seen | None) -> Any:
    if path.count(".") > _DEEPEST:
        raise FileFormatError(TOO_DEEP)
    if isinstance(data, list):
        return tuple(_decode(item, known, f"{path}.{i}", seen) for i, item in enumerate(data))
    if not isinstance(data, dict):
        return data
    if seen is None:
        return _record(data, known, path, seen)
    try:
        text = marshal.dumps(data, 2)  # fast, and distinguishes 1, 1.0 and True
    except ValueError as error:
        raise FileFormatError(f"`{path}`: {TOO_DEEP}") from error
    if text not in seen:
        seen[text] = _record(data, known, path, seen)
    return seen[text]


def _record(
    data: Mapping[str, Any], known: Mapping[str, type], path: str, seen: _Seen | None
) -> Any:
    cls = _class_of(data, known, path)
    given = {name: value for name, value in data.items() if name != "type"}
    if cls is not None:
        names, later = field_names(cls), later_fields(cls)
        check_names(given, names, [name for name in names if name not in later], path)
    values = {name: _decode(value, known, f"{path}.{name}", seen) for name, value in given.items()}
    if cls is None:
        return UnknownRecord(data["type"], tuple(values.items()))
    try:
        checked = check_values(cls, {**later_fields(cls), **values}, path)
    except FileFormatError:
        # a record of unknown class may be of the right one
        require_classes((*values.values(),), FileFormatError)
        raise
    try:
        return cls(**checked)
    except Exception as error:  # a user's record may refuse its values in any way
        require_classes((*values.values(),), FileFormatError)
        raise FileFormatError(f"`{path}`: {error}") from error


def _class_of(data: Mapping[str, object], known: Mapping[str, type], path: str) -> type | None:
    """Return the class of a record, or None for a user's class that is not known."""
    name = data.get("type")
    if not isinstance(name, str):
        raise FileFormatError(fault(f"{path}.type", "the name of a record", name))
    if name in known:
        return known[name]
    if ":" not in name:
        raise FileFormatError(
            f"`{path}.type` is {cut(name)}, which is not a record: {one_of(known, name)}"
        )
    if not _OWN.fullmatch(name):
        raise FileFormatError(fault(f"{path}.type", "a name such as my_space:Scale", name))
    for field in data:
        if not field.isidentifier():
            raise FileFormatError(fault(path, "a record whose field names are identifiers", field))
    return None


def canonical(architecture: Any) -> Any:
    """Return the canonical form, which is the same for all architectures of the same network.

    Identities that nothing else reads are dropped, `groups` equal to the width is "depthwise", and
    `connections` of a stage whose SubStages all read just the last output is "chain". A
    user's root record is its own canonical form.
    """
    if not isinstance(architecture, Architecture):
        return architecture
    head = architecture.head
    return replace(
        architecture,
        stages=tuple(_canonical_stage(stage) for stage in architecture.stages),
        head=replace(head, dropout=float(head.dropout)) if isinstance(head, Head) else head,
    )


def _canonical_stage(stage: Stage) -> Stage:
    substages = tuple(_canonical_substage(s, stage.width) for s in stage.substages)
    if stage.connections in ("chain", "residual"):
        substages = tuple(s for s in substages if not isinstance(s, Identity))
    stage = replace(stage, entry=_canonical_substage(stage.entry, stage.width), substages=substages)
    chain = tuple((i,) for i in range(len(substages)))
    if stage.connections == "residual" and substages:
        return stage
    same = records.resolve_connections(stage) == chain
    return replace(stage, connections="chain") if same else stage


def _canonical_substage(substage: object, width: int) -> object:
    if isinstance(substage, Conv) and substage.groups == width:
        return replace(substage, groups="depthwise")
    return substage


def key(architecture: object) -> str:
    """Return the 16 hexadecimal digits that name a network, equal for equal ones on every machine.

    >>> key(Architecture()) == key(Architecture(stages=(Stage(substages=(Identity(),)),)))
    True
    """
    return _digest(to_json(canonical(architecture)))


def has_key(architecture: object, data: object, name: str) -> bool:
    """Return whether `name` is the key of an architecture, which was read from `data`."""
    return name == _digest(data) or name == key(architecture)  # the first is much faster


def _digest(data: object) -> str:
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_KEY_LENGTH]
