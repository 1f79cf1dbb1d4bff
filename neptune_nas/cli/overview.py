"""A study at a glance, for the terminal."""

from collections.abc import Iterator
from dataclasses import replace
from time import time

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from neptune_nas.cli.progress import clock, one_line
from neptune_nas.describe import describe
from neptune_nas.study.progress import is_at_work, is_complete, nothing_left, progress_of
from neptune_nas.study.study import Study
from neptune_nas.trial import State
from neptune_nas.wording import plural

SHOWN = 8


def overview(study: Study) -> RenderableType:
    """The line of the search, its rungs, what runs, and the front."""
    question = study.settings.question
    progress, at_work = progress_of(study, time()), is_at_work(study)
    if not at_work:
        progress = replace(progress, seconds_left=None)
    lines = [Text(f"{study.settings.name}: {one_line(progress)}", style="bold")]
    if study.ledger.exhausted:
        lines.append(Text(nothing_left(question)))
    if len(question.rungs) > 1:
        scored = (sum(bool(t.scores_at(level)) for t in study.trials) for level in question.rungs)
        names = map(question.budget, question.rungs)
        steps = (f"{n} at {name}" for n, name in zip(scored, names, strict=True))
        lines.append(Text(f"rungs: {', '.join(steps)}"))
    if not is_complete(study):
        lines += map(Text, unfinished(study, at_work))
    latest = max((s.started + s.seconds for t in study.trials for s in t.scores), default=0.0)
    if latest:
        lines.append(Text(f"last result {clock(max(0.0, time() - latest))} ago"))
    return Group(*lines, front_table(study))


def unfinished(study: Study, at_work: bool | None) -> Iterator[str]:
    """Whether anyone is at work on what is missing, if known, and which trials have no end yet."""
    if at_work is not None:
        yield "at work" if at_work else "stopped: the same search again goes on"
    if running := [str(t.number) for t in study.trials if t.state is State.RUNNING]:
        more = ", ..." if len(running) > SHOWN else ""
        trials = plural(len(running), "trial")
        yield f"begun and not ended: {trials} {', '.join(running[:SHOWN])}{more}"


def front_table(study: Study) -> Table:
    """The front, the most accurate first."""
    table = Table(title="Pareto front", title_justify="left", box=None, padding=(0, 2))
    for column in ("trial", "accuracy", "MFLOPs"):
        table.add_column(column, justify="right", no_wrap=True, min_width=len(column))
    table.add_column("architecture", overflow="ellipsis", no_wrap=True, ratio=1)
    for trial in reversed(study.pareto()[-SHOWN:]):
        accuracy = f"{trial.score.accuracy:.4f}" if trial.score else "-"
        mflops = f"{trial.cost.flops / 1e6:.3f}"
        table.add_row(str(trial.number), accuracy, mflops, describe(trial.architecture))
    return table
