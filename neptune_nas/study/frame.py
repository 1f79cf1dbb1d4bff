"""Trials as a table, one row each. The columns are documented in `docs/files.md`."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pandas as pd

from neptune_nas.architecture.description import describe
from neptune_nas.metrics.trial import Trial
from neptune_nas.redact import redact
from neptune_nas.study.front import pareto_front
from neptune_nas.study.measures import accuracy, accuracy_per_gflop, efficiency, loss
from neptune_nas.study.noise import accuracies, half_width, noise
from neptune_nas.study.objectives import EXACT
from neptune_nas.study.settings import Settings

PICK = "pick:"  # marks the columns that hold what was picked at an open field


def known(name: str, trial: Trial) -> int | None:
    """A cost that is counted; None where it is 0, as of a table that does not say it."""
    cost: int = getattr(trial.cost, name)
    return cost or None


def trials_frame(
    settings: Settings, ranked: tuple[Trial, ...], trials: Sequence[Trial], picks: bool = True
) -> pd.DataFrame:
    """One row for each of the `trials` of a study, in the order given.

    `ranked`: those of the study that count for its front and its noise. `picks` adds one column
    for each open field of the space.
    """
    on_front = {trial.number for trial in pareto_front(settings.question, ranked)}
    spread = noise(ranked)
    columns: dict[str, Callable[[Trial], Any]] = {
        "number": lambda t: t.number,
        "key": lambda t: t.key,
        "state": lambda t: str(t.state),
        "pareto": lambda t: t.number in on_front,
        "given": lambda t: t.given,
        "accuracy": accuracy,
        "accuracy_half_width": lambda t: half_width(t, spread),
        "seeds": lambda t: len(accuracies(t)),
        "loss": loss,
        "fidelity": lambda t: t.score.fidelity if t.score else 0,
        **{name: partial(known, name) for name in EXACT},
        "latency_ms": lambda t: t.latency,
        "efficiency": lambda t: efficiency(settings, t),
        "accuracy_per_gflop": accuracy_per_gflop,
        "seconds": lambda t: sum(score.seconds for score in t.scores),
        "started": lambda t: min((s.started for s in t.scores if s.started), default=None),
        "worker": lambda t: t.scores[-1].worker if t.scores else None,
        "failure": lambda t: redact(t.failure) if t.failure else None,
        "architecture": lambda t: describe(t.architecture),
    }
    content = {name: pd.Series([of(t) for t in trials]) for name, of in columns.items()}
    content |= {n: content[n].astype("Int64") for n in EXACT if content[n].hasnans}
    if picks:
        for path in dict.fromkeys(path for trial in trials for path in trial.picks):
            values = [trial.picks.get(path) for trial in trials]
            content[PICK + path] = pd.Series(values, dtype=object)
    frame = pd.DataFrame(content)
    return frame.astype({"worker": "Int64"})
