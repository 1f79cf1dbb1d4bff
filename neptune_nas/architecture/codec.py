"""Records to JSON and back, canonical form, and the key that names a network.

A record becomes an object whose `type` names its class: the bare name for the toolkit's own, and
`package.module:Class` for a user's, or `file:Class` from a file, wherever that lies. Reading never
imports anything: a user's class is accepted only where the caller passes it in, so a file from
elsewhere cannot run code.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from neptune_nas.architecture import records
from neptune_nas.architecture.fields import Open, field_names, is_record, module_in_json
from neptune_nas.architecture.records import Architecture, Conv, Identity, Stage
from neptune_nas.errors import ArchitectureError, FileFormatError, one_of
from neptune_nas.files.type_hints import conforms

Json = dict[str, Any]

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
KEY_LENGTH = 16


class NotAllowedError(FileFormatError):
    """A user's own record in a file, whose class the caller did not pass in."""


def type_name(cls: type) -> str:
    """How JSON names a record's class.

    >>> type_name(Conv)
    'Conv'
    """
    if cls in BUILT_IN.values():
        return cls.__name__
    return f"{module_in_json(cls.__module__)}:{cls.__qualname__}"


def to_json(value: object) -> Any:
    """The JSON form of a closed record, a tuple of them, or a plain value.

    >>> to_json(Conv(kernel=5))
    {'type': 'Conv', 'kernel': 5, 'groups': 1}
    """
    if isinstance(value, Open):
        raise ArchitectureError(f"{value!r} is left open: sample the space it stands in first.")
    if is_record(value):
        content = {name: to_json(getattr(value, name)) for name in field_names(type(value))}
        return {"type": type_name(type(value)), **content}
    if isinstance(value, tuple):
        return [to_json(item) for item in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise ArchitectureError(
        f"a record holds {value!r} of type {type(value).__name__}, which JSON cannot: "
        f"use numbers, strings, booleans, None, tuples and records."
    )


def from_json(data: object, allow: Iterable[type] = (), path: str = "architecture") -> Any:
    """The record that `to_json` wrote; `allow` lists the user's own classes that may appear.

    Raises `FileFormatError` with the path of the part that is malformed, unknown or not allowed.
    """
    known = {**BUILT_IN, **{type_name(cls): cls for cls in allow}}
    if not isinstance(data, dict):
        raise FileFormatError(f"`{path}` must be an object with a `type`, but got {data!r}.")
    return _decode(data, known, path)


def _decode(data: object, known: Mapping[str, type], path: str) -> Any:
    if isinstance(data, list):
        return tuple(_decode(item, known, f"{path}.{i}") for i, item in enumerate(data))
    if not isinstance(data, dict):
        return data
    cls = _class_of(data, known, path)
    names = set(field_names(cls))
    given = set(data) - {"type"}
    for name in sorted(given ^ names):
        state = "is unknown" if name in given else "is missing"
        raise FileFormatError(f"`{path}.{name}` {state} ({data['type']} has: {_listed(names)}).")
    values = {name: _decode(data[name], known, f"{path}.{name}") for name in given}
    for name, hint in _hints(cls).items():
        if name in values and not conforms(values[name], hint):
            raise FileFormatError(
                f"`{path}.{name}` needs {_hint_text(hint)}, but got {data[name]!r}."
            )
        if hint is float and name in values:
            values[name] = float(values[name])  # JSON written elsewhere may say 0 for 0.0
    try:
        return cls(**values)
    except Exception as error:  # a user's own record may refuse its values in any way
        raise FileFormatError(f"`{path}`: {error}") from error


def _class_of(data: Mapping[str, object], known: Mapping[str, type], path: str) -> type:
    name = data.get("type")
    if not isinstance(name, str):
        raise FileFormatError(f"`{path}.type` must name a record, but got {name!r}.")
    if name in known:
        return known[name]
    if name.startswith("__main__:"):
        raise NotAllowedError(
            f"`{path}` is a user's own record '{name}', of a script that was run or of a notebook: "
            f"only there can its class be given, as `allow`. Define such records in a file of "
            f"their own, to import."
        )
    if ":" in name:
        raise NotAllowedError(
            f"`{path}` is a user's own record '{name}', which was not allowed: "
            f"give its class, or on the command line its file, as `allow` (--allow)."
        )
    raise FileFormatError(f"`{path}.type` is '{name}', which is no record: {one_of(known, name)}")


@cache
def _hints(cls: Any) -> dict[str, Any]:
    try:
        return get_type_hints(cls)
    except NameError:  # annotations of the user's that only their type checker can follow
        return {}


def _hint_text(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, get_args(hint)))}"
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(_hint_text(arg) for arg in get_args(hint))
    if get_origin(hint) is tuple:
        return "a list"
    # Any class is hashable; mypy sees only the special forms above.
    names = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}
    return names.get(hint, getattr(hint, "__name__", str(hint)))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "no fields"


def canonical(architecture: Any) -> Any:
    """The one form of all architectures that build the same network.

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
    """16 hexadecimal digits that name the network: equal for equal networks, on every machine.

    >>> key(Architecture()) == key(Architecture(stages=(Stage(substages=(Identity(),)),)))
    True
    """
    text = json.dumps(to_json(canonical(architecture)), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]
