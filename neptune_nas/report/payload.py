"""What the page's script works on: every trial in columns, its network, and the figures."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from neptune_nas.errors import ArchitectureError, OwnCodeError, StudyError
from neptune_nas.metrics.counted import CostModel
from neptune_nas.metrics.registry import COST, COSTS, PARAMS, TIMED
from neptune_nas.metrics.score import mean_score
from neptune_nas.report.drawing import Row, model_for, rows
from neptune_nas.study.frame import column_of
from neptune_nas.study.measures import efficiency_unit
from neptune_nas.study.settings import Question
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial

PackedRow = tuple[str, str, tuple[int, ...], int | None, tuple[int, ...], bool]

ALWAYS = (COST, PARAMS, *TIMED)  # where they are known
MOST_PARTS = 2_000  # a few milliseconds each to count


@dataclass(frozen=True, slots=True)
class Order:
    """How the page ranks: by what, and above which accuracy (None: 5 points below the best)."""

    by: str
    min_accuracy: float | None = None


def payload(
    studies: Sequence[Study], commands: Sequence[str], order: Order, figures: dict[str, go.Figure]
) -> str:
    """The data as JSON; `commands` are the studies' folders, quoted for a shell."""
    columns = pd.concat(
        [trial_columns(study, i, order) for i, study in enumerate(studies)], ignore_index=True
    )
    networks, known = pack_networks(studies)
    content = {
        "studies": [
            {"name": study.settings.name, "folder": folder, "timed": study.settings.facts.timed}
            for study, folder in zip(studies, commands, strict=True)
        ],
        "ranking": order.by,
        "metrics": metrics_of(studies[0].settings.question),
        "unit": efficiency_unit(studies[0].settings.question),
        "columns": {name: plain(columns[name]) for name in columns},
        "scores": [best_scores(study, trial) for study in studies for trial in study.trials],
        "networks": networks,
        "rows": known,
        "figures": {name: json.loads(fig.to_json()) for name, fig in figures.items()},
    }
    return json.dumps(content, separators=(",", ":"), allow_nan=False)


def metrics_of(question: Question) -> list[dict[str, Any]]:
    """Return the metrics of a study as the page's script shows them, the main one first.

    `column`: the metric's in the table of trials. `always`: whether it is shown though it is no
    objective.
    """
    return [
        {
            "name": each.name,
            "title": each.title,
            "unit": each.unit,
            "scored": each.is_scored,
            "column": column_of(each),
            "always": each in (question.main, *ALWAYS) or each in question.aims,
        }
        for each in (*question.scored, *COSTS)
    ]


def plain(column: "pd.Series[Any]") -> list[Any]:
    """A column's values as JSON has them; None for what is missing or not finite."""
    values = column.astype(object).where(column.notna(), None).tolist()
    return [None if isinstance(v, float) and abs(v) == float("inf") else v for v in values]


def trial_columns(study: Study, place: int, order: Order) -> pd.DataFrame:
    """`trials.csv` without picks, with each trial's study, place, value and tied group."""
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
    return frame


def best_scores(study: Study, trial: Trial) -> list[tuple[str, float]]:
    """Fidelity and accuracy of the trial's good scores, the mean of its seeds at each fidelity."""
    reached = dict.fromkeys(s.fidelity for s in trial.scores if s.ok and s.proxy is None)
    means = ((fidelity, mean_score(trial.scores_at(fidelity))) for fidelity in reached)
    budget = study.settings.question.budget
    return [(budget(fidelity), mean.main) for fidelity, mean in means if mean]


def pack_networks(studies: Sequence[Study]) -> tuple[list[list[int] | None], list[PackedRow]]:
    """Each trial's network as places in a list of the distinct rows; None if it cannot be built."""
    known: dict[PackedRow, int] = {}
    networks: list[list[int] | None] = []
    for study in studies:
        facts = study.settings.facts
        model = model_for(facts.input_shape, facts.classes)
        packed_rows = {t.number: packed_network(t, model) for t in by_interest(study)}
        for trial in study.trials:
            found = packed_rows[trial.number]
            if found is None:
                networks.append(None)
            else:
                networks.append([known.setdefault(row, len(known)) for row in found])
    return networks, list(known)


def by_interest(study: Study) -> list[Trial]:
    """The trials on the front, then the other ranked ones, then the rest."""
    front = {trial.number for trial in study.pareto()}
    ranked = {trial.number for trial in study.ranked}
    return sorted(study.trials, key=lambda t: (t.number not in front, t.number not in ranked))


def packed_network(trial: Trial, model: CostModel) -> list[PackedRow] | None:
    """A network's rows; None if it cannot be built.

    Parts are counted until the model knows `MOST_PARTS`: from then on, networks with a new part
    are drawn without shares, so that the time is bounded in spaces without end.
    """
    try:
        parts = model.parts(trial.architecture)
        room = len(model.known) < MOST_PARTS
        known = room or all(part in model.known for part in parts)
        counted = known and len(parts) > 1  # a single one has all of the cost
        found = rows(trial.architecture, model, counted)
    except (ArchitectureError, OwnCodeError):
        return None
    return [pack(row, counted) for row in found]


def pack(row: Row, counted: bool) -> PackedRow:
    """A row as the script unpacks it."""
    macs = row.cost.macs if counted else None
    return row.kind, row.label, row.shape, macs, row.reads, row.shortcut
