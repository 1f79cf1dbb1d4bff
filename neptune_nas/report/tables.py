"""All trials, the front and the ranking as tables for machines and for Markdown.

The columns are documented in `docs/files.md`.
"""

from collections.abc import Callable
from typing import Any

import pandas as pd

from neptune_nas.errors import OptionError, one_of
from neptune_nas.redact import redact
from neptune_nas.report.describe import describe, short
from neptune_nas.report.noise import accuracies, noise
from neptune_nas.report.ranking import (
    FORMULAS,
    Standing,
    accuracy,
    accuracy_per_gflop,
    contributions,
    efficiency,
    netscore,
    ranking,
)
from neptune_nas.study.study import Study
from neptune_nas.trial import Trial

PICK = "pick:"  # marks the columns that hold what was picked at an open field
FORMATS = ("csv", "md")


def trials_csv(study: Study) -> str:
    """Every trial in the order they began."""
    return to_csv(trials_table(study))


def pareto_csv(study: Study) -> str:
    """The trials on the front, cheapest first, with the hypervolume that each alone adds."""
    return to_csv(pareto_table(study))


def ranking_text(
    study: Study, form: str, by: str = "efficiency", min_accuracy: float | None = None
) -> str:
    """The ranking as "csv" or "md"."""
    if form not in FORMATS:
        raise OptionError(f"format '{form}' is unknown: {one_of(FORMATS, form)}")
    if form == "md":
        return ranking_markdown(study, by, min_accuracy)
    return to_csv(ranking_table(study, by, min_accuracy))


def trials_table(study: Study, picks: bool = True) -> pd.DataFrame:
    """One row a trial; `picks` adds one column for each open field of the space."""
    return table(study, study.trials, picks)


def pareto_table(study: Study) -> pd.DataFrame:
    """One row a trial on the front, cheapest first."""
    front = study.front()
    frame = table(study, front)
    frame.insert(1, "hypervolume", contributions(study, list(front)))
    return frame


def ranking_table(
    study: Study, by: str = "efficiency", min_accuracy: float | None = None
) -> pd.DataFrame:
    """One row a ranked trial, best first, with its place and tied group."""
    places = ranking(study, by, min_accuracy)
    frame = table(study, tuple(standing.trial for standing in places))
    frame.insert(0, "place", [standing.place for standing in places])
    frame.insert(1, "value", [standing.value for standing in places])
    frame.insert(2, "tied_group", pd.Series([s.group for s in places], dtype="Int64"))
    return frame


def ranking_markdown(
    study: Study, by: str = "efficiency", min_accuracy: float | None = None, top: int = 20
) -> str:
    """The first `top` of a ranking as a Markdown table, with the formula above it."""
    places = ranking(study, by, min_accuracy)
    lines = [
        f"# {escape_markdown(study.settings.name)}: ranking by {by}",
        "",
        f"`{FORMULAS[by]}`; the first {min(top, len(places))} of {len(places)}.",
        "",
        "| place | trial | accuracy | FLOPs | parameters | (acc. - chance)/MFLOPs | acc./GFLOPs "
        "| architecture |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
        *(markdown_row(study, standing) for standing in places[:top]),
    ]
    return "\n".join(lines) + "\n"


def markdown_row(study: Study, standing: Standing) -> str:
    """One line of the Markdown table."""
    trial, chance = standing.trial, study.settings.facts.chance
    cells = (
        str(standing.place),
        str(trial.number),
        accuracy_text(standing),
        short(trial.cost.flops),
        short(trial.cost.params),
        f"{efficiency(trial, chance):.4g}",
        f"{accuracy_per_gflop(trial):.4g}",
        escape_markdown(describe(trial.architecture)),
    )
    return f"| {' | '.join(cells)} |"


def accuracy_text(standing: Standing) -> str:
    """The accuracy, with its interval and seeds where they were repeated."""
    text = f"{standing.accuracy:.4f}"
    if standing.low is None or standing.high is None:
        return text
    return f"{text} [{standing.low:.4f}, {standing.high:.4f}] ({standing.seeds} seeds)"


def escape_markdown(text: str) -> str:
    """`text` with nothing in it that Markdown, or HTML inside it, would act on."""
    for mark in "\\`*_[]|":
        text = text.replace(mark, f"\\{mark}")
    return text.replace("<", "&lt;").replace("\n", " ")


def to_csv(frame: pd.DataFrame) -> str:
    """Comma-separated values with a header; empty where there is nothing."""
    return frame.to_csv(index=False, lineterminator="\n")


def table(study: Study, trials: tuple[Trial, ...], picks: bool = True) -> pd.DataFrame:
    """One row a trial, in the order given."""
    on_front = {trial.number for trial in study.front()}
    spread = noise(study.ranked)
    chance = study.settings.facts.chance
    columns: dict[str, Callable[[Trial], Any]] = {
        "number": lambda t: t.number,
        "key": lambda t: t.key,
        "state": lambda t: str(t.state),
        "pareto": lambda t: t.number in on_front,
        "accuracy": accuracy,
        "accuracy_half_width": lambda t: (
            spread.half_width(n) if spread and (n := len(accuracies(t))) > 1 else None
        ),
        "seeds": lambda t: len(accuracies(t)),
        "loss": lambda t: t.score.loss if t.score else None,
        "fidelity": lambda t: t.score.fidelity if t.score else 0,
        "flops": lambda t: t.cost.flops,
        "macs": lambda t: t.cost.macs,
        "params": lambda t: t.cost.params,
        "activations": lambda t: t.cost.activations,
        "latency_ms": lambda t: t.latency,
        "efficiency": lambda t: efficiency(t, chance),
        "accuracy_per_gflop": accuracy_per_gflop,
        "netscore": lambda t: netscore(t) if t.score else None,
        "seconds": lambda t: sum(score.seconds for score in t.scores),
        "started": lambda t: min((s.started for s in t.scores if s.started), default=None),
        "worker": lambda t: t.scores[-1].worker if t.scores else None,
        "failure": lambda t: redact(t.failure) if t.failure else None,
        "architecture": lambda t: describe(t.architecture),
    }
    content = {name: pd.Series([of(t) for t in trials]) for name, of in columns.items()}
    if picks:
        for path in dict.fromkeys(path for trial in trials for path in trial.picks):
            values = [trial.picks.get(path) for trial in trials]
            content[PICK + path] = pd.Series(values, dtype=object)
    frame = pd.DataFrame(content)
    return frame.astype({"worker": "Int64"})
