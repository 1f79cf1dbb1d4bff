"""Trials: one architecture of a study, with its costs, scores and state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from neptune_nas.metrics.score import Score, mean_score


class State(StrEnum):
    """The state of a trial.

    `finished` at the highest fidelity, `pruned` at a lower rung, `failed`, or still `running`.
    """

    RUNNING = "running"
    FINISHED = "finished"
    PRUNED = "pruned"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Trial:
    """One architecture, with its costs and its scores in the order they were measured.

    `number`: its place in the study, from 0. `key`: 16 hex digits, equal for equal networks.
    `values`: counted and timed metrics by name; unknown ones are missing. `picks`: the option at
    each open field of the space, by path. `failure`: why it failed; `trace`: the traceback, if an
    exception was the cause. `confirmations`: scores with further seeds, measured after the search
    because the trial looked good; failed ones included. `given`: whether the search was asked to
    try it, so that no sampler proposed it. `predicted`: the former values, by name, of those that
    were predicted before they were measured. `score`: the good score at the highest fidelity
    trained to, averaged over repeated seeds; None if there is none. The value of a proxy is not a
    score.
    """

    number: int
    architecture: Any
    key: str
    values: Mapping[str, float] = field(default_factory=dict)
    picks: dict[str, str | int | float | bool | None] = field(default_factory=dict)
    scores: tuple[Score, ...] = ()
    state: State = State.RUNNING
    failure: str | None = None
    confirmations: tuple[Score, ...] = ()
    given: bool = False
    trace: str | None = None
    predicted: Mapping[str, float] = field(default_factory=dict)
    score: Score | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Once, since reports ask for it a hundred times.
        object.__setattr__(self, "score", _score_of(self))

    @property
    def ended(self) -> float:
        """Unix time of the last score; 0 without any."""
        return max((score.started + score.seconds for score in self.scores), default=0.0)

    def scores_at(self, fidelity: int) -> tuple[Score, ...]:
        """Return the good scores at one fidelity, one per seed."""
        return tuple(
            s for s in (*self.scores, *self.confirmations) if s.fidelity == fidelity and s.ok
        )


def _score_of(trial: Trial) -> Score | None:
    reached = [s.fidelity for s in trial.scores if s.ok and s.proxy is None]
    return mean_score(trial.scores_at(max(reached))) if reached else None
