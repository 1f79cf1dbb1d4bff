"""What Ctrl-C leaves, said in a line."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer


@contextmanager
def stoppable(done: str, folder: Path, is_any: Callable[[], bool]) -> Iterator[None]:
    """Say where what was `done` is, and how to go on, if Ctrl-C ends what is inside.

    `is_any`: whether the folder has anything of that.
    """
    try:
        yield
    except KeyboardInterrupt:
        kept = f". What was {done} is in {folder}" if is_any() else f" before anything was {done}"
        typer.echo(f"Stopped{kept}; the same command goes on.", err=True)
        raise
