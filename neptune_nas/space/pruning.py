"""The pruning of templates: options of open fields that are left out."""

from collections.abc import Callable
from dataclasses import replace

from neptune_nas.space.language import Choice, IntegerRange, Repeat, Tie, Where

Change = Callable[[object], object]
"""Returns what stands in the place of a value or template of a record; `NOTHING` leaves it out."""


class _Nothing:
    """The type of `NOTHING`."""


NOTHING = _Nothing()
"""The rest of a template without any option."""


def prune(template: object, change: Change) -> object:
    """Return a template with the values that `change` returns in the place of its own.

    `change` is called with each value and record that the template can take, item by item in a
    tuple. A choice with one option left becomes that option. A tuple is left out with any of its
    items; a repeat of an item that is left out becomes empty if it may be, else it is left out too.
    """
    match template:
        case Choice(options):
            some = [each for each in (prune(x, change) for x in options) if each is not NOTHING]
            if len(some) > 1:
                return Choice(tuple(some))
            return some[0] if some else NOTHING
        case IntegerRange(low, high, step):
            numbers = tuple(range(low, high + 1, step))
            some = [number for number in numbers if change(number) is not NOTHING]
            return template if len(some) == len(numbers) else prune(Choice(tuple(some)), _same)
        case Repeat():
            item = prune(template.template, change)
            if item is NOTHING:
                return replace(template, high=0) if template.low == 0 else NOTHING
            return replace(template, template=item)
        case Tie() | Where():
            inner = prune(template.template, change)
            return NOTHING if inner is NOTHING else replace(template, template=inner)
        case tuple():
            items = tuple(prune(item, change) for item in template)
            return NOTHING if NOTHING in items else items
    return change(template)


def _same(value: object) -> object:
    return value
