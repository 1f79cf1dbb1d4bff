"""Proposals of new architectures: the given ones first, then those of a sampler.

The sampler sees an Optuna study of its own, in memory. So asking needs no database commits
(otherwise one per parameter), duplicates and infeasible candidates leave no trace on disk, and the
sampler learns from both.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import nan
from random import Random
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState, create_trial

from neptune_nas.errors import NeptuneError
from neptune_nas.metrics.registry import TIMED
from neptune_nas.metrics.score import Score
from neptune_nas.samplers.factory import short_name
from neptune_nas.samplers.problem import Problem
from neptune_nas.samplers.sampler import SpaceSampler
from neptune_nas.samplers.user_strategy import failure
from neptune_nas.space import RejectedError
from neptune_nas.study.objectives import Direction
from neptune_nas.study.store import SamplerRecord
from neptune_nas.study.trial import State, Trial

ATTEMPTS = 200  # wasted proposals in a row before one is drawn at random


@dataclass(frozen=True, slots=True)
class _Proposal:
    """An architecture to evaluate, with the sampler's trial that led to it.

    `given`: whether the search was told to try it.
    """

    architecture: Any
    key: str
    picks: dict[str, Any]
    distributions: Mapping[str, BaseDistribution]
    system_attrs: Mapping[str, Any]
    asked: int
    given: bool = False


@dataclass(slots=True)
class Proposer:
    """Asks a sampler for architectures that no trial has tried yet.

    `first`: feasible architectures of the space, proposed before the sampler's own. Our samplers
    read the scored objective at lower rungs, and a proxy at rung 0, from intermediate values, and
    timed metrics from user attributes. Optuna's samplers are told a pruned trial's last values as
    if they were final, since with two objectives they accept no pruned trials; a trial that has
    only a proxy, which is not an accuracy, is told to them as failed.
    """

    problem: Problem[Any]
    sampler: BaseSampler
    directions: Sequence[Direction]
    first: deque[Any] = field(default_factory=deque)
    duplicates: int = 0
    infeasible: int = 0
    stopped: bool = field(init=False, default=False)
    storage: InMemoryStorage = field(init=False, default_factory=InMemoryStorage)
    study: optuna.Study = field(init=False)
    values: dict[str, Sequence[float] | None] = field(init=False, default_factory=dict)
    numbers: dict[int, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.study = optuna.create_study(
            storage=self.storage,
            sampler=self.sampler,
            study_name="proposals",
            directions=list(self.directions),
        )

    def load(
        self, trials: Iterable[tuple[Trial, SamplerRecord, Sequence[float] | None]], last: int
    ) -> None:
        """Load the trials of earlier sessions, told in the order in which they ended.

        `last`: the last rung; scores below it are not values of the objectives.
        """
        earlier = list(trials)
        for trial, record, _ in earlier:
            self.study.add_trial(
                create_trial(
                    state=TrialState.RUNNING,
                    params=trial.picks,
                    distributions=dict(record.distributions),
                    intermediate_values=self._rungs(s for s in trial.scores if s.fidelity < last),
                    user_attrs=_measured_ahead(trial),
                    system_attrs=dict(record.system_attrs),
                )
            )
            self.numbers[trial.number] = len(self.numbers)
            self.values[trial.key] = None
        for trial, _, values in sorted(earlier, key=lambda item: item[0].ended):
            if trial.state is not State.RUNNING:
                self.tell(trial, values)

    @property
    def _knows_proxies(self) -> bool:
        return isinstance(self.sampler, SpaceSampler)

    def _rungs(self, scores: Iterable[Score]) -> dict[int, float]:
        """Return the values to tell the sampler, by rung; proxies only to one of our own."""
        heard = (s for s in scores if s.ok and (s.proxy is None or self._knows_proxies))
        return {
            s.fidelity: s.values.get(self.problem.scored, nan) if s.proxy is None else s.proxy
            for s in heard
        }

    def propose(self) -> _Proposal:
        """Return the next architecture; raises `SpaceExhaustedError` when no new one is left."""
        while self.first:
            architecture = self.first.popleft()
            if self.problem.name(architecture) not in self.values:
                return replace(self._enqueued(architecture), given=True)
        for _ in range(0 if self.stopped else ATTEMPTS):
            asked = self._ask()
            if (proposal := self._accepted(asked)) is not None:
                return proposal
        return self._draw_proposal()

    def began(self, proposal: _Proposal, trial: Trial) -> None:
        """Record the trial number that a proposal received, and its timed metrics."""
        self.numbers[trial.number] = proposal.asked
        for name, value in _measured_ahead(trial).items():
            self.storage.set_trial_user_attr(self._id(trial), name, value)

    def tell_rung(self, trial: Trial) -> None:
        """Tell the sampler a score below the last rung."""
        for rung, value in self._rungs(trial.scores[-1:]).items():
            # `Trial.report` refuses two objectives.
            self.storage.set_trial_intermediate_value(self._id(trial), rung, value)

    def _id(self, trial: Trial) -> int:
        return self.storage.get_trial_id_from_study_id_trial_number(
            self.storage.get_study_id_from_name("proposals"), self.numbers[trial.number]
        )

    def tell(self, trial: Trial, values: Sequence[float] | None) -> None:
        """Tell the sampler how a trial ended."""
        self.values[trial.key] = values
        number = self.numbers[trial.number]
        if trial.state is State.PRUNED and self._knows_proxies:
            self._tell(number, state=TrialState.PRUNED)
        elif values is None or trial.state is State.FAILED:
            self._tell(number, state=TrialState.FAIL)
        else:
            self._tell(number, values)

    def _ask(self) -> optuna.Trial:
        with self._guarded():
            return self.study.ask()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Turn an exception of a sampler that is not ours into a one-sentence error."""
        try:
            yield
        except NeptuneError:
            raise
        except (Exception, SystemExit) as error:
            if isinstance(self.sampler, SpaceSampler):
                raise
            name, cls = short_name(self.sampler), type(self.sampler)
            raise failure(name, cls, error) from error

    def _accepted(self, asked: optuna.Trial) -> _Proposal | None:
        try:
            with self._guarded():
                architecture = self.problem.space.suggest(asked)
        except RejectedError:
            self.infeasible += 1
            self._tell(asked, state=TrialState.FAIL)
            return None
        key = self.problem.name(architecture)
        if key in self.values:
            self.duplicates += 1
            self._tell_duplicate(asked, key)
            return None
        if not self.problem.admits(architecture):
            self.infeasible += 1
            self._tell(asked, state=TrialState.FAIL)
            return None
        self.values[key] = None
        return _Proposal(
            architecture,
            key,
            asked.params,
            asked.distributions,
            self.storage.get_trial_system_attrs(asked.number),
            asked.number,
        )

    def _tell(
        self,
        asked: int | optuna.Trial,
        values: Sequence[float] | None = None,
        state: TrialState | None = None,
    ) -> None:
        with self._guarded():
            try:
                self.study.tell(asked, values, state)
            except RuntimeError:
                # `BruteForceSampler` raises this, after the trial is told, once it has tried all.
                self.stopped = True

    def _tell_duplicate(self, asked: optuna.Trial, key: str) -> None:
        known = self.values[key]
        if known is None:
            self._tell(asked, state=TrialState.FAIL)
        else:
            self._tell(asked, known)

    def _draw_proposal(self) -> _Proposal:
        """Return a random new architecture, for a sampler that only repeats old ones."""
        rng = Random(f"{self.problem.seed}:{len(self.values)}")
        return self._enqueued(self.problem.random(self.values, rng))

    def _enqueued(self, architecture: Any) -> _Proposal:
        """Return a proposal of a new, feasible architecture, in place of the sampler's."""
        self.study.enqueue_trial(self.problem.space.picks(architecture))
        proposal = self._accepted(self._ask())
        assert proposal is not None
        return proposal


def _measured_ahead(trial: Trial) -> dict[str, float]:
    """Return the metrics of a trial that were timed before its training, by name."""
    return {each.name: trial.values[each.name] for each in TIMED if each.name in trial.values}
