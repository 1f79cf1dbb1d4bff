"""The forecast of the work after a search's trials."""

from dataclasses import dataclass
from math import ceil

from neptune_nas.metrics.registry import COST
from neptune_nas.nn.references import PLAIN
from neptune_nas.search.config import Search
from neptune_nas.search.dry_run import DryRun, expected_epochs
from neptune_nas.study.confirmation import evaluations_of, trials_to_confirm
from neptune_nas.study.progress import is_complete
from neptune_nas.study.rungs import Rungs
from neptune_nas.study.study import Study
from neptune_nas.trust.evidence import (
    SEEDS,
    SHARE,
    USUAL,
    Evidence,
    confirmation_goals,
    most_confirmations,
    untrained,
)
from neptune_nas.trust.loop import seconds_each
from neptune_nas.trust.plain_networks import plain_names_within

_NETWORKS = 2  # at most


@dataclass(frozen=True, slots=True)
class EvidenceForecast:
    """The work that `add_evidence` would do for a planned search.

    `networks`: how many plain networks to train; an upper bound unless `is_exact`, since their size
    may depend on the best trial. `confirmations`: the most evaluations with further seeds.
    `seconds`: the most that both take, including the start of the workers.
    """

    networks: int
    is_exact: bool
    confirmations: int
    seconds: float


def forecast_evidence(search: Search, plan: DryRun, wanted: Evidence = USUAL) -> EvidenceForecast:
    """Return what `add_evidence` would do once the search has all its trials."""
    study = plan.study
    if study is not None and is_complete(study):
        networks, is_exact = len(untrained(search, study, wanted)) if study.ranked else 0, True
        confirmations = _confirmations_left(search, study, wanted)
    else:
        networks, is_exact = _networks_of(search, plan, wanted)
        most = _expected_confirmations(search, wanted)
        confirmations = max(0, most - evaluations_of(study.trials if study else ()))
    each = plan.pace * search.question.rungs[-1]
    if study is not None and not each:
        each = (seconds_each(study) or 0.0) * search.question.rungs[-1]
    work = [count for count in (networks * SEEDS, confirmations) if count]
    seconds = sum(plan.start + ceil(count / plan.jobs) * each for count in work)
    return EvidenceForecast(networks, is_exact, confirmations, seconds)


def _networks_of(search: Search, plan: DryRun, wanted: Evidence) -> tuple[int, bool]:
    """Return how many plain networks a search would train, and whether that is exact.

    It is not exact if a limit takes long to check, or if the networks depend on the best trial.
    """
    plain = PLAIN.get(search.found_task.name)
    if plain is None or not (wanted.yardstick and search.trains_networks):
        return 0, True
    costs = search.assembly.costs
    if costs.late:
        return _NETWORKS, False
    done = {
        each.name
        for each in (plan.study.references if plan.study else ())
        if len(each.seed_scores) >= SEEDS
    }
    names = plain_names_within(costs, plan.facts.input_shape, plain)
    is_exact = not names or any(limit.name == COST.name for limit in plan.question.limits)
    return len({*names} - done) if is_exact else len(names), is_exact


def _expected_confirmations(search: Search, wanted: Evidence) -> int:
    """Estimate the most evaluations, in total, that would confirm a search."""
    if wanted.confirm is not None or not search.trains_networks:
        return wanted.confirm or 0
    question = search.question
    epochs = expected_epochs(Rungs(question.rungs, question.reduction), question.repeats)
    return ceil(search.trials * epochs / question.rungs[-1] / SHARE)


def _confirmations_left(search: Search, study: Study, wanted: Evidence) -> int:
    """Return how many evaluations may still confirm a study that has all its trials."""
    most = most_confirmations(search, study, wanted)
    left = most - evaluations_of(study.trials)
    if left < 1 or not study.ranked:
        return 0
    goals = confirmation_goals(search, study, most)
    return left if any(trials_to_confirm(study, goal) for goal in goals) else 0
