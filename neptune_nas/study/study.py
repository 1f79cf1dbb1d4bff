"""What came out of a study so far: a snapshot that reports and exports are made from."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from neptune_nas.study.audit import Audit, Measured
from neptune_nas.study.frame import trials_frame
from neptune_nas.study.front import dominated_share, pareto_front, ranked_trials
from neptune_nas.study.hand_designed import Reference
from neptune_nas.study.ledger import Ledger
from neptune_nas.study.ranking import Standing, ranking
from neptune_nas.study.settings import Settings
from neptune_nas.study.trial import Trial
from neptune_nas.text import counted


@dataclass(frozen=True, repr=False)
class Study:
    """A study as it stands: its settings, all trials in the order they began, its ledger.

    `Search.run` returns one, `read_study` reads one from its folder, also while it is searched.
    `baselines`: other samplers' trials at equal budget, by name. `references`: hand-designed
    networks. `audit`: how well its rungs rank, where that was measured. `full_budget`: the
    scores that an audit has measured so far, failed ones too.
    """

    folder: Path
    settings: Settings
    trials: tuple[Trial, ...]
    ledger: Ledger
    baselines: dict[str, tuple[Trial, ...]] = field(default_factory=dict)
    references: tuple[Reference, ...] = ()
    audit: Audit | None = None
    full_budget: Measured | None = None

    def __repr__(self) -> str:
        trials, ranked = counted(len(self.trials), "trial"), len(self.ranked)
        return f"<Study {str(self.folder)!r} of {trials}, {ranked} at the last rung>"

    @cached_property
    def ranked(self) -> tuple[Trial, ...]:
        """The trials that a ranking may use: scored at the last rung."""
        return ranked_trials(self.settings.question, self.trials)

    def pareto(self) -> tuple[Trial, ...]:
        """The ranked trials that no other dominates, those of the least FLOPs first."""
        return self._front

    @cached_property
    def _front(self) -> tuple[Trial, ...]:
        return pareto_front(self.settings.question, self.ranked)

    def best(self, which: str | None = None, min_accuracy: float | None = None) -> Trial:
        """The first trial of a ranking; `knee` is sought on the Pareto front alone.

        `which`, `min_accuracy`, errors: as of `ranking`.
        """
        return self.ranking(which, min_accuracy)[0].trial

    def ranking(
        self, by: str | None = None, min_accuracy: float | None = None
    ) -> tuple[Standing, ...]:
        """The trials scored at the last rung, best first; equal ones by accuracy, then by FLOPs.

        `by`: efficiency (accuracy above chance for each MFLOP, or for each unit of the first cost
        among the objectives), accuracy, knee, flops, macs, params, activations or latency; unless
        said, efficiency where the objectives have a cost, or else accuracy. Rankings by cost drop
        trials more than 5 points below the best accuracy, or below `min_accuracy` (0..1); the
        others drop some only if it is given. Raises `OptionError` for an unknown ranking and
        `StudyError` if no trial is left.
        """
        return ranking(self.settings, self.trials, by, min_accuracy)

    def hypervolume(self, trials: Sequence[Trial] | None = None) -> float:
        """The share of the box under the study's reference point that the trials dominate, 0..1.

        The box reaches from the reference to accuracy 1 and cost 0. `trials`: all ranked ones,
        unless said.
        """
        return dominated_share(self.settings, self.ranked if trials is None else trials)

    def to_dataframe(
        self, trials: Sequence[Trial] | None = None, picks: bool = True
    ) -> pd.DataFrame:
        """One row a trial, with the columns of `trials.csv` (`docs/files.md`).

        `trials`: all, in the order they began, unless said. `picks`: whether there is a column
        `pick:PATH` for each open field of the space.
        """
        shown = self.trials if trials is None else trials
        return trials_frame(self.settings, self.ranked, shown, picks)
