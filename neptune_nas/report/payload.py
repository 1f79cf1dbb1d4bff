"""The data of the page's script: columns of all trials, their drawings, and the figures."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from neptune_nas.errors import ArchitectureError, OwnCodeError, StudyError
from neptune_nas.metrics.counted import CostModel
from neptune_nas.metrics.registry import COST, COSTS, PARAMS, TIMED
from neptune_nas.metrics.score import mean_score
from neptune_nas.report.drawing import model_for
from neptune_nas.report.plain_comparison import seed_noise
from neptune_nas.report.svg import draw_svg
from neptune_nas.report.verdict import interval_text
from neptune_nas.study.export import next_command
from neptune_nas.study.frame import column_of
from neptune_nas.study.measures import efficiency_unit, main_score
from neptune_nas.study.settings import Question
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial

_ALWAYS = (COST, PARAMS, *TIMED)  # where they are known
_MOST_PARTS = 300  # a few milliseconds each to count
_MOST_DRAWN = 1_000  # a few kilobytes each


@dataclass(frozen=True, slots=True)
class Order:
    """The ranking: its formula, and the least accuracy (None: see `score_floor`)."""

    by: str
    min_accuracy: float | None = None


def payload(studies: Sequence[Study], order: Order, figures: dict[str, go.Figure]) -> str:
    """Return the data as JSON; in the command of each study, {} stands for a trial's number."""
    columns = pd.concat(
        [_trial_columns(study, i, order) for i, study in enumerate(studies)], ignore_index=True
    )
    content = {
        "studies": [
            {
                "name": study.settings.name,
                "next": next_command(study, "{}"),
                "timed": study.settings.facts.timed,
            }
            for study in studies
        ],
        "ranking": order.by,
        "unit": efficiency_unit(studies[0].settings.question),
        "metrics": _metrics_of(studies[0].settings.question),
        "columns": {name: _json_values(columns[name]) for name in columns},
        "scores": [best_scores(study, trial) for study in studies for trial in study.trials],
        "drawings": [text for study in studies for text in drawings(study, model_of(study))],
        "figures": {name: json.loads(fig.to_json()) for name, fig in figures.items()},
    }
    return json.dumps(content, separators=(",", ":"), allow_nan=False)


def _metrics_of(question: Question) -> list[dict[str, Any]]:
    """Return the metrics of a study in the form of the page's script, the main one first.

    `column`: the metric's column in the table of trials. `always`: whether it is shown even if it
    is no objective.
    """
    return [
        {
            "name": each.name,
            "title": each.title,
            "unit": each.unit,
            "scored": each.is_scored,
            "column": column_of(each),
            "always": each in (question.main, *_ALWAYS) or each in question.aims,
        }
        for each in (*question.scored, *COSTS)
    ]


def _json_values(column: "pd.Series[Any]") -> list[Any]:
    """Return a column's values for JSON; None for what is missing or not finite."""
    values = column.astype(object).where(column.notna(), None).tolist()
    return [None if isinstance(v, float) and abs(v) == float("inf") else v for v in values]


def _trial_columns(study: Study, place: int, order: Order) -> pd.DataFrame:
    """Return `trials.csv` without picks, with each trial's study, place, value and tied group."""
    frame = study.to_dataframe(picks=False)
    try:
        places = study.ranking(order.by, order.min_accuracy)
    except StudyError:
        places = ()
    found = {standing.trial.number: standing for standing in places}
    at = [found.get(number) for number in frame["number"]]
    frame.insert(0, "study", place)
    frame.insert(1, "place", pd.Series([s.place if s else None for s in at], dtype="Int64"))
    frame.insert(2, "value", pd.Series([s.value if s else None for s in at], dtype="float64"))
    frame.insert(3, "tied_group", pd.Series([s.group if s else None for s in at], dtype="Int64"))
    spread = seed_noise(study)
    frame["interval"] = [interval_text(study, t, spread) if t.score else "" for t in study.trials]
    return frame


def best_scores(study: Study, trial: Trial) -> list[tuple[str, float]]:
    """Return the fidelities of a trial's good scores, with the mean main score over seeds."""
    reached = dict.fromkeys(s.fidelity for s in trial.scores if s.ok and s.proxy is None)
    means = ((fidelity, mean_score(trial.scores_at(fidelity))) for fidelity in reached)
    budget = study.settings.question.budget
    return [(budget(fidelity), mean.main) for fidelity, mean in means if mean]


def model_of(study: Study) -> CostModel:
    """Return the cost model for a study's images."""
    return model_for(study.settings.facts.input_shape, study.settings.facts.classes)


def drawings(
    study: Study, model: CostModel, most_parts: int = _MOST_PARTS, most: int = _MOST_DRAWN
) -> list[str | None]:
    """Return the drawings of the `most` best trials; None where the network cannot be built.

    Other trials get an empty text. Parts are counted until the model knows `most_parts` of them;
    from then on, networks with a new part are drawn without shares, which bounds the time in very
    large spaces.
    """
    drawn = {t.number: _drawing(t, model, most_parts) for t in _by_interest(study)[:most]}
    return [drawn.get(trial.number, "") for trial in study.trials]


def _by_interest(study: Study) -> list[Trial]:
    """Return the trials on the front, then the other ranked ones, the best first, then the rest."""
    ranked = {trial.number: -main_score(trial) for trial in study.ranked}
    first = ranked | dict.fromkeys((trial.number for trial in study.pareto()), -inf)
    return sorted(study.trials, key=lambda trial: first.get(trial.number, inf))


def _drawing(trial: Trial, model: CostModel, most_parts: int) -> str | None:
    """Return one trial's drawing; None where the network cannot be built."""
    try:
        parts = model.parts(trial.architecture)
        room = len(model.known) < most_parts
        known = room or all(part in model.known for part in parts)
        counted = known and len(parts) > 1  # a single one has all of the cost
        return draw_svg(trial.architecture, model, counted=counted)
    except (ArchitectureError, OwnCodeError):
        return None
