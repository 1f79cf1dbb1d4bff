"""Predicts a measured quantity of candidates from all that was tried."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from neptune_nas.samplers.features import Floats, Points, joined
from neptune_nas.samplers.gaussian import Kernel, Posterior, learn
from neptune_nas.samplers.history import Entry, History, best
from neptune_nas.samplers.pool import Pool
from neptune_nas.samplers.targets import Targets

T = TypeVar("T")

LEARNED_FROM = 200  # trials that a kernel is learned from, at most
KEPT = 300  # trials that a prediction rests on, at most, beside those since the kernel was learned
PATIENCE = 30  # trials that a kernel serves, at most
FIRST = 4  # trials before a kernel is learned
LEAST = 1e-9


@dataclass(frozen=True, slots=True)
class Fit:
    """A posterior of one quantity, and the scale of its targets.

    `told`: names and noise of the points that it rests on, the running ones aside, whose `targets`
    are their means.
    """

    posterior: Posterior
    targets: Floats
    shift: float
    scale: float
    told: tuple[tuple[str, float], ...]

    @property
    def noise(self) -> float:
        """The standard deviation of a measurement."""
        return self.scale * float(np.sqrt(self.posterior.kernel.noise))

    @property
    def lowest(self) -> float:
        """The worst that was told."""
        return self.shift + self.scale * float(self.targets.min())

    def at(self, points: Points, known: Floats | None = None) -> tuple[Floats, Floats]:
        """Means and standard deviations at n points; `known` as `Posterior.whitened` takes it."""
        start = np.zeros((0, len(points))) if known is None else known
        return self.of_whitened(self.posterior.whitened(points, start))

    def of_whitened(self, whitened: Floats) -> tuple[Floats, Floats]:
        """Means and standard deviations at the points that `whitened` is of."""
        mean, deviation = self.posterior.predict(self.targets, whitened)
        return self.shift + self.scale * mean, self.scale * deviation


class Surrogate(Generic[T]):
    """Gaussian processes of one measured quantity, one after the other as trials come in.

    The kernel is learned anew when a tenth more trials have been scored, from those that had then,
    by their first scores, which later rungs leave as they are: so it depends on the trials alone,
    never on when it was asked for. What is kept only saves time.
    """

    def __init__(self, pool: Pool[T], quantity: Callable[[History[T]], Targets[T]]) -> None:
        self.pool, self.quantity = pool, quantity
        self.learned: tuple[Any, Kernel] | None = None
        self.base: tuple[Fit, Floats] | None = None

    def is_early(self, history: History[T]) -> bool:
        """Whether the quantity is known of trials once they are scored at their first rung."""
        first = at_first(entry for entry in history.entries if any(entry.rungs))
        return len(self.quantity(History(first, history.turns)).entries) == len(first)

    def fit(self, history: History[T]) -> Fit:
        """What all trials so far tell. Raises `LinAlgError` if their covariances are singular."""
        by_rungs = self.is_early(history)
        then = early(history, by_rungs)
        known = self.quantity(history)
        kept = {*chosen(then, KEPT), *(e.number for e in since(history, then))}
        rows = np.array([entry.number in kept for entry in known.entries])
        shift, scale = known.values[rows].mean(), known.values[rows].std() + LEAST
        told = Targets(
            tuple(entry for entry, keep in zip(known.entries, rows, strict=True) if keep),
            (known.values[rows] - shift) / scale,
            known.noise[rows] / scale**2,
        )
        posterior, targets = self._posterior(self._kernel(then, by_rungs), told, history)
        names = tuple((e.name, n) for e, n in zip(told.entries, told.noise, strict=True))
        return Fit(posterior, targets, float(shift), float(scale), names)

    def of_base(self, fit: Fit) -> tuple[Floats, Floats]:
        """Means and standard deviations of the pool's base.

        Rows that an earlier fit with the same kernel and the same first trials has worked out are
        not worked out again.
        """
        points = self.pool.base.points
        known = np.zeros((0, len(points)))
        if self.base is not None:
            before, whitened = self.base
            same = before.posterior.kernel is fit.posterior.kernel
            if same and fit.told[: len(before.told)] == before.told:
                known = whitened
        whitened = fit.posterior.whitened(points, known)
        self.base = fit, whitened[: len(fit.told)]
        return fit.of_whitened(whitened)

    def _kernel(self, then: History[T], by_rungs: bool) -> Kernel:
        """The kernel as learned from these trials; by their first scores, if rungs tell them."""
        if by_rungs:
            then = History(at_first(then.entries), then.turns)
        known = self.quantity(then)
        numbers = chosen(then, LEARNED_FROM)
        rows = np.array([entry.number in numbers for entry in known.entries])
        basis = (tuple(entry.name for entry in known.entries), known.values.tobytes())
        if self.learned is None or self.learned[0] != basis:
            values = known.values[rows]
            scale = values.std() + LEAST
            points, _ = self.pool.tried([e for e in known.entries if e.number in numbers])
            standard = (values - values.mean()) / scale
            kernel = learn(points, standard, known.noise[rows] / scale**2, self.pool.groups)
            self.learned = basis, kernel
        return self.learned[1]

    def _posterior(
        self, kernel: Kernel, told: Targets[T], history: History[T]
    ) -> tuple[Posterior, Floats]:
        """The posterior given what was told, and that what runs turns out as expected."""
        points, _ = self.pool.tried(told.entries)
        posterior = Posterior.of(kernel, points, told.noise)
        names = {entry.name for entry in told.entries}
        running = [
            e for e in history.entries if is_running(e) and not e.rungs and e.name not in names
        ]
        if not running:
            return posterior, told.values
        others, _ = self.pool.tried(running)
        start = np.zeros((0, len(others)))
        expected, _ = posterior.predict(told.values, posterior.whitened(others, start))
        noise = np.concatenate([told.noise, np.zeros(len(others))])
        grown = Posterior.of(kernel, joined([points, others]), noise)
        return grown, np.concatenate([told.values, expected])


def is_running(entry: Entry[Any]) -> bool:
    """Whether a trial has not ended."""
    return not entry.state.is_finished()


def at_first(entries: Iterable[Entry[T]]) -> tuple[Entry[T], ...]:
    """What was known of some trials when their first rungs had scored."""
    return tuple(entry.at_first for entry in entries)


def early(history: History[T], by_rungs: bool) -> History[T]:
    """The trials that a kernel is learned from: the first that ended, or that were scored."""
    known = [entry for entry in history.entries if entry.state.is_finished()]
    if by_rungs and any(entry.rungs for entry in history.entries):  # when they scored is not known
        known = sorted((e for e in history.entries if e.is_known), key=lambda entry: entry.number)
    return History(tuple(known[: learned_at(len(known))]), history.turns)


def since(history: History[T], then: History[T]) -> list[Entry[T]]:
    """The trials that are not among those."""
    numbers = {entry.number for entry in then.entries}
    return [entry for entry in history.entries if entry.number not in numbers]


def learned_at(ended: int) -> int:
    """After how many trials the kernel that serves `ended` of them is learned.

    >>> [learned_at(n) for n in (4, 19, 20, 21, 25, 205)]
    [4, 19, 20, 20, 24, 196]
    """
    at = after = FIRST
    while after <= ended:
        at = after
        after += min(max(at // 10, 1), PATIENCE)
    return at


def chosen(history: History[T], most: int) -> set[int]:
    """The numbers of at most `most` trials: half of them the best, the others evenly between."""
    numbers = [entry.number for entry in history.entries]
    if len(numbers) <= most:
        return set(numbers)
    first = {entry.number for entry in best(history.finished, most // 2)}
    rest = [number for number in numbers if number not in first]
    step = len(rest) / (most - len(first))
    return first | {rest[int(i * step)] for i in range(most - len(first))}
