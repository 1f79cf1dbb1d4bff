"""Earlier trials as samplers see them: architectures, losses, rungs, and which still run."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from math import isfinite
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from optuna.storages import BaseStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from neptune_nas.errors import SpaceError
from neptune_nas.metrics.pareto import Floats, non_dominated
from neptune_nas.samplers.problem import Problem, is_scored
from neptune_nas.space import RejectedError

T = TypeVar("T")

PROXY_RUNG = 0  # the fidelity at which a zero-cost proxy is reported


@dataclass(frozen=True, slots=True)
class PastTrial(Generic[T]):
    """One earlier trial.

    `losses`: its objectives, signed so that less is better; None unless it finished with finite
    values. `rungs`: its reported scores by fidelity, more is better, up to where it is; at 0 a
    zero-cost proxy. `constraints`: by how much it breaks each measured one; more than 0 is broken.
    `ahead`: the losses of what was measured before training, by the objective's index.
    """

    number: int
    architecture: T
    name: str
    losses: tuple[float, ...] | None
    rungs: dict[int, float]
    constraints: dict[str, float]
    state: TrialState
    ahead: dict[int, float] = field(default_factory=dict)

    @property
    def violation(self) -> float:
        """The sum of all broken constraints, 0 if none is broken."""
        return sum(max(value, 0.0) for value in self.constraints.values())

    def loss(self, objective: int) -> float | None:
        """Return the loss of one objective, or None if it is not measured yet."""
        return self.ahead.get(objective) if self.losses is None else self.losses[objective]

    @property
    def is_known(self) -> bool:
        """True if it ended, or has a score at a rung above a proxy's."""
        return self.state.is_finished() or any(self.rungs)

    @property
    def at_first(self) -> "PastTrial[T]":
        """The entry as of its first score at a rung above a proxy's; without one, itself."""
        trained = [rung for rung in self.rungs if rung != PROXY_RUNG]
        waits = self.losses is None and self.state == TrialState.RUNNING
        if not trained or (waits and len(self.rungs) == 1):
            return self
        rungs = {min(trained): self.rungs[min(trained)]}
        return replace(self, losses=None, rungs=rungs, state=TrialState.RUNNING)


@dataclass(frozen=True)
class History(Generic[T]):
    """All earlier trials: those that ended, in that order, then those that run.

    `turns`: for each objective 1, or -1 if more is better; its loss is that times its value.
    """

    entries: tuple[PastTrial[T], ...]
    turns: tuple[float, ...]

    @cached_property
    def seen(self) -> dict[str, T]:
        """The tried architectures, by name."""
        return {entry.name: entry.architecture for entry in self.entries}

    @cached_property
    def finished(self) -> list[PastTrial[T]]:
        """The trials that have losses, in the order they finished."""
        return [entry for entry in self.entries if entry.losses is not None]

    @cached_property
    def scored(self) -> "History[T]":
        """The trials that were scored at a rung, as known at their first rung."""
        scored = (entry.at_first for entry in self.entries if any(entry.rungs))
        return History(tuple(scored), self.turns)


@dataclass(frozen=True, slots=True)
class Memory(Generic[T]):
    """A reader's memory of a study, by trial number.

    `known`: architectures and their names. `ended`: the entries of trials that no longer change, in
    the order they ended; None for a trial without an architecture of the space.
    """

    known: dict[int, tuple[T, str]] = field(default_factory=dict)
    ended: dict[int, PastTrial[T] | None] = field(default_factory=dict)


class HistoryReader(Generic[T]):
    """Reads the trials of a study back; remembers each number's architecture, and ended trials.

    A trial that has ended no longer changes, so only new trials cost time.
    """

    def __init__(self, problem: Problem[T]) -> None:
        self.problem = problem
        self.memories: WeakKeyDictionary[BaseStorage, dict[str, Memory[T]]] = WeakKeyDictionary()

    def of(self, study: Study) -> "Memory[T]":
        """Return the memory of a study."""
        named = self.memories.setdefault(study._storage, {})
        return named.setdefault(study.study_name, Memory())

    def note(self, study: Study, trial: FrozenTrial, architecture: T) -> None:
        """Remember a proposal whose picks the study does not know yet."""
        self.of(study).known[trial.number] = architecture, self.problem.name(architecture)

    def proposal(self, study: Study, trial: FrozenTrial) -> T:
        """Return the proposal that was noted for a trial."""
        return self.of(study).known[trial.number][0]

    def read(self, study: Study, now: FrozenTrial) -> History[T]:
        """Return all trials but `now`, except those without an architecture of the space."""
        ended = self.of(study).ended
        trials = (t for t in study.get_trials(deepcopy=False) if t.number not in ended)
        fresh = sorted((t for t in trials if t.number != now.number), key=_when_finished)
        entries = {t.number: self._entry(study, t) for t in fresh}
        ended |= {t.number: entries.pop(t.number) for t in fresh if t.state.is_finished()}
        found = filter(None, (*ended.values(), *entries.values()))
        return History(tuple(found), turns(study.directions))

    def _entry(self, study: Study, trial: FrozenTrial) -> PastTrial[T] | None:
        known = self._architecture(study, trial)
        if known is None:
            return None
        ways = turns(study.directions)
        turned = dict(zip(self.problem.objectives, ways, strict=False))
        return PastTrial(
            trial.number,
            *known,
            losses=_losses(trial, ways),
            rungs=_rungs(trial, turned.get(self.problem.scored, -1.0)),
            constraints=trial.constraints,
            state=trial.state,
            ahead=_ahead(trial, turned),
        )

    def _architecture(self, study: Study, trial: FrozenTrial) -> tuple[T, str] | None:
        remembered = self.of(study).known
        known = remembered.get(trial.number)
        if known is None and trial.params:
            try:
                architecture = self.problem.space.decode(trial.params)
            except (SpaceError, RejectedError):
                return None  # of another space, or still being picked by another thread
            known = remembered[trial.number] = architecture, self.problem.name(architecture)
        return known


def _when_finished(trial: FrozenTrial) -> tuple[bool, float, int]:
    when = trial.datetime_complete
    return when is None, 0.0 if when is None else when.timestamp(), trial.number


def turns(directions: Sequence[StudyDirection]) -> tuple[float, ...]:
    """Return the factor that makes each objective a loss: -1 if more is better."""
    return tuple(-1.0 if way == StudyDirection.MAXIMIZE else 1.0 for way in directions)


def _losses(trial: FrozenTrial, turns: tuple[float, ...]) -> tuple[float, ...] | None:
    if trial.state != TrialState.COMPLETE or not all(map(isfinite, trial.values)):
        return None
    return tuple(turn * value for turn, value in zip(turns, trial.values, strict=True))


def _rungs(trial: FrozenTrial, turn: float) -> dict[int, float]:
    """Return the reported scores, signed so that more is better; of a proxy, more always is."""
    told = {step: value for step, value in trial.intermediate_values.items() if isfinite(value)}
    return {step: value if step == PROXY_RUNG else -turn * value for step, value in told.items()}


def _ahead(trial: FrozenTrial, turned: Mapping[str, float]) -> dict[int, float]:
    """Return the losses of objectives known before training, from the user attributes."""
    told = {
        i: (turn, trial.user_attrs.get(name))
        for i, (name, turn) in enumerate(turned.items())
        if not is_scored(name)
    }
    return {
        i: turn * value
        for i, (turn, value) in told.items()
        if isinstance(value, int | float) and isfinite(value)
    }


def ranked(entries: Sequence[PastTrial[T]]) -> Iterator[PastTrial[T]]:
    """Yield finished trials, the best first.

    Those that meet the constraints come before those that do not (Deb et al. 2002, doi
    10.1109/4235.996017). The former are ordered by front and, within a front, by crowding distance,
    the largest first; the latter by their violation.
    """
    kept = [entry for entry in entries if not entry.violation]
    while kept:
        losses = np.array([entry.losses for entry in kept], dtype=np.float64)
        on_front = non_dominated(losses)
        front = [entry for entry, on in zip(kept, on_front, strict=True) if on]
        yield from (front[i] for i in np.argsort(-crowding(losses[on_front]), kind="stable"))
        kept = [entry for entry, on in zip(kept, on_front, strict=True) if not on]
    yield from sorted((e for e in entries if e.violation), key=lambda entry: entry.violation)


def best(entries: Sequence[PastTrial[T]], count: int) -> list[PastTrial[T]]:
    """Return the best `count` of finished trials, the best first."""
    return list(islice(ranked(entries), count))


def crowding(losses: Floats) -> Floats:
    """Return the crowding distance of each point (n, k) of a front; infinite at its ends."""
    alone = np.zeros(len(losses))
    for column in losses.T:
        order = np.argsort(column, kind="stable")
        span = column[order[-1]] - column[order[0]]
        alone[order[[0, -1]]] = np.inf
        if span > 0:
            alone[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / span
    return alone
