"""The plain networks that a search has to beat."""

from collections.abc import Callable
from dataclasses import replace

from neptune_nas.errors import ArchitectureError
from neptune_nas.metrics.constraints import is_timed
from neptune_nas.metrics.costs import Costs
from neptune_nas.metrics.registry import COST
from neptune_nas.nn.builder import Shape
from neptune_nas.nn.references import WIDEST, PlainNetworks, is_plain
from neptune_nas.study.confirmation import without_confirmations
from neptune_nas.study.objectives import value_of
from neptune_nas.study.study import Study


def plain_names(costs: Costs, study: Study, plain: PlainNetworks) -> tuple[str, ...]:
    """Return the plain networks to train: the largest within the limits, and one of half its FLOPs.

    Without a limit on FLOPs, they have no more than the trial that was the most accurate before any
    was confirmed. Under a timed limit, networks that are already trained stay. Empty if no plain
    network meets the limits.
    """
    question, shape = study.settings.question, study.settings.facts.input_shape
    trained = tuple(n.name for n in study.references if is_plain(n.name))
    if trained and any(map(is_timed, question.limits)):
        return trained
    most = float("inf")
    if all(limit.name != COST.name for limit in question.limits):
        most = value_of(COST, as_searched(study).best(question.main.name))
    return plain_names_within(costs, shape, plain, most)


def plain_names_within(
    costs: Costs, shape: Shape, plain: PlainNetworks, most: float = float("inf")
) -> tuple[str, ...]:
    """Return the largest plain network within the limits and `most` FLOPs, and one of half that."""

    def flops(width: int) -> float:
        return costs.value(COST.name, plain.build(width, shape))

    def fits(width: int) -> bool:
        try:
            return flops(width) <= most and costs.feasible(plain.build(width, shape))
        except ArchitectureError:
            return False

    widest = _widest(fits)
    if widest is None:
        return ()
    half = _widest(lambda width: flops(width) <= flops(widest) / 2)
    return tuple(map(plain.name, filter(None, dict.fromkeys((widest, half)))))


def as_searched(study: Study) -> Study:
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
