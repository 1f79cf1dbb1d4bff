"""Records to JSON and back, their canonical form, and the key that names a network.

A record becomes an object whose `type` names its class: the bare name for the toolkit's own,
`package.module:Class` for a user's, and `file:Class` for a user's from a file, wherever the file
is. Reading never imports anything: it accepts a user's class only if the caller passes it in, so a
file from elsewhere cannot run code.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from neptune_nas.architecture import records
from neptune_nas.architecture.fields import Open, field_names, is_record, module_in_json
from neptune_nas.architecture.records import Architecture, Conv, Identity, Stage
from neptune_nas.errors import ArchitectureError, FileFormatError, one_of
from neptune_nas.files.schema import check_names, check_values, cut, fault

BUILT_IN: Mapping[str, type] = {
    cls.__name__: cls
    for cls in (
        records.Architecture,
        records.Attention,
        records.Conv,
        records.FeedForward,
        records.Head,
        records.Identity,
        records.InvertedResidual,
        records.Stage,
        records.Stem,
    )
}
_KEY_LENGTH = 16


class NotAllowedError(FileFormatError):
    """Raised for a user's own record in a file whose class the caller did not pass in."""


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
    if is_record(value):
        content = {name: to_json(getattr(value, name)) for name in field_names(type(value))}
        return {"type": type_name(type(value)), **content}
    if isinstance(value, tuple):
        return [to_json(item) for item in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise ArchitectureError(
        f"a record holds {cut(value)} of type {type(value).__name__}, which JSON cannot: "
        f"use numbers, strings, booleans, None, tuples and records."
    )


def from_json(data: object, allow: Iterable[type] = (), path: str = "architecture") -> Any:
    """Return the record that `to_json` wrote; `allow` lists the user's own classes that may appear.

    Raises `FileFormatError` with the path of the part that is malformed, unknown or not allowed.
    """
    known = {**BUILT_IN, **{type_name(cls): cls for cls in allow}}
    if not isinstance(data, dict):
        raise FileFormatError(fault(path, "an object with a `type`", data))
    return _decode(data, known, path)


def _decode(data: object, known: Mapping[str, type], path: str) -> Any:
    if isinstance(data, list):
        return tuple(_decode(item, known, f"{path}.{i}") for i, item in enumerate(data))
    if not isinstance(data, dict):
        return data
    cls = _class_of(data, known, path)
    names = field_names(cls)
    given = {name: value for name, value in data.items() if name != "type"}
    check_names(given, names, names, path)
    values = {name: _decode(value, known, f"{path}.{name}") for name, value in given.items()}
    checked = check_values(cls, values, path)
    try:
        return cls(**checked)
    except Exception as error:  # a user's own record may refuse its values in any way
        raise FileFormatError(f"`{path}`: {error}") from error


def _class_of(data: Mapping[str, object], known: Mapping[str, type], path: str) -> type:
    name = data.get("type")
    if not isinstance(name, str):
        raise FileFormatError(fault(f"{path}.type", "the name of a record", name))
    if name in known:
        return known[name]
    if name.startswith("__main__:"):
        raise NotAllowedError(
            f"`{path}` is a user's own record {cut(name)}, defined in a script or notebook: "
            f"only there can you pass its class as `allow`. Define such records in a module "
            f"and import them."
        )
    if ":" in name:
        raise NotAllowedError(
            f"`{path}` is a user's own record {cut(name)}, which is not allowed: "
            f"pass its class, or on the command line its file, as `allow` (--allow)."
        )
    raise FileFormatError(
        f"`{path}.type` is {cut(name)}, which is not a record: {one_of(known, name)}"
    )


def canonical(architecture: Any) -> Any:
    """Return the canonical form, which is the same for all architectures of the same network.

    Identities that nothing else reads are dropped, `groups` equal to the width is "depthwise", and
    `connections` of a stage whose SubStages all read just the last output is "chain". A root
    record of the user's own is its own canonical form.
    """
    if not isinstance(architecture, Architecture):
        return architecture
    return replace(
        architecture,
        stages=tuple(_canonical_stage(stage) for stage in architecture.stages),
        head=replace(architecture.head, dropout=float(architecture.head.dropout)),
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
    text = json.dumps(to_json(canonical(architecture)), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_KEY_LENGTH]
