"""The check for options of a choice that have a value in common."""

from neptune_nas.space.joint import ONE, Copies, Fields, Items, Joint, SharedCopies, spans
from neptune_nas.space.nodes import Either, Fixed, Node, Numbers, Tied, total
from neptune_nas.space.rules import Filtered, Ruled

_FEW = 10_000  # the most values that are looked up one by one


def overlap(a: Node, b: Node) -> bool:
    """Return whether two nodes have a value in common.

    Exact if one of them has at most 10,000 values. Beyond that the answer is True in doubt, which
    is rare: options mostly differ in their class or their first item.
    """
    if not _may_overlap(a, b):
        return False
    few, other = sorted((a, b), key=total)
    if total(few) > _FEW:
        return True
    return any(other.rank(value) is not None for given in few.counts for value in few.each(given))


def _may_overlap(a: Node, b: Node) -> bool:
    """Return whether the kinds of two nodes allow a common value; never False if there is one."""
    for one, other in ((a, b), (b, a)):
        match one:
            case Either():
                return any(_may_overlap(option, other) for option in one.options)
            case Tied():
                return _may_overlap(one.inner, other)
            case Filtered():
                return _may_overlap(one.node, other)
            case Ruled():
                return _may_overlap(Joint(one.parts, one.form), other)
    match a, b:
        case Fixed(), _:
            return b.rank(a.value) is not None
        case _, Fixed():
            return a.rank(b.value) is not None
        case Numbers(), Numbers():
            return any(value in b.values for value in a.values)
        case Joint(form=Fields() as ours), Joint(form=Fields() as theirs):
            return ours.cls is theirs.cls and all(map(_may_overlap, a.parts, b.parts))
        case ((Numbers() | Joint(form=Fields())), _) | (_, (Numbers() | Joint(form=Fields()))):
            return False
    return _tuples_may_overlap(a, b)


def _tuples_may_overlap(a: Node, b: Node) -> bool:
    lengths = {*_lengths(a)} & {*_lengths(b)}
    first, other = _first(a), _first(b)
    if not lengths or 0 in lengths or first is None or other is None:
        return bool(lengths)
    return _may_overlap(first, other)


def _lengths(node: Node) -> range:
    if isinstance(node, Joint):
        assert isinstance(node.form, Items)
        spanned = [span or ONE for span in node.form.lengths]
        return range(sum(r[0] for r in spanned), sum(r[-1] for r in spanned) + 1)
    lengths = spans(node)
    assert lengths is not None
    return lengths


def _first(node: Node) -> Node | None:
    """Return the node of the first item, or None if several nodes may supply it."""
    part = node.parts[0] if isinstance(node, Joint) else node
    if isinstance(part, Copies | SharedCopies):
        return None if part.low == 0 else part.item
    return part
