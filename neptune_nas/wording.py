"""Numbers in sentences."""


def counted(count: int, noun: str) -> str:
    """How many there are of something whose plural ends in s.

    >>> counted(1, "trial"), counted(0, "trial"), counted(1200, "trial")
    ('1 trial', '0 trials', '1,200 trials')
    """
    return f"{count:,} {plural(count, noun)}"


def plural(count: int, noun: str) -> str:
    """The form of a noun that stands behind a number.

    >>> plural(1, "seed"), plural(3, "seed")
    ('seed', 'seeds')
    """
    return noun if count == 1 else f"{noun}s"
