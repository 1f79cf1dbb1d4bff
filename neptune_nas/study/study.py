"""A snapshot of a study, from which reports and exports are made."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

import neptune_nas
from neptune_nas.study.audit import Audit, AuditRecord
from neptune_nas.study.exports import Export
from neptune_nas.study.frame import trials_frame, without_picks
from neptune_nas.study.front import dominated_share, pareto_front, ranked_trials
from neptune_nas.study.ledger import Ledger
from neptune_nas.study.ranking import Standing, ranking
from neptune_nas.study.references import Reference
from neptune_nas.study.settings import Settings
from neptune_nas.study.trial import Trial
from neptune_nas.text import counted

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True, repr=False)
class Study:
    """The present state of a study: its settings, all trials in the order they began, its ledger.

    `Search.run` returns one; `read_study` reads one from its folder, also during the search.
    `baselines`: other samplers' trials at equal budget, by name. `references`: hand-designed
    networks. `exports`: files of its trials. `audit`: how well its rungs rank, if measured.
    `full_budget`: the scores that an audit has measured so far, failed ones too.
    """

    folder: Path
    settings: Settings
    trials: tuple[Trial, ...]
    ledger: Ledger
    baselines: dict[str, tuple[Trial, ...]] = field(default_factory=dict)
    references: tuple[Reference, ...] = ()
    exports: tuple[Export, ...] = ()
    audit: Audit | None = None
    full_budget: AuditRecord | None = None

    def __repr__(self) -> str:
        trials, ranked = counted(len(self.trials), "trial"), len(self.ranked)
        return f"<Study {str(self.folder)!r} of {trials}, {ranked} at the last rung>"

    def _repr_html_(self) -> str:
        return neptune_nas.study_page(self)

    def plot(self, figure: str) -> "Figure":
        """Return a figure of the report: pareto, hypervolume, timeline or another.

        `figure` and errors: as in `neptune_nas.plot`, which draws several studies in one.
        """
        return neptune_nas.plot(figure, [self])

    @cached_property
    def ranked(self) -> tuple[Trial, ...]:
        """The trials that a ranking may use: those scored at the last rung."""
        return ranked_trials(self.settings.question, self.trials)

    def pareto(self) -> tuple[Trial, ...]:
        """Return the ranked trials that no other dominates, least FLOPs first."""
        return self._front

    @cached_property
    def _front(self) -> tuple[Trial, ...]:
        return pareto_front(self.settings.question, self.ranked)

    def best(self, which: str | None = None, min_accuracy: float | None = None) -> Trial:
        """Return the first trial of a ranking; `knee` considers the Pareto front alone.

        `which`, `min_accuracy` and errors: as in `ranking`.
        """
        return self.ranking(which, min_accuracy)[0].trial

    def ranking(
        self, by: str | None = None, min_accuracy: float | None = None
    ) -> tuple[Standing, ...]:
        """Return the trials scored at the last rung, best first; ties by accuracy, then by FLOPs.

        `by`: efficiency (accuracy above chance per MFLOP, or per unit of the first cost objective),
        the main scored metric, such as accuracy, knee, or a cost by its name. The default is
        efficiency if an objective is a cost, else the main metric. Rankings by cost drop trials
        that are clearly worse than the best (see `score_floor`), or below `min_accuracy` (0..1);
        the others drop trials only below a given `min_accuracy`. Raises `OptionError` for an
        unknown ranking and `StudyError` if no trial is left.
        """
        return ranking(self.settings, self.trials, by, min_accuracy)

    def hypervolume(self, trials: Sequence[Trial] | None = None) -> float:
        """Return the share of the box under the study's reference point that trials dominate, 0..1.

        The box extends from the reference to accuracy 1 and cost 0. `trials`: by default all ranked
        ones.
        """
        return dominated_share(self.settings, self.ranked if trials is None else trials)

    def to_dataframe(
        self, trials: Sequence[Trial] | None = None, picks: bool = True
    ) -> pd.DataFrame:
        """Return one row per trial, with the columns of `trials.csv` (`docs/files.md`).

        `trials`: by default all, in the order they began. `picks`: whether to add a column
        `pick:PATH` for each open field of the space.
        """
        if trials is not None:
            return trials_frame(self.settings, self.ranked, trials, picks)
        shown = self._frame if picks else without_picks(self._frame)
        return shown.copy()  # which the caller may change

    @cached_property
    def _frame(self) -> pd.DataFrame:
        return trials_frame(self.settings, self.ranked, self.trials)
