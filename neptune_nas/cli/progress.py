"""The line that moves while a search runs; plain log lines where there is no terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from neptune_nas.cli.console import console
from neptune_nas.study.progress import Progress
from neptune_nas.wording import plural

LOG_EVERY = 10.0  # seconds between two lines of a log

Watch = Callable[[Progress], None]


@contextmanager
def watching(folder: Path, *, quiet: bool, verbose: bool) -> Iterator[Watch]:
    """A watcher that prints what a search does, for as long as the block runs.

    It says nothing before the first result, so that a mistake found until then stands alone.
    """
    terminal = console(stderr=True)
    if quiet:
        yield lambda _: None
    elif terminal.is_terminal and not verbose:
        text = TextColumn("{task.description}", markup=False)
        with Bar(BarColumn(), text, console=terminal) as bar:
            yield Line(bar, folder)
    else:
        yield Log(terminal, folder, 0.0 if verbose else LOG_EVERY)


class Line:
    """A bar and a line that change with each result."""

    def __init__(self, bar: Bar, folder: Path) -> None:
        self.bar = bar
        self.task = bar.add_task(f"starting; into {folder}. Ctrl-C stops, the same command goes on")

    def __call__(self, progress: Progress) -> None:
        """Show `progress`."""
        self.bar.update(
            self.task,
            completed=progress.done,
            total=progress.total,
            description=one_line(progress),
        )


class Log:
    """Prints a line at most every so many seconds, and at the end."""

    def __init__(self, console: Console, folder: Path, every: float) -> None:
        self.console, self.folder, self.every = console, folder, every
        self.last = 0.0

    def __call__(self, progress: Progress) -> None:
        """Print `progress` if it is time to."""
        if not self.last:
            self.console.print(f"Searching into {self.folder}.", soft_wrap=True)
        is_end = progress.done >= progress.total and progress.running == 0
        if is_end or monotonic() - self.last >= self.every:
            self.last = monotonic()
            self.console.print(one_line(progress), soft_wrap=True)


def one_line(progress: Progress) -> str:
    """What is worth a glance."""
    p = progress
    best = "-" if p.best_accuracy is None else f"{p.best_accuracy:.4f}"
    failed = f", {p.failed} failed" if p.failed else ""
    left = "" if p.seconds_left is None or p.done >= p.total else f", {clock(p.seconds_left)} left"
    return (
        f"{p.done}/{p.total} {plural(p.total, 'trial')}, best accuracy {best}, "
        f"hypervolume {p.hypervolume:.4f}{failed}{left}"
    )


def clock(seconds: float) -> str:
    """A duration as people say it.

    >>> clock(42), clock(150), clock(4000)
    ('42s', '2m30s', '1h06m')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"
