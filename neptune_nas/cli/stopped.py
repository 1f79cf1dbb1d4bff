"""The message after Ctrl-C about what is left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer


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
