"""Decisions and their paths: from an architecture to its picks, and from picks to an architecture.

A path names an open field and the options taken on the way to it: in
`stages.0.substages.1[0].kernel`, `.0` and `.1` are places in a tuple and `[0]` is the first option
of the choice at `stages.0.substages.1`. The length of a repeat is decided at `PATH.depth`, a tie at
`~NAME`, a choice between whole templates at `.`. A place means the same at every depth, so that a
model of the space can learn about it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from neptune_nas.space.compiler import Label
from neptune_nas.space.joint import Copies, Joint, SharedCopies
from neptune_nas.space.nodes import Either, Fixed, Node, Numbers, RejectedError, Tied
from neptune_nas.space.rules import Filtered, Ruled

Picks = dict[str, Label]
ROOT = "."


@dataclass(frozen=True, slots=True)
class Decision:
    """An open field: its path and its options, which are labels or a range of numbers."""

    path: str
    options: Sequence[Label]

    @property
    def is_numeric(self) -> bool:
        """True if the picks are a range of whole numbers."""
        return isinstance(self.options, range)


_Chooser = Callable[[Decision], Label]


def decide(node: Node, choose: _Chooser, path: str = "", ties: dict[str, Any] | None = None) -> Any:
    """Return the value that `choose` leads to; it is asked for one decision after the other.

    Raises `RejectedError` if a rule forbids the value.
    """
    ties = {} if ties is None else ties
    match node:
        case Fixed():
            return node.value
        case Numbers():
            return choose(Decision(path or ROOT, node.values))
        case Either():
            k = node.labels.index(choose(Decision(path or ROOT, node.labels)))
            return decide(node.options[k], choose, f"{path}[{k}]", ties)
        case Copies() | SharedCopies():
            return _decide_copies(node, choose, path, ties)
        case Tied():
            if node.name not in ties:
                ties[node.name] = decide(node.inner, choose, f"~{node.name}")
            return ties[node.name]
        case Joint() | Ruled():
            pairs = zip(node.form.places(path), node.parts, strict=True)
            return node.join([decide(part, choose, place, ties) for place, part in pairs])
        case Filtered():
            value = decide(node.node, choose, path, ties)
            if not node.obeys(value):
                raise RejectedError(f"{node.at} has a rule that forbids {value!r}.")
            return value
    raise AssertionError(f"no such node: {node!r}")


def _decide_copies(
    node: Copies | SharedCopies, choose: _Chooser, path: str, ties: dict[str, Any]
) -> tuple[Any, ...]:
    lengths = range(node.low, node.high + 1)
    length = choose(Decision(f"{path}.depth", lengths)) if len(lengths) > 1 else node.low
    assert isinstance(length, int)
    if isinstance(node, SharedCopies):
        return (decide(node.item, choose, f"{path}.*", ties),) * length if length else ()
    return tuple(decide(node.item, choose, f"{path}.{i}", ties) for i in range(length))


def picks(node: Node, value: Any, path: str = "") -> Picks:
    """Return the pick at each open field on the way to `value`, a value of the node."""
    found: Picks = {}
    _read(node, value, path, found)
    return found


def _read(node: Node, value: Any, path: str, found: Picks) -> None:
    match node:
        case Numbers():
            found[path or ROOT] = value
        case Either():
            k = node.option_of(value)
            found[path or ROOT] = node.labels[k]
            _read(node.options[k], value, f"{path}[{k}]", found)
        case Copies() | SharedCopies():
            if node.low < node.high:
                found[f"{path}.depth"] = len(value)
            shared = isinstance(node, SharedCopies)
            for i, item in enumerate(value[:1] if shared else value):
                _read(node.item, item, f"{path}.{'*' if shared else i}", found)
        case Tied():
            _read(node.inner, value, f"~{node.name}", found)
        case Joint() | Ruled():
            triples = zip(node.form.places(path), node.parts, node.split(value), strict=True)
            for place, part, item in triples:
                _read(part, item, place, found)
        case Filtered():
            _read(node.node, value, path, found)


def decisions(node: Node, path: str = "") -> Iterator[Decision]:
    """Yield every possible decision, in the order of the template; a tie once per place."""
    match node:
        case Numbers():
            yield Decision(path or ROOT, node.values)
        case Either():
            yield Decision(path or ROOT, node.labels)
            for k, option in enumerate(node.options):
                yield from decisions(option, f"{path}[{k}]")
        case Copies() | SharedCopies():
            if node.low < node.high:
                yield Decision(f"{path}.depth", range(node.low, node.high + 1))
            copies = ["*"] if isinstance(node, SharedCopies) else range(node.high)
            for place in copies:
                yield from decisions(node.item, f"{path}.{place}")
        case Tied():
            yield from decisions(node.inner, f"~{node.name}")
        case Joint() | Ruled():
            for place, part in zip(node.form.places(path), node.parts, strict=True):
                yield from decisions(part, place)
        case Filtered():
            yield from decisions(node.node, path)
