"""Evidence for the answer of a search: plain networks after it, and more seeds for its picks."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil, isfinite

from neptune_nas.errors import ArchitectureError
from neptune_nas.files.rules import Count
from neptune_nas.files.schema import check
from neptune_nas.metrics.constraints import is_timed
from neptune_nas.metrics.costs import Costs
from neptune_nas.metrics.registry import COST
from neptune_nas.nn.references import PLAIN, WIDEST, plain_network
from neptune_nas.search.config import Say, Search, ignore
from neptune_nas.study.confirmation import evaluations_of, without_confirmations
from neptune_nas.study.measures import cost_axis, main_score
from neptune_nas.study.objectives import value_of
from neptune_nas.study.progress import is_complete
from neptune_nas.study.ranking import score_floor
from neptune_nas.study.study import Study
from neptune_nas.study.trial import State
from neptune_nas.text import counted
from neptune_nas.trust.confirm import run_confirm, usual_goal
from neptune_nas.trust.loop import OnStep
from neptune_nas.trust.references import run_references

SEEDS = 3  # of each plain network, as of each confirmed trial
SHARE = 2  # the confirmation may take one part in that many of what the search took


@dataclass(frozen=True, slots=True)
class Evidence:
    """The measurements to make after a search.

    `yardstick`: whether plain networks are trained to compare with. `confirm`: the most evaluations
    with further seeds; None for up to half of what the search took, 0 for none.
    """

    yardstick: bool = True
    confirm: Count | None = None

    def __post_init__(self) -> None:
        check(self)


_USUAL = Evidence()


def add_evidence(
    search: Search,
    study: Study,
    wanted: Evidence = _USUAL,
    watch: OnStep = ignore,
    say: Say = ignore,
) -> Study:
    """Train plain networks beside a finished search, and confirm what its first picks rest on.

    Nothing is done for a search that was stopped or ran out of time, or has no finished trial. Each
    result is written at once, so that an interrupted run can go on. Where networks are not trained
    by the toolkit, no plain ones are, and nothing is confirmed unless `wanted` gives a number of
    evaluations. Raises as `run_references` and `run_confirm` do.
    """
    if not (study.ranked and _is_over(study, search.patience)):
        return study
    if wanted.yardstick and search.trains_networks:
        names = plain_names(search.assembly.costs, study)
        if names:
            say(
                f"Training {counted(len(names), 'plain network')} with {SEEDS} seeds each, to see "
                f"whether the search was worth it; `yardstick` (--no-yardstick) turns that off."
            )
            study = run_references(search, names, SEEDS, watch)
    usual = usual_confirmations(study) if search.trains_networks else 0
    most = usual if wanted.confirm is None else wanted.confirm
    return _confirm_picks(search, study, most, watch, say)


def _is_over(study: Study, patience: int | None) -> bool:
    """Return whether a search has ended by itself, and not for lack of time."""
    if any(trial.state is State.RUNNING for trial in study.trials):
        return False
    return is_complete(study) or study.ledger.exhausted or patience is not None


def plain_names(costs: Costs, study: Study) -> tuple[str, ...]:
    """Return the plain networks to train: the largest within the limits, and one of half its FLOPs.

    Without a limit on FLOPs, they have no more than the trial that was the most accurate before any
    was confirmed. Where a timed limit decides, those that were trained already stay. None where no
    plain network meets the limits.
    """
    question, shape = study.settings.question, study.settings.facts.input_shape
    trained = tuple(n.name for n in study.references if n.name.startswith(f"{PLAIN}-"))
    if trained and any(map(is_timed, question.limits)):
        return trained
    most = value_of(COST, _as_searched(study).best(question.main.name))
    if any(limit.name == COST.name for limit in question.limits):
        most = float("inf")

    def flops(width: int) -> float:
        return costs.value(COST.name, plain_network(width, shape))

    def fits(width: int) -> bool:
        try:
            return flops(width) <= most and costs.feasible(plain_network(width, shape))
        except ArchitectureError:
            return False

    widest = _widest(fits)
    if widest is None:
        return ()
    half = _widest(lambda width: flops(width) <= flops(widest) / 2)
    return tuple(f"{PLAIN}-{width}" for width in dict.fromkeys((widest, half)) if width)


def _as_searched(study: Study) -> Study:
    """Return a study without the scores that confirm its trials."""
    return replace(study, trials=without_confirmations(study.trials))


def _widest(fits: Callable[[int], bool]) -> int | None:
    """Return the largest width that fits, if any; if one does, so do all below it."""
    low, high = 0, 1
    while high <= WIDEST and fits(high):
        low, high = high, 2 * high
    high = min(high, WIDEST + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low or None


def usual_confirmations(study: Study) -> int:
    """Return the most evaluations that confirm a study by default: half of what its search took.

    Counted in evaluations at the last rung.
    """
    last = study.settings.question.rungs[-1]
    trained = sum(score.fidelity for trial in study.trials for score in trial.scores)
    return ceil(trained / last / SHARE)


def _confirm_picks(search: Search, study: Study, most: int, watch: OnStep, say: Say) -> Study:
    """Confirm the trials that may be the most accurate, then the cheapest not clearly worse.

    This takes at most `most` evaluations in total, over all runs.
    """
    if most - evaluations_of(study.trials) < 1:
        return study
    goal, question = usual_goal(search), study.settings.question
    ranked = _as_searched(study).ranked  # or the next run of the same command would want others
    floor = score_floor(study.settings, ranked).value
    tied = sum(main_score(trial) >= floor for trial in ranked)
    top = max(1, min(tied, most // max(1, goal.seeds - question.repeats)))
    say(
        f"Confirming: {counted(tied, 'trial')} may be the most accurate; the best get {goal.seeds} "
        f"seeds each, with at most {counted(most, 'evaluation')}; `confirm` (--confirm) of "
        f"0 turns that off."
    )
    goals = {question.main.name: top}
    if any(isfinite(value_of(cost_axis(question), trial)) for trial in ranked):
        goals[cost_axis(question).name] = 1
    for by, places in goals.items():
        left = most - evaluations_of(study.trials)
        if left > 0:
            study = run_confirm(search, replace(goal, by=by, top=places), left, watch)
    return study
