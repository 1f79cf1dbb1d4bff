"""The model that predicts a measured quantity of candidates from all trials."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from neptune_nas.samplers.features import Floats, Points, join_points
from neptune_nas.samplers.gaussian import Kernel, Posterior, learn
from neptune_nas.samplers.history import History, PastTrial
from neptune_nas.samplers.pool import Pool
from neptune_nas.samplers.targets import Targets, Warp
from neptune_nas.samplers.trial_selection import BEST, leading_trials, select_trials

T = TypeVar("T")

_LEARNED_FROM = 200  # the most trials that a kernel is learned from
_KEPT = 300  # the most trials in a prediction, beside those since the kernel was learned
_PATIENCE = 30  # the most trials that a kernel serves
FIRST = 4  # trials before a kernel is learned
_LEAST = 1e-9


@dataclass(frozen=True, slots=True)
class Fit:
    """A posterior of one quantity, and the scale of its targets, to which `warp` maps values.

    `told`: names and noise of the points it rests on, except running trials, whose `targets` are
    predicted means.
    """

    posterior: Posterior
    targets: Floats
    shift: float
    scale: float
    told: tuple[tuple[str, float], ...]
    warp: Warp

    @property
    def noise(self) -> float:
        """The standard deviation of a measurement."""
        return self.scale * float(np.sqrt(self.posterior.kernel.noise))

    @property
    def lowest(self) -> float:
        """The worst observed target."""
        return self.shift + self.scale * float(self.targets.min())

    def at(self, points: Points, known: Floats | None = None) -> tuple[Floats, Floats]:
        """Return means and standard deviations at n points; `known` as for `Posterior.whitened`."""
        start = np.zeros((0, len(points))) if known is None else known
        return self.of_whitened(self.posterior.whitened(points, start))

    def of_whitened(self, whitened: Floats) -> tuple[Floats, Floats]:
        """Return means and standard deviations at the points of `whitened`."""
        mean, deviation = self.posterior.predict(self.targets, whitened)
        return self.shift + self.scale * mean, self.scale * deviation


@dataclass(frozen=True, slots=True)
class _LearnedKernel:
    """A kernel, and the numbers of the trials that led at their first rungs at that time.

    `basis`: names and values of the trials it was learned from.
    """

    basis: tuple[tuple[str, ...], bytes]
    kernel: Kernel
    leaders: tuple[int, ...]


class Surrogate(Generic[T]):
    """Gaussian processes of one measured quantity, refitted as trials come in.

    The kernel is learned anew whenever the number of scored trials has grown by a tenth, from those
    scored by then. It uses their first scores, which later rungs do not change, so it depends on
    the trials alone, never on when it was asked for. What is kept between calls only saves time.

    `most`: trials in a prediction, beside those since the kernel was learned.
    """

    def __init__(
        self, pool: Pool[T], quantity: Callable[[History[T]], Targets[T]], most: int = _KEPT
    ) -> None:
        self.pool, self.quantity, self.most = pool, quantity, most
        self.learned: _LearnedKernel | None = None
        self.base: tuple[Fit, Floats] | None = None

    def is_early(self, history: History[T]) -> bool:
        """Return whether the quantity is known as soon as a trial is scored at its first rung."""
        return len(self.quantity(history.scored).entries) == len(history.scored.entries)

    def fit(self, history: History[T]) -> Fit:
        """Return the fit to all trials so far. Raises `LinAlgError` for singular covariances."""
        by_rungs = self.is_early(history)
        then = _kernel_trials(history, by_rungs)
        known, learned = self.quantity(history), self._learn(then, by_rungs)
        before = _up_to_training_set(history, then)
        recent = (entry.number for entry in _trials_after(history, before))
        kept = {*select_trials(before, self.most, learned.leaders), *recent}
        rows = np.array([entry.number in kept for entry in known.entries])
        shift, scale = known.values[rows].mean(), known.values[rows].std() + _LEAST
        told = Targets(
            tuple(entry for entry, keep in zip(known.entries, rows, strict=True) if keep),
            (known.values[rows] - shift) / scale,
            known.noise[rows] / scale**2,
            known.warp,
        )
        posterior, targets = self._posterior(learned.kernel, told, history)
        names = tuple((e.name, n) for e, n in zip(told.entries, told.noise, strict=True))
        return Fit(posterior, targets, float(shift), float(scale), names, known.warp)

    def of_base(self, fit: Fit) -> tuple[Floats, Floats]:
        """Return means and standard deviations of the pool's base.

        Rows that an earlier fit with the same kernel and the same first trials computed are reused.
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

    def _learn(self, then: History[T], by_rungs: bool) -> _LearnedKernel:
        """Return what these trials teach; `by_rungs`: from their first scores."""
        if by_rungs:
            then = History(tuple(entry.at_first for entry in then.entries), then.turns)
        known = self.quantity(then)
        basis = (tuple(entry.name for entry in known.entries), known.values.tobytes())
        if self.learned is None or self.learned.basis != basis:
            leaders = leading_trials(then, self.pool, int(self.most * BEST))
            numbers = select_trials(then, _LEARNED_FROM, leaders)
            kernel = self._kernel(known, np.array([e.number in numbers for e in known.entries]))
            self.learned = _LearnedKernel(basis, kernel, tuple(leaders))
        return self.learned

    def _kernel(self, known: Targets[T], rows: NDArray[np.bool_]) -> Kernel:
        """Return the most probable kernel given the targets selected by `rows`."""
        values = known.values[rows]
        scale = values.std() + _LEAST
        points, _ = self.pool.tried([e for e, row in zip(known.entries, rows, strict=True) if row])
        standard = (values - values.mean()) / scale
        return learn(points, standard, known.noise[rows] / scale**2, self.pool.groups)

    def _posterior(
        self, kernel: Kernel, told: Targets[T], history: History[T]
    ) -> tuple[Posterior, Floats]:
        """Return the posterior and its targets; running trials count as predicted."""
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
        grown = Posterior.of(kernel, join_points([points, others]), noise)
        return grown, np.concatenate([told.values, expected])


def is_running(entry: PastTrial[Any]) -> bool:
    """Return whether a trial has not ended."""
    return not entry.state.is_finished()


def _kernel_trials(history: History[T], by_rungs: bool) -> History[T]:
    """Return the trials that a kernel is learned from: the first that ended or were scored."""
    known = [entry for entry in history.entries if entry.state.is_finished()]
    if by_rungs and any(entry.rungs for entry in history.entries):  # no time of scoring is known
        known = sorted((e for e in history.entries if e.is_known), key=lambda entry: entry.number)
    return History(tuple(known[: learned_at(len(known))]), history.turns)


def _up_to_training_set(history: History[T], then: History[T]) -> History[T]:
    """Return `then`, and the trials at a rung that began before the last of them."""
    numbers = {entry.number for entry in then.entries}
    last = max(numbers)
    older = (e for e in history.entries if e.rungs and e.number < last and e.number not in numbers)
    return History((*then.entries, *older), history.turns)


def _trials_after(history: History[T], then: History[T]) -> list[PastTrial[T]]:
    """Return the trials that are not in `then`."""
    numbers = {entry.number for entry in then.entries}
    return [entry for entry in history.entries if entry.number not in numbers]


def learned_at(ended: int) -> int:
    """Return the number of trials that the kernel for `ended` trials is learned from.

    >>> [learned_at(n) for n in (4, 19, 20, 21, 25, 205)]
    [4, 19, 20, 20, 24, 196]
    """
    at = after = FIRST
    while after <= ended:
        at = after
        after += min(max(at // 10, 1), _PATIENCE)
    return at
