"""Rules that hold between or over the fields of a record of options."""

from collections.abc import Iterable

from neptune_nas.errors import OptionError


def check_positive(record: object, names: Iterable[str]) -> None:
    """Refuse the first of these fields that is given and not greater than 0."""
    for name in names:
        value = getattr(record, name)
        if value is not None and not value > 0:
            raise OptionError(f"`{name}` must be greater than 0, but got {value}.")


def check_exclusive(record: object, pairs: Iterable[tuple[str, str]]) -> None:
    """Refuse the first two of these fields that are both given."""
    for pair in pairs:
        if all(getattr(record, name) for name in pair):
            raise OptionError(exclusive(*pair))


def exclusive(one: str, other: str) -> str:
    """The sentence about two options that are both given.

    >>> exclusive("table", "evaluator")
    '`table` and `evaluator` exclude each other: leave one of them out.'
    """
    return f"`{one}` and `{other}` exclude each other: leave one of them out."


def require_member(name: str, value: str, members: tuple[str, ...]) -> None:
    """Refuse a name that is none of `members`."""
    if value not in members:
        raise OptionError(f"`{name}` must be one of {', '.join(members)}, but got {value!r}.")
