"""The words a template is written in: each stands for a value and leaves it open.

Every word is typed as the thing it stands for, so that a template type-checks as an architecture:

>>> from neptune_nas.architecture.records import Conv, Stage
>>> Stage(width=choice(16, 32), substages=repeat(Conv(kernel=choice(3, 5)), 1, 3)).width
Choice(options=(16, 32))
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from neptune_nas.architecture.fields import Open
from neptune_nas.architecture.records import Stage, check_stage
from neptune_nas.errors import ArchitectureError, SpaceError

T = TypeVar("T")
Rule = Callable[[Any], bool]


class Word(Open):
    """The base of all words; every word but `repeat` stands for one item of a tuple."""

    __slots__ = ()

    def __iter__(self) -> Iterator["Word"]:
        """Refuse a star in front of anything but `repeat`."""
        raise SpaceError(
            f"only the copies of `repeat` can be spread with `*` among other items, "
            f"but got {self!r}: leave the star out."
        )


@dataclass(frozen=True, slots=True)
class Choice(Word):
    """One of several values or nested templates."""

    options: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class IntegerRange(Word):
    """A whole number from `low` to `high`, both included, in steps of `step`."""

    low: int
    high: int
    step: int


@dataclass(frozen=True, slots=True)
class Repeat(Word):
    """`low` to `high` copies of a template; `shared` copies are all decided at once."""

    template: object
    low: int
    high: int
    shared: bool

    def __iter__(self) -> Iterator[Word]:
        """Stand for the copies among other items: `(*repeat(Conv(), 1, 2), Attention())`."""
        yield self


@dataclass(frozen=True, slots=True)
class Tie(Word):
    """One decision, shared by all places that use the name."""

    name: str
    template: object


@dataclass(frozen=True, slots=True)
class Where(Word):
    """The values of a template that obey a rule."""

    template: object
    rule: Rule


def choice(*options: T) -> T:
    """Leave a value open among `options`: plain values, records, or templates with open fields.

    The result has their type, so that a template type-checks as what it stands for. Raises
    `SpaceError` without options; the `Space` refuses two options for one value.
    """
    if not options:
        raise SpaceError("`choice` needs at least one option, but got none.")
    return cast("T", Choice(options))


def integer(low: int, high: int, step: int = 1) -> int:
    """Leave a whole number open, from `low` to `high`: `integer(16, 64, 16)` has four values.

    Both ends are included. Raises `SpaceError` if `step` does not lead from one to the other.
    """
    if step < 1 or high < low or (high - low) % step:
        raise SpaceError(
            f"`integer` needs low <= high and a step that leads from one to the other, "
            f"but got low={low}, high={high}, step={step}."
        )
    return cast("int", IntegerRange(low, high, step))


def repeat(template: T, low: int, high: int, *, shared: bool = False) -> tuple[T, ...]:
    """Leave the number of copies of `template` open, from `low` to `high`.

    Each copy is decided independently, or all at once if `shared`. A star puts the copies among
    other items: `(Conv(), *repeat(...))`. Raises `SpaceError` unless 0 <= low <= high.
    """
    if not 0 <= low <= high:
        raise SpaceError(f"`repeat` needs 0 <= low <= high, but got low={low}, high={high}.")
    return cast("tuple[T, ...]", Repeat(template, low, high, shared))


def optional(template: T) -> T | None:
    """Leave open whether there is a `template` or None, which adds one architecture."""
    return choice(None, template)


def tie(name: str, template: T) -> T:
    """Decide `template` once for all places that use the name: `tie("w", choice(8, 16))`.

    Raises `SpaceError` for a name that is no identifier.
    """
    if not name.isidentifier():
        raise SpaceError(f"`tie` needs a name made of letters, digits and _, but got {name!r}.")
    return cast("T", Tie(name, template))


def where(template: T, rule: Callable[[T], bool]) -> T:
    """Keep only the values of `template` for which `rule(value)` is true.

    The rule must depend on nothing but its argument. On a record, only the fields that it reads
    are enumerated (each combination once, at most a million), so read few. The `Space` raises
    `SpaceError` if the rule leaves nothing, or fails.
    """
    return cast("T", Where(template, rule))


def buildable(stage: Stage) -> bool:
    """Return whether the parts of a stage fit together: heads and groups divide its width.

    Examples:
        >>> from neptune_nas.architecture.records import Attention
        >>> fitting = where(
        ...     Stage(width=choice(8, 12), substages=(Attention(heads=choice(2, 8)),)), buildable
        ... )

    """
    try:
        check_stage(stage)
    except ArchitectureError:
        return False
    return True
