"""Evidence for the answer of a search: plain networks after it, and more seeds for its picks."""

from dataclasses import dataclass, replace
from math import ceil, isfinite
from shlex import quote

from neptune_nas.files.rules import Count
from neptune_nas.files.schema import check
from neptune_nas.nn.references import PLAIN
from neptune_nas.search.config import Say, Search, ignore
from neptune_nas.study.confirmation import Goal, evaluations_of, trials_to_confirm
from neptune_nas.study.measures import cost_axis, main_score
from neptune_nas.study.notebook import in_notebook
from neptune_nas.study.objectives import value_of
from neptune_nas.study.progress import is_complete
from neptune_nas.study.ranking import score_floor
from neptune_nas.study.study import Study
from neptune_nas.study.trial import State
from neptune_nas.text import counted
from neptune_nas.trust.confirm import run_confirm, usual_goal
from neptune_nas.trust.latency import measure_picks
from neptune_nas.trust.loop import OnStep
from neptune_nas.trust.plain_networks import as_searched, plain_names
from neptune_nas.trust.references import run_references

SEEDS = 3  # of each plain network, as of each confirmed trial
SHARE = 2  # the confirmation may take 1/SHARE of what the search took


@dataclass(frozen=True, slots=True)
class Evidence:
    """The measurements to make after a search.

    `yardstick`: whether to train plain networks for comparison. `confirm`: the most evaluations
    with further seeds; None for up to half of what the search took, 0 for none.
    """

    yardstick: bool = True
    confirm: Count | None = None

    def __post_init__(self) -> None:
        check(self)


USUAL = Evidence()


def add_evidence(
    search: Search,
    study: Study,
    wanted: Evidence = USUAL,
    watch: OnStep | None = None,
    say: Say | None = None,
) -> Study:
    """Train plain networks to compare with a finished search, and confirm its first picks.

    This is what `neptune-nas search` does after its trials, so that the report can say whether the
    search was worth it: `study = add_evidence(search, search.run())`. Each result is written at
    once; a second call measures only what is missing. `watch`: called after each result. `say`:
    called with sentences on what is measured. Without them, a notebook shows both, and a script
    shows nothing.

    If the search stopped early or ran out of time, nothing is measured, and `say` gets the commands
    that do it. Nor is anything measured if no trial has finished. If the toolkit does not train the
    networks, it trains no plain ones, and confirms nothing unless `wanted` gives a number of
    evaluations. Raises as `run_references` and `run_confirm` do.
    """
    tell = say or (print if in_notebook() else ignore)
    if not study.ranked:
        return study
    if not _is_over(study, search.patience):
        if sentence := _left_out(search, study, wanted):
            tell(sentence)
        return study
    study = measure_picks(search, study, tell)
    if names := untrained(search, study, wanted):
        tell(
            f"Training {counted(len(names), 'plain network')} with {SEEDS} seeds each, to see "
            f"whether the search was worth it; `yardstick` (--no-yardstick) turns that off."
        )
        study = run_references(search, names, SEEDS, watch)
    most = most_confirmations(search, study, wanted)
    study = _confirm_picks(search, study, most, watch, tell)
    return measure_picks(search, study, tell)  # further seeds may change the picks


def _is_over(study: Study, patience: int | None) -> bool:
    """Return whether a search has ended by itself, and not for lack of time."""
    if any(trial.state is State.RUNNING for trial in study.trials):
        return False
    return is_complete(study) or study.ledger.exhausted or patience is not None


def _left_out(search: Search, study: Study, wanted: Evidence) -> str:
    """Return what a search that stopped early lacks, with the commands that add it; may be empty.

    The commands add what is missing now: a resumed search may choose other networks and trials.
    """
    folder, commands = quote(str(study.folder)), []
    if names := untrained(search, study, wanted):
        networks = ",".join(names)
        commands.append(f"neptune-nas reference {folder} --networks {networks} --seeds {SEEDS}")
    most = most_confirmations(search, study, wanted)
    if (left := most - evaluations_of(study.trials)) > 0:
        commands += [
            f"neptune-nas confirm {folder} --by {goal.by} --top {goal.top} --evaluations {left}"
            for goal in confirmation_goals(search, study, most)
        ]
    if not commands:
        return ""
    return (
        f"The search stopped before it had all its trials, so what follows them was skipped. "
        f"Resume the search to add it at the end, or run now: {'; '.join(commands)}"
    )


def untrained(search: Search, study: Study, wanted: Evidence) -> tuple[str, ...]:
    """Return the plain networks that lack seeds; none if they are not wanted."""
    plain = PLAIN.get(search.found_task.name)
    if plain is None or not (wanted.yardstick and search.trains_networks):
        return ()
    seeds = {each.name: len(each.seed_scores) for each in study.references}
    names = plain_names(search.assembly.costs, study, plain)
    return tuple(name for name in names if seeds.get(name, 0) < SEEDS)


def most_confirmations(search: Search, study: Study, wanted: Evidence) -> int:
    """Return how many evaluations may confirm a study, including those already made."""
    if wanted.confirm is not None or not search.trains_networks:
        return wanted.confirm or 0
    return usual_confirmations(study)


def usual_confirmations(study: Study) -> int:
    """Return the most evaluations that confirm a study by default: half of what its search took.

    Counted in evaluations at the last rung.
    """
    last = study.settings.question.rungs[-1]
    trained = sum(score.fidelity for trial in study.trials for score in trial.scores)
    return ceil(trained / last / SHARE)


def confirmation_goals(search: Search, study: Study, most: int) -> tuple[Goal, ...]:
    """Return what to confirm with `most` evaluations: the most accurate, then the cheapest.

    The first goal takes all trials that may be the most accurate, or as many as `most` covers.
    """
    goal, question = usual_goal(search), study.settings.question
    top = max(1, min(_tied(study), most // max(1, goal.seeds - question.repeats)))
    axis = cost_axis(question)
    places = {question.main.name: top}
    if any(isfinite(value_of(axis, trial)) for trial in study.ranked):
        places[axis.name] = 1
    return tuple(replace(goal, by=by, top=top) for by, top in places.items())


def _tied(study: Study) -> int:
    """Return how many trials may be the most accurate, by the scores of the search alone.

    With the scores that confirm them, the next run of the same command would confirm others.
    """
    searched = as_searched(study)
    floor = score_floor(study.settings, searched.ranked).value
    return sum(main_score(trial) >= floor for trial in searched.ranked)


def _confirm_picks(
    search: Search, study: Study, most: int, watch: OnStep | None, say: Say
) -> Study:
    """Confirm the trials that may be the most accurate, then the cheapest not clearly worse.

    This takes at most `most` evaluations in total, over all runs.
    """
    if most - evaluations_of(study.trials) < 1:
        return study
    goals = confirmation_goals(search, study, most)
    if any(trials_to_confirm(study, goal) for goal in goals):
        say(
            f"Confirming: {counted(_tied(study), 'trial')} may be the most accurate; the best get "
            f"{goals[0].seeds} seeds each, with at most {counted(most, 'evaluation')}; "
            f"`confirm=0` (--confirm 0) turns that off."
        )
    for goal in goals:
        left = most - evaluations_of(study.trials)
        if left > 0 and trials_to_confirm(study, goal):
            study = run_confirm(search, goal, left, watch)
    return study
