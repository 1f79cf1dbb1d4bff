"""A study at a glance, for the terminal."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from time import time

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from neptune_nas.architecture.description import describe
from neptune_nas.cli.tables import objective_columns
from neptune_nas.metrics.score import Score
from neptune_nas.study.confirmation import confirmation_progress, read_aim
from neptune_nas.study.folder import Folder
from neptune_nas.study.measures import main_score
from neptune_nas.study.progress import (
    is_at_work,
    is_complete,
    nothing_left,
    progress_line,
    progress_of,
)
from neptune_nas.study.study import Study
from neptune_nas.study.trial import State, Trial
from neptune_nas.text import clock, counted, plural

SHOWN = 8


def overview(study: Study) -> RenderableType:
    """Return the search's progress, its rungs, running trials, and the front if there is one."""
    question = study.settings.question
    progress, at_work = progress_of(study, time()), is_at_work(study)
    if not at_work:
        progress = replace(progress, seconds_left=None)
    lines = [Text(f"{study.settings.name}: {progress_line(progress)}", style="bold")]
    if study.ledger.exhausted:
        lines.append(Text(nothing_left(question)))
    if start := study.settings.facts.start:
        lines.append(Text(f"started from {start}"))
    if len(question.rungs) > 1:
        scored = (sum(bool(t.scores_at(level)) for t in study.trials) for level in question.rungs)
        names = map(question.budget, question.rungs)
        steps = (f"{n} at {name}" for n, name in zip(scored, names, strict=True))
        lines.append(Text(f"rungs: {', '.join(steps)}"))
    lines += map(Text, what_is_done(study, at_work))
    scores = (s for t in study.trials for s in (*t.scores, *t.confirmations))
    latest = max((s.started + s.seconds for s in scores), default=0.0)
    if latest:
        lines.append(Text(f"last result {clock(max(0.0, time() - latest))} ago"))
    front = [front_table(study)] if study.ranked else []
    return Group(*lines, *front)


def what_is_done(study: Study, at_work: bool | None) -> Iterator[str]:
    """Yield what remains to be done, and whether a process is at work on it, if known."""
    is_confirmed_now = bool(Folder(study.folder).is_confirmed_now)
    if not is_complete(study):
        yield from unfinished(study, at_work)
    elif at_work and not is_confirmed_now:
        yield "at work after the search"
    yield from confirmation_text(study, at_work, is_confirmed_now=is_confirmed_now)
    yield from audit_line(study)
    yield from references_line(study)


def unfinished(study: Study, at_work: bool | None) -> Iterator[str]:
    """Yield whether a process is searching, if known, and the trials that have not ended."""
    if at_work is not None:
        yield "at work" if at_work else "stopped: run the same search to resume"
    if running := [str(t.number) for t in study.trials if t.state is State.RUNNING]:
        more = ", ..." if len(running) > SHOWN else ""
        trials = plural(len(running), "trial")
        yield f"unfinished: {trials} {', '.join(running[:SHOWN])}{more}"


def confirmation_text(
    study: Study, at_work: bool | None, *, is_confirmed_now: bool
) -> Iterator[str]:
    """Yield the progress of confirming the best trials, if it has begun."""
    aim = read_aim(Folder(study.folder).confirmations)
    if aim is None or not study.ranked:
        return
    now = confirmation_progress(study, aim)
    unconfirmed = (
        f", {counted(now.unconfirmed, 'trial')} still to confirm" if now.unconfirmed else ""
    )
    is_stopped = at_work is False and now.done < now.total
    failed = _failed(score for trial in study.trials for score in trial.confirmations)
    yield (
        f"{'confirming' if is_confirmed_now else 'confirmed'}: {now.done} of "
        f"{counted(now.total, 'further score')}{failed}{unconfirmed}"
        f"{'; stopped: run the same command to resume' if is_stopped else ''}"
    )


def audit_line(study: Study) -> Iterator[str]:
    """Yield how many architectures an audit has measured, if one has begun."""
    if study.full_budget is None:
        return
    truths, budget = study.full_budget.truths, study.full_budget.epochs
    failed = _failed(truth.score for truth in truths)
    count = counted(len(truths), "architecture")
    yield f"audit: {count} at {study.settings.question.budget(budget)}{failed}"


def references_line(study: Study) -> Iterator[str]:
    """Yield how many reference networks were trained, if any, and from how many seeds."""
    if not study.references:
        return
    scores = [score for each in study.references for score in each.scores]
    question = study.settings.question
    yield (
        f"references: {counted(len(study.references), 'network')} at "
        f"{question.budget(question.rungs[-1])}, {counted(len(scores), 'seed')}{_failed(scores)}"
    )


def _failed(scores: Iterable[Score]) -> str:
    """Return how many scores are failures, to be added to a line; empty for none."""
    failed = sum(not score.ok for score in scores)
    return f", {failed} failed" if failed else ""


def front_table(study: Study) -> Table:
    """Return the table of the front, the most accurate first."""
    table = Table(title="Pareto front", title_justify="left", box=None, padding=(0, 0, 0, 2))
    front = sorted(study.pareto(), key=main_score, reverse=True)[:SHOWN]
    columns: dict[str, Callable[[Trial], str]] = {
        "trial": lambda trial: str(trial.number),
        study.settings.question.main.title: lambda trial: f"{main_score(trial):.4f}",
        **objective_columns(study.settings.question),
    }
    for head in columns:
        table.add_column(head, justify="right", no_wrap=True)
    last = Text("architecture", no_wrap=True, overflow="ellipsis")
    table.add_column(last, overflow="fold", ratio=1)
    for trial in front:
        name = Text(describe(trial.architecture))
        table.add_row(*(text_of(trial) for text_of in columns.values()), name)
    return table
