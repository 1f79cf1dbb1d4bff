"""What a study cost: counts, seconds, and the share of them that was not training."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Ledger:
    """Sums over all sessions of a study.

    `failures`: reason to count. `flops_trained`: three forward passes' worth an image (forward, and
    backward at twice its cost; Kaplan et al. 2020, arXiv 2001.08361).
    `began`: Unix time at which the last session began, 0 where that was not kept.
    `exhausted`: whether the space had nothing new left that constraints and table admit.
    `worker_seconds`: wall clock of the search's evaluations, summed over workers;
    `confirm_seconds`: of those that confirmed its best trials. Epochs and FLOPs are those of both.
    `wall_seconds` and `slot_seconds` (wall clock times workers): from first to last evaluation.
    """

    finished: int = 0
    pruned: int = 0
    failed: int = 0
    running: int = 0
    duplicates: int = 0
    infeasible: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    epochs: int = 0
    flops_trained: float = 0.0
    worker_seconds: float = 0.0
    confirm_seconds: float = 0.0
    wall_seconds: float = 0.0
    slot_seconds: float = 0.0
    worker_deaths: int = 0
    exhausted: bool = False
    began: float = 0.0

    @property
    def overhead(self) -> float:
        """Share of the workers' time that was not spent in evaluations, 0..1."""
        if not self.slot_seconds:
            return 0.0
        return max(0.0, 1.0 - self.worker_seconds / self.slot_seconds)
