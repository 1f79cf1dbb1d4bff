"""The text of a template, to fingerprint a space and to show it to people."""

from collections.abc import Callable, Iterator
from inspect import getsource
from typing import Any

from neptune_nas.architecture.fields import is_same, later_fields
from neptune_nas.space.joint import Copies, Fields, Joint, SharedCopies
from neptune_nas.space.nodes import Either, Fixed, Node, Numbers, Tied
from neptune_nas.space.rules import Filtered, Ruled


def outline(node: Node, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield pairs of a path and its possible values, decided fields included; `PATH?` is a rule."""
    match node:
        case Fixed():
            yield path, repr(node.value)
        case Numbers():
            step = f" in steps of {node.values.step}" if node.values.step > 1 else ""
            yield path, f"{node.values[0]} to {node.values[-1]}{step}"
        case Either():
            yield path, " | ".join(map(str, node.labels))
            for k, option in enumerate(node.options):
                if not isinstance(option, Fixed):
                    yield from outline(option, f"{path}[{k}]")
        case Copies() | SharedCopies():
            alike = ", all alike" if isinstance(node, SharedCopies) else ""
            yield path, f"{node.low} to {node.high} of{alike}"
            yield from outline(node.item, f"{path}.*")
        case Tied():
            yield path, f"as ~{node.name}"
            yield from outline(node.inner, f"~{node.name}")
        case Joint() | Ruled():
            if isinstance(node.form, Fields):
                yield path, node.form.cls.__name__
            for place, part in zip(node.form.places(path), node.parts, strict=True):
                if not _is_unwritten(node, place, part):
                    yield from outline(part, place)
    match node:
        case Filtered():
            yield from outline(node.node, path)
            yield f"{path}?", f"a rule keeps {node.summary}"
        case Ruled():
            names, read = node.names_and_read
            yield f"{path}?", f"a rule on {', '.join(names) or 'nothing'} keeps {read.summary}"


def _is_unwritten(node: Joint | Ruled, place: str, part: Node) -> bool:
    """Return whether a part is a field that text leaves out: a later one at its default."""
    if not isinstance(node.form, Fields) or not isinstance(part, Fixed):
        return False
    name, later = place.rpartition(".")[2], later_fields(node.form.cls)
    return name in later and is_same(part.value, later[name])


def rule_text(rule: Callable[[Any], bool]) -> str:
    """Return the source of a rule, or its name if the source is not available."""
    try:
        return " ".join(getsource(rule).split())
    except (OSError, TypeError):
        return getattr(rule, "__qualname__", repr(rule))
