"""The seam between a search and the place where its evaluations run."""

from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Protocol, Self

from neptune_nas.metrics.score import Score


@dataclass(frozen=True, slots=True)
class Call:
    """One evaluation to make; `id` is whatever the caller knows it by, and is pending only once.

    `architecture`: whatever record the evaluator measures; an engine only carries it.
    """

    id: int
    architecture: Any
    fidelity: int
    seed: int


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a call: a call that failed has a score that says why."""

    call: Call
    score: Score


@dataclass(frozen=True, slots=True)
class Usage:
    """What an engine has spent so far.

    `busy` and `cpu`: seconds inside calls, wall clock and processor time, one number a slot. A call
    that ended with its worker is busy to its end and adds no processor time, which died with it.
    `deaths`: workers that ended by themselves. `timeouts`: workers ended for a call that ran too
    long.
    """

    busy: tuple[float, ...]
    cpu: tuple[float, ...]
    deaths: int = 0
    timeouts: int = 0

    def plus(self, slot: int, busy: float, cpu: float = 0.0) -> "Usage":
        """The same with one more call of `slot`."""
        return replace(self, busy=_added(self.busy, slot, busy), cpu=_added(self.cpu, slot, cpu))


class Engine(Protocol):
    """Makes calls of one evaluator, several at a time, and hands back results as they finish.

    - Each call that is submitted yields exactly one `Result`, failures included, in any order.
    - An evaluator's exception becomes a failed score, except a `NeptuneError`: that is a mistake of
      the user's, and `wait` raises it in the place of that call's result, once what has finished is
      handed out.
    - A worker that dies costs its call one retry; the second death becomes a failed score.
    - A call that runs longer than the engine's `trial_timeout` becomes a failed score, without a
      retry.
    - A score has the `fidelity` and `seed` of its call, whatever the evaluator wrote there.
    - The engine fills in `worker`, `started`, which is by the clock of the machine that uses it,
      and `seconds` where the evaluator left it 0.
    - Calls beyond `slots` queue. `wait` refills free slots from the queue before it returns, so a
      caller that keeps one call more than `slots` pending has no slot idle while it thinks.
    - A Ctrl-C that is held back (`neptune_nas.interrupts`) is heeded in `wait`, also while it
      waits.
    - One thread uses an engine. No process outlives it, however the process that uses it ends.
    """

    @property
    def slots(self) -> int:
        """How many calls run at once."""

    @property
    def pending(self) -> frozenset[int]:
        """The ids of the calls whose result was not handed out yet."""

    @property
    def usage(self) -> Usage:
        """What was spent so far; still there after `close`."""

    def submit(self, call: Call) -> None:
        """Take a call; it starts at once where a slot is free."""

    def wait(self, timeout: float | None = None) -> list[Result]:
        """Block until at least one call has ended, or for `timeout` seconds; then all that have.

        Empty at once where nothing is pending.
        """

    def close(self) -> None:
        """End all workers and forget what is pending; may be called again, and after Ctrl-C."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


def failed_score(
    call: Call,
    failure: str,
    *,
    worker: int = 0,
    started: float = 0.0,
    seconds: float = 0.0,
    trace: str | None = None,
) -> Score:
    """The score of a call that measured nothing, for the reason that `failure` gives."""
    return Score(
        fidelity=call.fidelity,
        seed=call.seed,
        seconds=seconds,
        started=started,
        worker=worker,
        failure=failure,
        trace=trace,
    )


def _added(values: tuple[float, ...], index: int, more: float) -> tuple[float, ...]:
    return (*values[:index], values[index] + more, *values[index + 1 :])
