"""The columns of a study's objectives, besides those that every table has."""

from collections.abc import Collection

from neptune_nas.metrics.registry import CLASSIFICATION, COST, PARAMS, Metric
from neptune_nas.study.objectives import value_of
from neptune_nas.study.settings import Question
from neptune_nas.study.trial import Trial

SHOWN = (CLASSIFICATION[0], COST, PARAMS)  # in every table of a ranking


def further_objectives(question: Question, shown: Collection[Metric]) -> tuple[Metric, ...]:
    """Return the objectives of a question that are not among those `shown`."""
    return tuple(aim for aim in question.aims if aim not in shown and aim != question.main)


def value_text(metric: Metric, trial: Trial) -> str:
    """Return a trial's value of a metric in a few digits; a dash where it is not known."""
    return metric.text(value_of(metric, trial))
