"""The best trials of a study scored again with other seeds, until it is sure that they are."""

from collections.abc import Callable, Container, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from neptune_nas.engine.engine import Call
from neptune_nas.engine.process import end_if_unguarded
from neptune_nas.errors import NeptuneError, OptionError
from neptune_nas.interrupts import ctrl_c_held
from neptune_nas.report.outputs import write_outputs
from neptune_nas.search.config import Search
from neptune_nas.search.resume import check_same, study_of
from neptune_nas.study.confirmation import (
    Aim,
    Goal,
    chosen,
    evaluations_of,
    missing_seeds,
    unsure,
    with_confirmation,
    write_confirmations,
)
from neptune_nas.study.folder import open_folder
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial
from neptune_nas.watch import ignore

Watch = Callable[[Trial, int], None]

BEST = Goal()


def run_confirm(
    search: Search, goal: Goal = BEST, evaluations: int | None = None, watch: Watch = ignore
) -> Study:
    """Score the trials of a search's study that `goal` names with further seeds.

    Which they are can change with every score: one that falls behind gives way to the next, which
    is then confirmed in turn. Each result is kept in `confirmations.json` as it comes, so that what
    was stopped goes on, and what failed is tried again, once a run. `evaluations`: the most to make
    now. `watch` is told the trial as it then stands, and how many are still unsure. Raises
    `OptionError` for an unknown ranking or more seeds than a table has, and `StudyError` where
    nothing can be ranked, the study was asked otherwise or of other data, or another process is at
    work on it.
    """
    end_if_unguarded()
    check_asked(search, goal, evaluations)
    open_folder(search.folder.path)
    with ctrl_c_held(), search.folder.locked_to_confirm():
        file, before = search.folder.confirmations, study_of(search)
        check_same(search, before)
        aim = aim_of(before, goal, evaluations)
        try:
            write_confirmations(file, before.trials, aim)
            for found in confirmations(search, before, goal, evaluations):
                write_confirmations(file, found[-1][1].trials, aim)
                for trial, study in found:
                    watch(trial, len(unsure(study, goal)))
        except BaseException:
            with suppress(NeptuneError):  # the first mistake is the one to tell
                write_outputs(study_of(search))
            raise
        study = study_of(search)
        write_outputs(study)
    return study


def aim_of(study: Study, goal: Goal, most: int | None) -> Aim:
    """The goal, with at most so many evaluations more than a study has had.

    Raises `OptionError` for an unknown ranking and `StudyError` where nothing can be ranked.
    """
    chosen(study, goal)
    return Aim(goal, None if most is None else evaluations_of(study.trials) + most)


def check_asked(search: Search, goal: Goal, evaluations: int | None) -> None:
    """Refuse no evaluations at all, and more seeds than a table has runs of each network.

    One of its runs would count twice.
    """
    if evaluations is not None and evaluations < 1:
        raise OptionError(f"`evaluations` must be at least 1, but got {evaluations}.")
    runs = runs_of(search)
    if runs is not None and goal.seeds > runs:
        raise OptionError(
            f"`seeds` must be at most {runs}, as many runs as {search.table} has of every network, "
            f"but got {goal.seeds}."
        )


def usual_goal(search: Search) -> Goal:
    """The best with three seeds, or as many as a table has runs of every network.

    Raises `OptionError` where that is a single one.
    """
    runs = runs_of(search)
    if runs == 1:
        raise OptionError(
            f"nothing can be confirmed on {search.table}: it has only one run of some networks."
        )
    return BEST if runs is None else replace(BEST, seeds=min(BEST.seeds, runs))


def runs_of(search: Search) -> int | None:
    """How many runs of every network the search's table has at its last rung, if it has one."""
    return None if search.known is None else search.known.least_runs(search.question.rungs[-1])


def confirmations(
    search: Search, study: Study, goal: Goal, most: int | None
) -> Iterator[list[tuple[Trial, Study]]]:
    """Each trial that was scored again, and the study as it then stands.

    Those together that were at once.
    """
    if not unsure(study, goal):
        return
    tried: set[tuple[int, int]] = set()
    with search.make_engine() as engine:
        while True:
            left = engine.slots if most is None else most - len(tried)
            free = min(left, engine.slots - len(engine.pending))
            for call in islice(calls(study, goal, engine.pending, tried), max(free, 0)):
                tried.add((call.id, call.seed))
                engine.submit(call)
            if not engine.pending:
                return
            found = []
            for result in engine.wait():
                study = with_confirmation(study, result.call.id, result.score)
                found.append((next(t for t in study.trials if t.number == result.call.id), study))
            yield found


def calls(
    study: Study, goal: Goal, pending: Container[int], tried: Container[tuple[int, int]]
) -> Iterator[Call]:
    """The next measurement of each trial that is unsure and not `pending`, each by its number.

    `tried`: numbers and seeds that are not to be tried again.
    """
    question = study.settings.question
    for trial in unsure(study, goal):
        seeds = missing_seeds(question, trial, goal)
        fresh = [seed for seed in seeds if (trial.number, seed) not in tried]
        if fresh and trial.number not in pending:
            yield Call(trial.number, trial.architecture, question.rungs[-1], fresh[0])
