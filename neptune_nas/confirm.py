"""The best trials of a study scored again with other seeds, until it is sure that they are."""

from collections.abc import Callable

from neptune_nas.again import check_same, study_of
from neptune_nas.engine.engine import Call, Engine
from neptune_nas.errors import OptionError
from neptune_nas.evaluate.seeds import seed_for
from neptune_nas.outputs import write_outputs
from neptune_nas.search import Search
from neptune_nas.study.confirmation import (
    Goal,
    tries,
    unsure,
    with_confirmation,
    write_confirmations,
)
from neptune_nas.study.study import Study
from neptune_nas.trial import Trial

Watch = Callable[[Trial, int], None]

FRONT = Goal()


def ignore(_: Trial, __: int) -> None:
    """Watch nothing."""


def run_confirm(
    search: Search, goal: Goal = FRONT, evaluations: int | None = None, watch: Watch = ignore
) -> Study:
    """Score the trials of a search's study that `goal` names with further seeds.

    Which they are can change with every score: one that falls behind gives way to the next, which
    is then confirmed in turn. Each result is kept in `confirmations.json` as it comes, so that what
    was stopped goes on. `evaluations`: the most to make now. `watch` is told the trial as it then
    stands, and how many are still unsure. Raises `OptionError` for an unknown ranking, and
    `StudyError` where nothing can be ranked.
    """
    if evaluations is not None and evaluations < 1:
        raise OptionError(f"`evaluations` must be at least 1, but got {evaluations}.")
    check_same(search, study_of(search).settings)
    with search.folder.locked():
        study = study_of(search)
        if unsure(study, goal):
            with search.engine() as engine:
                confirm(study, engine, goal, (evaluations, watch))
        study = study_of(search)
        write_outputs(study)
    return study


def confirm(study: Study, engine: Engine, goal: Goal, limit: tuple[int | None, Watch]) -> None:
    """Measure until the goal is met, or the evaluations that are allowed are spent."""
    left, watch = limit
    while True:
        for trial in unsure(study, goal):
            free = trial.number not in engine.pending and len(engine.pending) < engine.slots
            if free and left != 0:
                engine.submit(call(study, trial))
                left = None if left is None else left - 1
        if not engine.pending:
            return
        for result in engine.wait():
            study = with_confirmation(study, result.call.id, result.score)
            write_confirmations(study.folder / "confirmations.json", study.trials)
            watch(study.trials[result.call.id], len(unsure(study, goal)))


def call(study: Study, trial: Trial) -> Call:
    """The next measurement of a trial, with a seed that it has not had."""
    question = study.settings.question
    seed = seed_for(question.seed, trial.key, tries(study, trial))
    return Call(trial.number, trial.architecture, question.rungs[-1], seed)
