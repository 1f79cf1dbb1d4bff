"""Explanations in words of why a node lacks a value, by the first path that differs."""

from typing import Any

from neptune_nas.architecture.fields import field_names, is_record, is_same
from neptune_nas.files.schema import cut
from neptune_nas.space.joint import Copies, Fields, Joint, SharedCopies
from neptune_nas.space.nodes import Either, Fixed, Node, Numbers, Tied
from neptune_nas.space.rules import Filtered, Ruled
from neptune_nas.space.walk import ROOT


def explain(node: Node, value: Any, path: str = "") -> str | None:
    """Return what is wrong with `value` at `path`, or None if it is a value of `node`."""
    if node.rank(value) is not None:
        return None
    match node:
        case Fixed():
            return _explain_fixed(node.value, value, path)
        case Numbers():
            return _wrong(path, value, f"in {node.values}")
        case Either():
            return _explain_choice(node, value, path)
        case Copies() | SharedCopies():
            return _explain_copies(node, value, path)
        case Tied():
            return explain(node.inner, value, path)
        case Joint() | Ruled():
            return _explain_parts(node, value, path)
        case Filtered():
            found = explain(node.node, value, path)
            return found or f"`{path or ROOT}` is {cut(value)}, which breaks its rule"
    raise AssertionError(f"no such node: {node!r}")


def _explain_fixed(wanted: Any, value: Any, path: str) -> str | None:
    if is_same(wanted, value):
        return None
    if is_record(wanted) and type(wanted) is type(value):
        prefix = f"{path}." if path else ""
        for name in field_names(type(wanted)):
            found = _explain_fixed(getattr(wanted, name), getattr(value, name), f"{prefix}{name}")
            if found:
                return found
    return _wrong(path, value, cut(wanted))


def _wrong(path: str, value: Any, wanted: str) -> str:
    return f"`{path or ROOT}` is {cut(value)}, but must be {wanted}"


def _explain_choice(node: Either, value: Any, path: str) -> str | None:
    alike = [k for k, option in enumerate(node.options) if _class(option) is type(value)]
    if len(alike) == 1:
        return explain(node.options[alike[0]], value, f"{path}[{alike[0]}]")
    return _wrong(path, value, f"one of {', '.join(map(repr, node.labels))}")


def _class(node: Node) -> type | None:
    form = node.form if isinstance(node, Joint | Ruled) else None
    return form.cls if isinstance(form, Fields) else None


def _explain_copies(node: Copies | SharedCopies, value: Any, path: str) -> str | None:
    if not isinstance(value, tuple):
        return _wrong(path, value, "a tuple")
    if not node.low <= len(value) <= node.high:
        return _wrong(f"{path}.depth", len(value), f"in {node.low}..{node.high}")
    found = (explain(node.item, item, f"{path}.{i}") for i, item in enumerate(value))
    disagree = "are not all alike" if isinstance(node, SharedCopies) else "decide a tie differently"
    return next(filter(None, found), f"the items of `{path}` {disagree}")


def _explain_parts(node: Joint | Ruled, value: Any, path: str) -> str | None:
    values = node.form.split(value)
    if values is None:
        cls = _class(node)
        return _wrong(path, value, f"a {cls.__name__}" if cls else "a tuple of other length")
    triples = zip(node.parts, values, node.form.places(path), strict=True)
    found = [explain(part, item, place) for part, item, place in triples]
    if any(found):
        return next(filter(None, found))
    if isinstance(node, Ruled) and not node.obey(values):
        return f"`{path or ROOT}` is {cut(value)}, which breaks its rule"
    return f"`{path or ROOT}` is {cut(value)}, which decides a tie in two ways"
