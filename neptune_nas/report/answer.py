"""The answer of a report: a study's picks, and how several studies compare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from markupsafe import Markup

from neptune_nas.errors import ArchitectureError, OwnCodeError, StudyError
from neptune_nas.metrics.counted import DEVICE
from neptune_nas.metrics.registry import COST, COSTS, Metric
from neptune_nas.report.comparison import StudyNumbers, compare_studies
from neptune_nas.report.memory_map import memory_map
from neptune_nas.report.objectives import further_objectives, value_text
from neptune_nas.report.payload import Order, model_of
from neptune_nas.report.plain_comparison import beside_plain, seed_noise
from neptune_nas.report.svg import draw_svg
from neptune_nas.report.verdict import interval_text, picks
from neptune_nas.study.measures import (
    efficiency,
    efficiency_unit,
    main_score,
    score_per_gflop,
)
from neptune_nas.study.ranking import Standing
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial
from neptune_nas.text import duration, redact, sentence, short

_HEADS = ("trials", "best {}", "first in the ranking", "hypervolume", "evaluation")


@dataclass(frozen=True, slots=True)
class _Card:
    """A pick, or several that fall on one trial.

    `interval`: that of its score. `beside`: how it compares with a plain network. `memory`: its
    memory map, where the study asks for memory on a device.
    """

    number: int
    headings: Sequence[str]
    first: bool
    score: str
    metric: str
    interval: str
    beside: str
    costs: Mapping[str, str]
    drawing: Markup | None
    drawing_error: str
    memory: Markup | None


@dataclass(frozen=True, slots=True)
class _Answer:
    """The cards of a study, or why there are none."""

    study: str
    cards: tuple[_Card, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class _ComparisonTable:
    """Studies beside each other, a name and a text for each of `_HEADS`; or why they are not."""

    rows: tuple[tuple[str, tuple[str, ...]], ...] = ()
    error: str = ""


def answer_context(studies: Sequence[Study], order: Order) -> dict[str, Any]:
    """Return what `answer.html` shows."""
    return {
        "heads": [head.format(studies[0].settings.question.main.title) for head in _HEADS],
        "comparison": _comparison(studies) if len(studies) > 1 else None,
        "answers": [_answer(study, order) for study in studies],
    }


def _comparison(studies: Sequence[Study]) -> _ComparisonTable:
    """Return the studies in numbers, beside each other."""
    try:
        found = compare_studies(studies, force=True)
    except StudyError as error:
        return _ComparisonTable(error=redact(str(error)))
    own = further_objectives(studies[0].settings.question, (COST,))
    return _ComparisonTable(tuple((each.name, _comparison_cells(each, own)) for each in found))


def _comparison_cells(found: StudyNumbers, own: Sequence[Metric]) -> tuple[str, ...]:
    """Return one study of the comparison; `own`: its objectives beside accuracy and FLOPs."""
    trial = found.first
    flops = trial.values.get(COST.name)
    spent = f" at {short(flops)} {COST.title}" if flops else ""
    values = [f"{aim.title} {value_text(aim, trial)}" for aim in own]
    return (
        f"{found.trials:,}",
        f"{found.best_score:.4f}",
        ", ".join([f"{main_score(trial):.4f}{spent}", *values]),
        f"{found.hypervolume:.4f}",
        duration(found.worker_seconds),
    )


def _answer(study: Study, order: Order) -> _Answer:
    """Return the cards of a study, or why it has none."""
    try:
        return _Answer(study.settings.name, _cards(study, order))
    except StudyError as error:
        return _Answer(study.settings.name, error=sentence(redact(str(error))))


def _cards(study: Study, order: Order) -> tuple[_Card, ...]:
    """Return a card for each pick; picks that fall on one trial share it.

    Where no trial's cost is known, the most accurate is the only one.
    """
    titles: dict[int, list[str]] = {}
    first: dict[int, Standing] = {}
    priced = any(isfinite(efficiency(study.settings, trial)) for trial in study.ranked)
    for which, title in picks(study, order.min_accuracy).items():
        if not priced and which != study.settings.question.main.name:
            continue
        standing = study.ranking(which, order.min_accuracy)[0]
        number = standing.trial.number
        first.setdefault(number, standing)
        titles.setdefault(number, []).append(title)
    return tuple(_card(study, first[n], titles[n], is_first=i == 0) for i, n in enumerate(titles))


def _card(study: Study, standing: Standing, titles: list[str], *, is_first: bool) -> _Card:
    """Return one pick: its accuracy, costs, drawing, and the command that trains it."""
    trial = standing.trial
    drawing, error = _drawing(study, trial)
    beside = beside_plain(study, trial)
    return _Card(
        number=trial.number,
        headings=titles,
        first=is_first,
        score=f"{100 * standing.score:.2f}%",
        metric=study.settings.question.main.title,
        interval=interval_text(study, trial, seed_noise(study)),
        beside="" if beside is None else f"{sentence(str(beside))}.",
        costs=_costs(study, standing),
        drawing=drawing,
        drawing_error=error,
        memory=_memory_map(study, trial),
    )


def _costs(study: Study, standing: Standing) -> dict[str, str]:
    """Return a pick's costs by name."""
    trial = standing.trial
    items = {"trial": str(trial.number)}
    settings = study.settings
    for metric in (*_further_shares(study), *further_objectives(settings.question, COSTS), *COSTS):
        kind = f" ({settings.timed_as(metric)})" if settings.timed_as(metric) else ""
        items[f"{metric.title}{kind}"] = value_text(metric, trial)
    unit = efficiency_unit(study.settings.question)
    main = settings.question.main.title
    items[f"({main} - chance)/{unit}"] = f"{efficiency(study.settings, trial):.4g}"
    items[f"{main}/GFLOPs"] = f"{score_per_gflop(trial):.4g}"
    return {name: text for name, text in items.items() if text not in ("-", "nan")}


def _further_shares(study: Study) -> tuple[Metric, ...]:
    """Return the scored shares that are no objective: accuracy in floating point beside int8."""
    question = study.settings.question
    return tuple(
        each for each in question.scored if each.unit == "share" and each not in question.aims
    )


def _drawing(study: Study, trial: Trial) -> tuple[Markup | None, str]:
    """Return a pick's network, or why it cannot be drawn."""
    try:
        return draw_svg(trial.architecture, model_of(study)), ""
    except (ArchitectureError, OwnCodeError) as error:
        return None, str(error)


def _memory_map(study: Study, trial: Trial) -> Markup | None:
    """Return the memory map of a pick, where the study asks for memory on a device."""
    if not DEVICE.keys() & study.settings.question.costs:
        return None
    try:
        return memory_map(model_of(study).graphs.graph(trial.architecture))
    except (ArchitectureError, OwnCodeError):  # the drawing says why
        return None
