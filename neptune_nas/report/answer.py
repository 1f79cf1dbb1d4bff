"""The answer of a report: a study's three picks, and how several studies compare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from markupsafe import Markup

from neptune_nas.architecture.description import duration, short
from neptune_nas.errors import ArchitectureError, OwnCodeError, StudyError
from neptune_nas.metrics.trial import Trial
from neptune_nas.redact import redact
from neptune_nas.report.comparison import StudyNumbers, compare_studies
from neptune_nas.report.objectives import TITLES, others, value_text
from neptune_nas.report.payload import Order, model_of
from neptune_nas.report.svg import draw_svg
from neptune_nas.study.measures import (
    accuracy,
    accuracy_per_gflop,
    efficiency,
    efficiency_unit,
)
from neptune_nas.study.ranking import WITHIN, Standing, ranked_as
from neptune_nas.study.study import Study
from neptune_nas.text import counted

_PICKS = {"efficiency": "Most efficient", "knee": "Knee of the front", "accuracy": "Most accurate"}
_SHOWN = ("accuracy", "flops", "params", "activations", "latency")  # on every card
_FILES = {"Most efficient": "efficient", "Knee of the front": "knee", "Most accurate": "accurate"}
_HEADS = ("trials", "best accuracy", "first in the ranking", "hypervolume", "evaluation")


@dataclass(frozen=True, slots=True)
class _Card:
    """A pick, or several that fall on one trial. `command`: the words that export it."""

    number: int
    heading: str
    first: bool
    accuracy: str
    costs: Mapping[str, str]
    drawing: Markup | None
    drawing_error: str
    command: tuple[str, ...]


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


def answer_context(
    studies: Sequence[Study], commands: Sequence[str], order: Order
) -> dict[str, Any]:
    """Return what `answer.html` shows; `commands` are the studies' folders, quoted for a shell."""
    return {
        "heads": _HEADS,
        "comparison": _comparison(studies) if len(studies) > 1 else None,
        "answers": [_answer(*pair, order) for pair in zip(studies, commands, strict=True)],
    }


def _comparison(studies: Sequence[Study]) -> _ComparisonTable:
    """Return the studies in numbers, beside each other."""
    try:
        found = compare_studies(studies, force=True)
    except StudyError as error:
        return _ComparisonTable(error=redact(str(error)))
    own = others(studies[0].settings.question, ("accuracy", "flops"))
    return _ComparisonTable(tuple((each.name, _comparison_cells(each, own)) for each in found))


def _comparison_cells(found: StudyNumbers, own: Sequence[str]) -> tuple[str, ...]:
    """Return one study of the comparison; `own`: its objectives beside accuracy and FLOPs."""
    trial = found.first
    spent = f" at {short(trial.cost.flops)} FLOPs" if trial.cost.flops else ""
    values = [f"{TITLES[name]} {value_text(name, trial)}" for name in own]
    return (
        f"{found.trials:,}",
        f"{found.best_accuracy:.4f}",
        ", ".join([f"{accuracy(trial):.4f}{spent}", *values]),
        f"{found.hypervolume:.4f}",
        duration(found.worker_seconds),
    )


def _answer(study: Study, folder: str, order: Order) -> _Answer:
    """Return the cards of a study, or why it has none."""
    try:
        return _Answer(study.settings.name, _cards(study, folder, order))
    except StudyError as error:
        return _Answer(study.settings.name, error=redact(str(error)))


def _cards(study: Study, folder: str, order: Order) -> tuple[_Card, ...]:
    """Return a card for each pick; picks that fall on one trial share it.

    Where no trial's cost is known, that of the study's own ranking is the only one.
    """
    titles: dict[int, list[str]] = {}
    first: dict[int, Standing] = {}
    usual = ranked_as(study.settings.question)
    priced = any(isfinite(efficiency(study.settings, trial)) for trial in study.ranked)
    picks = [pick for pick in _PICKS.items() if priced or pick[0] == usual]
    for which, title in sorted(picks, key=lambda pick: pick[0] != usual):
        standing = study.ranking(which, order.min_accuracy)[0]
        number = standing.trial.number
        first[number] = standing
        titles.setdefault(number, []).append(title)
    return tuple(_card(study, first[n], titles[n], folder, _floor(order)) for n in titles)


def _floor(order: Order) -> str:
    """Return among which networks the most efficient was looked for."""
    if order.min_accuracy is not None:
        return f"with an accuracy of at least {order.min_accuracy:g}"
    return f"within {100 * WITHIN:g} points of the best"


def _card(study: Study, standing: Standing, titles: list[str], folder: str, floor: str) -> _Card:
    """Return one pick: its accuracy, costs, drawing, and the command that exports it."""
    trial = standing.trial
    among = {_PICKS["efficiency"]: f" {floor}"}
    drawing, error = _drawing(study, trial)
    file = f"-o {_FILES[titles[0]]}.json"
    return _Card(
        number=trial.number,
        heading=" · ".join(f"{title}{among.get(title, '')}" for title in titles),
        first=_PICKS[ranked_as(study.settings.question)] in titles,
        accuracy=f"{100 * standing.accuracy:.2f}%",
        costs=_costs(study, standing),
        drawing=drawing,
        drawing_error=error,
        command=("neptune-nas", "export", folder, f"--trial {trial.number}", file),
    )


def _costs(study: Study, standing: Standing) -> dict[str, str]:
    """Return a pick's costs, below the interval of its accuracy where one is known."""
    trial, items = standing.trial, {}
    if standing.low is not None and standing.high is not None:
        interval = f"{100 * standing.low:.2f} to {100 * standing.high:.2f}%"
        items[f"95% interval, {counted(standing.seeds, 'seed')}"] = interval
    own = others(study.settings.question, _SHOWN)
    items |= {
        **{TITLES[name]: value_text(name, trial) for name in own},
        "FLOPs": value_text("flops", trial),
        "parameters": value_text("params", trial),
        "activations": value_text("activations", trial),
    }
    if trial.latency is not None:
        kind = f" ({study.settings.latency})" if study.settings.latency else ""
        items[f"latency{kind}"] = f"{trial.latency:.3g} ms"
    unit = efficiency_unit(study.settings.question)
    items[f"(accuracy - chance)/{unit}"] = f"{efficiency(study.settings, trial):.4g}"
    items["accuracy/GFLOPs"] = f"{accuracy_per_gflop(trial):.4g}"
    items["trial"] = str(trial.number)
    return {name: text for name, text in items.items() if text not in ("-", "nan")}


def _drawing(study: Study, trial: Trial) -> tuple[Markup | None, str]:
    """Return a pick's network, or why it cannot be drawn."""
    try:
        return draw_svg(trial.architecture, model_of(study)), ""
    except (ArchitectureError, OwnCodeError) as error:
        return None, str(error)
