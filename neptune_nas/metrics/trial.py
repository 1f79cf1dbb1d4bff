"""The records of a search: what an architecture costs, what it scored, and the trial of both."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import isfinite
from statistics import fmean

from neptune_nas.architecture.records import Architecture

SCORED = ("accuracy", "loss")  # what a score tells at any fidelity, and a search can aim at


@dataclass(frozen=True, slots=True)
class Cost:
    """What one forward pass of one image takes, counted on the built network, in eval mode.

    `macs`: multiply-adds of convolutions, linear layers and every matrix product of attention.
    `params`: learned numbers. `activations`: elements that those same operations put out
    (Radosavovic et al. 2020, arXiv 2003.13678).
    """

    macs: int
    params: int
    activations: int

    @property
    def flops(self) -> int:
        """Floating-point operations: two a multiply-add."""
        return 2 * self.macs

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.macs + other.macs,
            self.params + other.params,
            self.activations + other.activations,
        )


@dataclass(frozen=True, slots=True)
class Score:
    """What an evaluator measured at one fidelity; a failed measurement says why in `failure`.

    `accuracy`: share of validation images that are right, 0..1. `loss`: mean cross-entropy in nats.
    `seconds`: wall clock of the evaluation. `images_per_second`: training images (0 if none).
    `peak_memory`: bytes (0 if not measured). `started`: Unix time. `worker`: which one ran it.
    `proxy`: what a zero-cost proxy measured in place of accuracy and loss, which are then 0.
    `trace`: the traceback of the exception behind a failure, which no JSON of a score holds.
    """

    fidelity: int
    accuracy: float
    loss: float
    seed: int = 0
    seconds: float = 0.0
    images_per_second: float = 0.0
    peak_memory: int = 0
    started: float = 0.0
    worker: int = 0
    failure: str | None = None
    proxy: float | None = None
    trace: str | None = field(default=None, compare=False)

    @property
    def value(self) -> float:
        """The number to rank by, more is better: the proxy where there is one, or the accuracy."""
        return self.accuracy if self.proxy is None else self.proxy

    @property
    def ok(self) -> bool:
        """Whether there is a number to rank by."""
        return self.failure is None and isfinite(self.value)


def mean_score(scores: Sequence[Score]) -> Score | None:
    """The first of some scores with the mean accuracy and loss of all; None without any."""
    if len(scores) < 2:
        return scores[0] if scores else None
    return replace(
        scores[0],
        accuracy=fmean(score.accuracy for score in scores),
        loss=fmean(score.loss for score in scores),
    )


class State(StrEnum):
    """What became of a trial: `finished` at the highest fidelity, `pruned` at a lower rung,
    `failed`, or still `running`.
    """

    RUNNING = "running"
    FINISHED = "finished"
    PRUNED = "pruned"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Trial:
    """One architecture, its costs, and its scores in the order they were measured.

    `number`: its place in the study, from 0. `key`: 16 hex digits, equal for equal networks.
    `picks`: what was picked at each open field of the space, by path. `failure`: why it failed,
    and `trace` where in the code, if an exception was behind it.
    `latency`: ms of one image, where it is known. `confirmations`: scores with further seeds,
    measured after the search because the trial looked good; failed ones too. `given`: whether the
    search was told to try it, so that no sampler proposed it.
    """

    number: int
    architecture: Architecture
    key: str
    cost: Cost
    picks: dict[str, str | int | float | bool | None] = field(default_factory=dict)
    scores: tuple[Score, ...] = ()
    state: State = State.RUNNING
    failure: str | None = None
    latency: float | None = None
    confirmations: tuple[Score, ...] = ()
    given: bool = False
    trace: str | None = None

    @property
    def ended(self) -> float:
        """When the last score was there, Unix time; 0 without any."""
        return max((score.started + score.seconds for score in self.scores), default=0.0)

    def scores_at(self, fidelity: int) -> tuple[Score, ...]:
        """The good scores at one fidelity: one a seed."""
        return tuple(
            s for s in (*self.scores, *self.confirmations) if s.ok and s.fidelity == fidelity
        )

    @property
    def score(self) -> Score | None:
        """The good score at the highest fidelity trained to, the mean of repeated seeds.

        None where there is none: what a proxy measured is no accuracy.
        """
        reached = [s.fidelity for s in self.scores if s.ok and s.proxy is None]
        return mean_score(self.scores_at(max(reached))) if reached else None
