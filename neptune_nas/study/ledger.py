"""The ledger of a study: counts, seconds, and the share of time not spent on evaluations."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Ledger:
    """Totals over all sessions of a study.

    `failures`: number by reason. `flops_trained`: three forward passes per image (the backward pass
    costs twice the forward pass; Kaplan et al. 2020, arXiv 2001.08361). `began`: Unix time at which
    the last session began, 0 if not recorded. `exhausted`: whether nothing new was left in the
    space that constraints and table allow. `worker_seconds`: wall clock of the search's
    evaluations, summed over workers; `confirm_seconds`: that of confirmations. Epochs and FLOPs
    include both. `wall_seconds` and `slot_seconds` (wall clock times workers): from the first to
    the last evaluation.
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
        """Share of the workers' time that was not spent on evaluations, 0..1."""
        if not self.slot_seconds:
            return 0.0
        return max(0.0, 1.0 - self.worker_seconds / self.slot_seconds)
