"""What Ctrl-C leaves, said in a line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer


@contextmanager
def stoppable(done: str, folder: Path) -> Iterator[None]:
    """Say where what was `done` is, and how to go on, if Ctrl-C ends what is inside."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"Stopped. What was {done} is in {folder}; the same command goes on.", err=True)
        raise
