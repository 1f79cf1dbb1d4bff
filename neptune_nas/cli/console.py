"""The terminal, which shows names and paths literally, without markup or emoji."""

from rich.console import Console


def console(*, stderr: bool = False) -> Console:
    """Return a console that prints text literally."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)
