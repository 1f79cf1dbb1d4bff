"""The summaries of a plan and of a finished study in the terminal."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from shlex import quote

from rich.box import SIMPLE
from rich.table import Table

from neptune_nas.architecture.description import LEGEND, describe
from neptune_nas.architecture.records import Architecture
from neptune_nas.cli.console import console
from neptune_nas.cli.progress import score_text
from neptune_nas.cli.tables import objective_columns
from neptune_nas.cli.terminal import print_line, print_lines
from neptune_nas.errors import StudyError
from neptune_nas.metrics.registry import COST
from neptune_nas.metrics.survey import Survey
from neptune_nas.report.plain_comparison import favoured_plain, plain_command, seed_noise
from neptune_nas.report.references import TITLE, heads_of, reference_rows
from neptune_nas.report.summary import corner_text
from neptune_nas.report.verdict import (
    cautions,
    interval_scope,
    picks,
    verdict,
)
from neptune_nas.search.dry_run import DryRun
from neptune_nas.study.audit import Audit
from neptune_nas.study.confirmation import Goal, goal_ranking, goal_trials, trials_to_confirm
from neptune_nas.study.export import next_command
from neptune_nas.study.measures import cost_axis, main_score, score_per_gflop
from neptune_nas.study.noise import accuracy_interval, interval, noise, seed_scores
from neptune_nas.study.objectives import value_of
from neptune_nas.study.progress import is_complete, nothing_left
from neptune_nas.study.ranking import BY_COST, formula, ranking_name, score_floor
from neptune_nas.study.rungs import Rungs
from neptune_nas.study.settings import Question
from neptune_nas.study.study import Study
from neptune_nas.study.trial import State, Trial
from neptune_nas.text import clock, counted, plural, redact, with_commas

SHOWN = 10
REASONS = 3
INTERVAL = "; 95% intervals between seeds in brackets"


def print_study(study: Study, patience: int | None = None) -> None:
    """Print the ledger in a line, the top of the ranking, and where to find more.

    `patience`: that of the search that has just ended.
    """
    terminal = console()
    ledger, folder = study.ledger, study.folder
    counts = {name: getattr(ledger, name) for name in ("finished", "pruned", "failed", "running")}
    kept = [f"{n} {name}" for name, n in counts.items() if n or name == "finished"]
    print_line(f"{study.settings.name}: {', '.join(kept)}.")
    if why := why_ended(study, patience):
        print_line(why)
    if ledger.failed:
        for line in why_failed(ledger.failures):
            print_line(line)
        print_line(f"Why trials failed, and where: {folder / 'failures.txt'}")
    if study.ranked:
        terminal.print(ranking_table(study))
        if start := study.settings.facts.start:
            print_line(f"All of these started from {start}.")
        for line in (*not_shown(study), *verdict_lines(study)):
            print_line(line)
        if isinstance(study.ranked[0].architecture, Architecture):
            print_line(LEGEND)
        question = study.settings.question
        once = question.repeats == 1 and not any(trial.confirmations for trial in study.trials)
        if once and question.trains:
            print_line(f"Was it luck? neptune-nas confirm {quote(str(folder))}")
        print_line(f"Report: {folder / 'report.html'}")
        print_line(f"Best:   {folder / 'best.json'}")


def why_ended(study: Study, patience: int | None) -> str | None:
    """Return why a search ended by itself without all its trials; None if it has them all."""
    if study.ledger.exhausted:
        return f"{nothing_left(study.settings.question).capitalize()}."
    if is_complete(study):
        return None
    if patience is None or any(trial.state is State.RUNNING for trial in study.trials):
        return "It ran out of time: the same command resumes it."
    where = " at the last rung" if len(study.settings.question.rungs) > 1 else ""
    return (
        f"It stopped after {counted(patience, 'trial')} in a row{where} that did not improve the "
        f"front: a larger --patience resumes it."
    )


def why_failed(failures: Mapping[str, int]) -> Iterator[str]:
    """Yield the most frequent reasons of failures, with their numbers of trials."""
    often = sorted(failures.items(), key=lambda item: -item[1])
    for reason, count in often[:REASONS]:
        yield f"{count} failed: {redact(reason)}"
    if len(often) > REASONS:
        yield f"and {counted(len(often) - REASONS, 'more reason')}"


def not_shown(study: Study) -> Iterator[str]:
    """Yield the number of trials the table leaves out, if any, and the command to show them."""
    total, by = len(study.ranked), ranking_name(study.settings.question)
    shown = min(SHOWN, len(study.ranking()))
    if shown == total:
        return
    floor = score_floor(study.settings, study.ranked)
    below = sum(main_score(trial) < floor.value for trial in study.ranked) if by in BY_COST else 0
    why = f"; {below:,} below {floor.value:.4f} left out" if below else ""
    all_of_them = " --min-accuracy 0" if below else ""
    yield (
        f"{shown} of {counted(total, 'finished trial')}{why}. "
        f"All: neptune-nas report {quote(str(study.folder))} --format csv{all_of_them}"
    )


def verdict_lines(study: Study) -> Iterator[str]:
    """Yield what a user should know first, the picks, and the next command for the first."""
    yield from cautions(study)
    spread, named = seed_noise(study), dict[int, list[str]]()
    question = study.settings.question
    for which, title in [*picks(study).items()][:2]:
        with suppress(StudyError):  # no cost is known
            number = study.best(which).number
            named.setdefault(number, []).append(title)
    for number, titles in named.items():
        (trial,) = (each for each in study.ranked if each.number == number)
        interval = accuracy_interval(study.settings, trial, spread)
        scope = interval_scope(study)
        ends = (
            "" if interval is None else " (95%: {:.4f} to {:.4f} ".format(*interval) + f"{scope})"
        )
        axis = cost_axis(question)
        spent = f", {axis.title} {axis.text(value_of(axis, trial))}"
        yield (
            f"{' · '.join(titles)}: trial {number}, {question.main.title} "
            f"{main_score(trial):.4f}{ends}{spent}."
        )
    if sentence := verdict(study):
        yield sentence
    plain = favoured_plain(study)
    command = plain_command(study, plain) if plain else next_command(study, next(iter(named)))
    yield f"Next:   {' '.join(command)}"


def ranking_table(study: Study) -> Table:
    """Return the table of the first trials, ranked by the study's objectives."""
    spread, question = noise(study.ranked), study.settings.question
    by = ranking_name(question)
    floor = score_floor(study.settings, study.ranked)
    what = f", {question.main.title} at least {floor.value:.4f}: {formula(question, by)}"
    title = f"By {by}{what if by in BY_COST else ''}{INTERVAL if spread else ''}"
    table = Table(box=SIMPLE, collapse_padding=True, title=title, title_justify="left")
    own = objective_columns(question)
    value = (by,) if by in BY_COST else ()  # accuracy has its column anyway
    has_room = [*own] == [COST.per[1]] and spread is None  # else 80 columns are too few
    raw = ("per GFLOP",) if value and has_room else ()
    for column in ("#", "trial", question.main.title, *own, *value, *raw):
        table.add_column(column, justify="right", no_wrap=True, min_width=len(column))
    table.add_column("architecture", overflow="fold", ratio=1)
    for standing in study.ranking()[:SHOWN]:
        trial = standing.trial
        table.add_row(
            str(standing.place),
            str(trial.number),
            accuracy_text(standing.score, interval(trial, spread)),
            *(text_of(trial) for text_of in own.values()),
            *(f"{standing.value:.3f}" for _ in value),
            *(f"{score_per_gflop(trial):.0f}" for _ in raw),
            describe(trial.architecture),
        )
    return table


def accuracy_text(mean: float, ends: tuple[float, float] | None) -> str:
    """Return an accuracy, with its 95% interval if seeds were repeated.

    >>> accuracy_text(0.98612, (0.7727, 1.0)), accuracy_text(0.9, None)
    ('0.9861 [0.7727, 1.0000]', '0.9000')
    """
    return f"{mean:.4f}" + (f" [{ends[0]:.4f}, {ends[1]:.4f}]" if ends else "")


def feasible(survey: Survey[object]) -> str:
    """Return the constraints, and the share of the space that meets them, by random draws."""
    low, high = survey.interval
    limits = " and ".join(map(str, survey.constraints)) or "no constraint"
    found = "" if survey.feasible else "; moves from the nearest one found some"
    return (
        f"{survey.share:.1%} of the space ({low:.1%} to {high:.1%}), {limits}, by "
        f"{survey.samples:,} random draws{found}"
    )


def print_plan(plan: DryRun, *, verbose: bool = False) -> None:
    """Print the plan of a search; if `verbose`, also the traceback of a failed candidate."""
    terminal = console()
    train, validation, test = plan.facts.images
    facts, question, score = plan.facts, plan.question, plan.score
    channels, height, width = facts.input_shape
    images = (
        f"{train:,} to train, {validation:,} to validate, {test:,} kept for the end; "
        if train
        else ""
    )
    rows = {
        "study": f"{plan.folder} ({'resumes' if plan.study else 'new'})",
        "space": f"{facts.space_name}: {with_commas(facts.space_size)} architectures",
        "data": f"{question.data}: {images}{channels}x{height}x{width}, "
        f"{facts.classes} classes, {facts.data_fingerprint}",
        "evaluator": f"{question.evaluator}{in_brackets(question.evaluator_kwargs or {})}",
        "epochs": epochs_text(question),
        "recipe": ", ".join(f"{name} {value}" for name, value in question.recipe.items()),
        "sampler": f"{question.sampler}, seed {question.seed}",
        "objectives": ", ".join(question.objectives),
        "hypervolume": f"measured from {corner_text(question, facts.reference)}",
        "feasible": feasible(plan.survey),
    }
    if score is not None:
        rows["one candidate"] = (
            f"{score_text(score)} in {score.seconds:.2f} s"
            if score.ok
            else f"failed: {score.failure}{' (-v shows where)' if score.trace else ''}"
        )
    rows["all trials"] = trials_text(plan)
    if facts.start:
        rows["start"] = facts.start
    if plan.first:
        rows["first"] = f"{counted(plan.first, 'architecture')} from --first"
    grid = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        grid.add_row(name, value)
    terminal.print(grid)
    if verbose and score and score.trace:
        print_lines(score.trace)


def trials_text(plan: DryRun) -> str:
    """Return the expected time of the remaining trials, or why there are none."""
    study, trials = plan.study, counted(plan.trials, "trial")
    if study is not None and is_complete(study):
        why = nothing_left(plan.question) if study.ledger.exhausted else "nothing is left to search"
        return f"done, {counted(len(study.trials), 'trial')}: {why}"
    scored = sum(bool(trial.scores) for trial in study.trials) if study else 0
    what = f"the rest of {trials} ({scored} scored so far)" if scored else trials
    seconds = clock(plan.start + plan.seconds)
    return f"about {seconds} for {what}, start-up included, {plan.jobs} at once"


def in_brackets(values: Mapping[str, object]) -> str:
    """Return named values in brackets, to append to a name.

    >>> in_brackets({"enough": 200}), in_brackets({})
    (' (enough 200)', '')
    """
    listed = ", ".join(f"{name} {value}" for name, value in values.items())
    return f" ({listed})" if listed else ""


def epochs_text(question: Question) -> str:
    """Return the rungs, and the share of trials that go on from each.

    >>> epochs_text(Question("tiny", rungs=(1, 3, 9), reduction=(5, 2)))
    '1, then 3 for one in 5, then 9 for one in 2 of these'
    """
    rungs = Rungs(question.rungs, question.reduction)
    first, *others = (question.proxy or "0" if n == 0 else str(n) for n in rungs.levels)
    steps = [f"then {n} for one in {r}" for n, r in zip(others, rungs.reductions, strict=True)]
    return ", ".join([first, *steps[:1], *(f"{step} of these" for step in steps[1:])])


def audit_table(audit: Audit) -> Table:
    """Return the table of how well each rung, proxy and size ranks."""
    table = Table(
        box=SIMPLE,
        title=f"Agreement with {audit.budget}, {audit.count} architectures (95% intervals)",
        title_justify="left",
    )
    for column in ("ranked by", "Kendall's tau", "Spearman's rho"):
        table.add_column(column, no_wrap=True)
    for each in (*audit.rungs, *audit.others):
        cells = (f"{m.value:5.2f} ({m.low:.2f} to {m.high:.2f})" for m in (each.tau, each.rho))
        table.add_row(each.name, *cells)
    return table


def confirmed_table(study: Study, goal: Goal, searched: Sequence[Trial]) -> Table:
    """Return the table of a goal's trials, with their scores in the search."""
    by = goal_ranking(study, goal)
    what = f"By {by}" if by else "The Pareto front"
    title = f"{what}, confirmed{INTERVAL}"
    table = Table(box=SIMPLE, collapse_padding=True, title=title, title_justify="left")
    own = objective_columns(study.settings.question)
    for column in ("trial", "searched", "mean", "seeds", *own):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("architecture", overflow="fold", ratio=1)
    first, spread = {trial.number: main_score(trial) for trial in searched}, noise(study.ranked)
    for trial in goal_trials(study, goal):
        table.add_row(
            str(trial.number),
            f"{first[trial.number]:.4f}",
            accuracy_text(main_score(trial), interval(trial, spread)),
            str(len(seed_scores(trial))),
            *(text_of(trial) for text_of in own.values()),
            describe(trial.architecture),
        )
    return table


def confirmed_lines(before: Study, after: Study, goal: Goal, resume: str) -> Iterator[str]:
    """Yield the trials that entered or left the table, and what remains to be confirmed."""
    then, now = ([trial.number for trial in goal_trials(study, goal)] for study in (before, after))
    came, went = ([n for n in a if n not in b] for a, b in ((now, then), (then, now)))
    if came:
        yield f"New in the table above: {numbered(came)}."
    if went:
        yield f"No longer in the table above: {numbered(went)}."
    if not came and not went:
        yield "The table above has the same trials as before."
    left = len(trials_to_confirm(after, goal))
    yield (
        f"Still to confirm: {counted(left, 'trial')}; {resume} continues."
        if left
        else f"All have at least {goal.seeds} seeds."
    )


def numbered(numbers: Sequence[int]) -> str:
    """Return the text for trials by number.

    >>> numbered([3]), numbered([3, 1])
    ('trial 3', 'trials 3, 1')
    """
    return f"{plural(len(numbers), 'trial')} {', '.join(map(str, numbers))}"


def references_table(study: Study) -> Table:
    """Return the table of hand-designed networks and the study's best, parameters below MFLOPs."""
    table = Table(box=None, pad_edge=False, title=TITLE, title_justify="left")
    name, score, mflops, params, *found = heads_of(study)
    for i, head in enumerate((name, score, f"{mflops}\n{params}", *found)):
        table.add_column(head, justify="right" if i else "left", no_wrap=not i, overflow="fold")
    for name, score, mflops, params, *found in reference_rows(study):
        table.add_row(name, score, f"{mflops}\n{params}", *found)
    return table
