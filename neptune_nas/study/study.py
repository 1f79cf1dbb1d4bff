"""What came out of a study so far: a snapshot that reports and exports are made from."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from neptune_nas.pareto import hypervolume, non_dominated
from neptune_nas.study.audit import Audit
from neptune_nas.study.ledger import Ledger
from neptune_nas.study.objectives import losses, values_of
from neptune_nas.study.settings import Settings
from neptune_nas.trial import State, Trial


@dataclass(frozen=True, slots=True)
class Reference:
    """A hand-designed network under the study's recipe, data and budget, to compare with."""

    name: str
    flops: int
    params: int
    accuracy: float


@dataclass(frozen=True)
class Study:
    """A study as it stands: its settings, all trials in the order they began, its ledger.

    `baselines`: other samplers' trials at equal budget, by name. `references`: hand-designed
    networks. `audit`: how well its rungs rank, where that was measured.
    """

    folder: Path
    settings: Settings
    trials: tuple[Trial, ...]
    ledger: Ledger
    baselines: dict[str, tuple[Trial, ...]] = field(default_factory=dict)
    references: tuple[Reference, ...] = ()
    audit: Audit | None = None

    @cached_property
    def ranked(self) -> tuple[Trial, ...]:
        """The trials that a ranking may use: scored at the last rung."""
        last = self.settings.question.rungs[-1]
        return tuple(
            t
            for t in self.trials
            if t.state is State.FINISHED and t.score is not None and t.score.fidelity == last
        )

    def front(self) -> tuple[Trial, ...]:
        """The ranked trials that no other dominates, cheapest first."""
        return self._front

    @cached_property
    def _front(self) -> tuple[Trial, ...]:
        ranked = self.ranked
        if not ranked:
            return ()
        keep = non_dominated([self.losses(t) for t in ranked])
        return tuple(
            sorted((t for t, k in zip(ranked, keep, strict=True) if k), key=lambda t: t.cost.flops)
        )

    def losses(self, trial: Trial) -> tuple[float, ...]:
        """The trial's objectives, turned so that less is better."""
        names = self.settings.question.objectives
        return losses(names, values_of(names, trial))

    def hypervolume(self, trials: Sequence[Trial] | None = None) -> float:
        """The share of the box under the study's reference point that the trials dominate, 0..1.

        The box reaches from the reference to accuracy 1 and cost 0.
        """
        return hypervolume(*unit_box(self.settings, self.ranked if trials is None else trials))


def unit_box(settings: Settings, trials: Sequence[Trial]) -> tuple[list[list[float]], list[float]]:
    """The trials' objectives as losses, and their reference, scaled so that the box is 1 large."""
    names, corner = settings.question.objectives, settings.facts.reference
    scale = [1.0 - c if n == "accuracy" else c for n, c in zip(names, corner, strict=True)]
    points = [losses(names, values_of(names, trial)) for trial in trials]
    return (
        [[value / s for value, s in zip(point, scale, strict=True)] for point in points],
        [value / s for value, s in zip(losses(names, corner), scale, strict=True)],
    )
