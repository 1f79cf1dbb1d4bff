"""The terminal, which shows names and paths literally, without markup or emoji."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console


def console(*, stderr: bool = False) -> Console:
    """Return a console that prints text literally."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


@contextmanager
def stoppable(done: str, folder: Path, is_any: Callable[[], bool]) -> Iterator[None]:
    """Print where the results so far are, and how to go on, if Ctrl-C ends the block.

    `done`: the participle for the work, such as "measured". `is_any`: whether there are results.
    """
    try:
        yield
    except KeyboardInterrupt:
        kept = f"; results so far are in {folder}" if is_any() else f" before anything was {done}"
        typer.echo(f"Stopped{kept}. The same command resumes.", err=True)
        raise
