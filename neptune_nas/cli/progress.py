"""The progress of a running search: a bar in a terminal, else plain log lines."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from neptune_nas.architecture.description import describe
from neptune_nas.cli.console import console
from neptune_nas.cli.terminal import print_line
from neptune_nas.metrics.registry import COST
from neptune_nas.metrics.score import Score
from neptune_nas.study.progress import Progress, progress_line
from neptune_nas.study.trial import Trial
from neptune_nas.text import visible

HYPERVOLUME = "The hypervolume (0 to 1) grows as the front improves."
LOG_EVERY = 10.0  # seconds between two lines of a log

Watch = Callable[[Progress], None]


def say(sentence: str) -> None:
    """Print a note before the first result."""
    print_line(sentence, stderr=True)  # a console would print into a bar's line


@contextmanager
def watching(folder: Path, *, quiet: bool, verbose: bool) -> Iterator[Watch]:
    """Yield a watcher that prints the progress of a search inside the block.

    The watcher prints nothing before the first result, so that an earlier error is printed alone.
    """
    terminal = console(stderr=True)
    if quiet:
        yield lambda _: None
    elif terminal.is_terminal and not verbose:
        text = TextColumn("{task.description}", markup=False)
        with Bar(BarColumn(), text, console=terminal) as bar:
            yield ProgressLine(bar, folder)
    else:
        log = Log(terminal, folder, verbose=verbose)
        yield log
        log.end()


class ProgressLine:
    """A progress bar with a line of text, updated with each result."""

    def __init__(self, bar: Bar, folder: Path) -> None:
        self.bar = bar
        self.task = bar.add_task(f"starting in {folder}; Ctrl-C stops, the same command resumes")

    def __call__(self, progress: Progress) -> None:
        """Show `progress`."""
        self.bar.update(
            self.task,
            completed=progress.done,
            total=progress.total,
            description=progress_line(progress),
        )


class Log:
    """A log of the search's progress, every ten seconds and at its end; or after each result.

    In the latter case, the first failure for each reason is followed by its traceback.
    """

    def __init__(self, console: Console, folder: Path, *, verbose: bool) -> None:
        self.console, self.folder, self.verbose = console, folder, verbose
        self.last = 0.0
        self.unsaid: Progress | None = None
        self.is_complete = False
        self.explained: set[str | None] = set()

    def __call__(self, progress: Progress) -> None:
        """Print `progress` if it is due."""
        if not self.last:
            self._print(f"Searching into {self.folder}. {HYPERVOLUME}")
        self.unsaid = progress
        is_last = progress.done >= progress.total and not self.is_complete
        self.is_complete |= is_last  # only promotions follow
        if self.verbose or is_last or monotonic() - self.last >= LOG_EVERY:
            self.last = monotonic()
            self.end()

    def end(self) -> None:
        """Print the latest progress, if not yet printed."""
        if self.unsaid is None:
            return
        newest = self.unsaid.newest if self.verbose else None
        result = f"{result_line(newest)}; " if newest else ""
        self._print(f"{result}{progress_line(self.unsaid)}")
        self.unsaid = None
        if newest and newest.trace and newest.failure not in self.explained:
            self.explained.add(newest.failure)
            for line in newest.trace.rstrip("\n").split("\n"):
                self._print(line)

    def _print(self, line: str) -> None:
        self.console.print(visible(line), soft_wrap=True, markup=False)


def result_line(trial: Trial) -> str:
    """Return a line with a trial's latest result, its cost and its architecture."""
    amount, unit = COST.per
    size = f"{trial.values.get(COST.name, 0) / amount:.3f} {unit}"
    what = f"{size}, {describe(trial.architecture)}"
    if not trial.scores:
        return f"trial {trial.number} {trial.state}: {what}"
    score = trial.scores[-1]
    if not score.ok:
        found = f"failed ({score.failure})"
    elif score.proxy is None:
        found = f"{score_text(score)} at {score.fidelity}"
    else:
        found = f"proxy {score.proxy:.4g}"
    return f"trial {trial.number}: {found}, {what}"


def score_text(score: Score) -> str:
    """Return the main value of a successful score, with its name."""
    return f"{next(iter(score.values), 'proxy')} {score.rank_value:.4f}"
