"""The terminal: names and paths are shown as they are, never read as markup or emoji."""

from rich.console import Console


def console(*, stderr: bool = False) -> Console:
    """A console that prints what it is given."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)
