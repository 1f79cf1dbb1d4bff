"""Numbers and values in sentences."""


def counted(count: int, noun: str, many: str = "") -> str:
    """How many there are of something; `many` is its plural, where that is not in s.

    >>> counted(1, "trial"), counted(0, "trial"), counted(1200, "study", "studies")
    ('1 trial', '0 trials', '1,200 studies')
    """
    return f"{count:,} {plural(count, noun, many)}"


def plural(count: int, noun: str, many: str = "") -> str:
    """The form of a noun that stands behind a number; `many` as of `counted`.

    >>> plural(1, "seed"), plural(3, "seed")
    ('seed', 'seeds')
    """
    return noun if count == 1 else many or f"{noun}s"


def as_typed(value: object) -> str:
    """A value as people type it, several of them with commas between.

    >>> as_typed((5, 2)), as_typed(3), as_typed("gp")
    ('5,2', '3', "'gp'")
    """
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return repr(value)
