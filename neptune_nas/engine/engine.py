"""The interface between a search and the workers that run its evaluations."""

from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Protocol, Self

from neptune_nas.metrics.score import Score


@dataclass(frozen=True, slots=True)
class Call:
    """One evaluation to make; `id` is chosen by the caller, and unique among pending calls.

    `architecture`: any record that the evaluator measures; an engine only passes it on.
    """

    id: int
    architecture: Any
    fidelity: int
    seed: int


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a call; a failed call has a score that says why."""

    call: Call
    score: Score


@dataclass(frozen=True, slots=True)
class Usage:
    """The resources that an engine has spent so far.

    `busy` and `cpu`: seconds inside calls, wall clock and processor time, one number per slot. A
    call whose worker died counts as busy until then, but adds no processor time, which is lost.
    `deaths`: workers that ended by themselves. `timeouts`: workers ended because a call ran too
    long.
    """

    busy: tuple[float, ...]
    cpu: tuple[float, ...]
    deaths: int = 0
    timeouts: int = 0

    def plus(self, slot: int, busy: float, cpu: float = 0.0) -> "Usage":
        """Return the usage with one more call of `slot`."""
        return replace(self, busy=_added(self.busy, slot, busy), cpu=_added(self.cpu, slot, cpu))


class Engine(Protocol):
    """Makes calls of one evaluator, several at a time, and returns results as they finish.

    - Each submitted call yields exactly one `Result`, failures included, in any order.
    - An evaluator's exception, `SystemExit` included, and a return value that breaks the rules of
      `Score`, become a failed score, except a `NeptuneError`: that is a mistake of
      the user's, and `wait` raises it in place of that call's result, once all finished results are
      returned.
    - A worker that dies costs its call one retry; the second death becomes a failed score.
    - A call that runs longer than the engine's `trial_timeout` becomes a failed score, without a
      retry.
    - A score has the `fidelity` and `seed` of its call, whatever the evaluator wrote there.
    - The engine sets `worker`, `started`, by the clock of the machine that uses the engine, and
      `seconds` where the evaluator left it 0.
    - Calls beyond `slots` queue. `wait` refills free slots from the queue before it returns, so a
      caller that keeps one call more than `slots` pending leaves no slot idle while it works.
    - A Ctrl-C that is held back (`neptune_nas.interrupts`) takes effect in `wait`, also while it
      blocks.
    - An engine belongs to one thread. No process of its own outlives the process that uses it,
      however that one ends.
    """

    @property
    def slots(self) -> int:
        """The number of calls that run at once."""

    @property
    def pending(self) -> frozenset[int]:
        """The ids of the calls whose results have not been returned yet."""

    @property
    def usage(self) -> Usage:
        """The resources spent so far; still available after `close`."""

    def submit(self, call: Call) -> None:
        """Submit a call, which starts at once if a slot is free."""

    def wait(self, timeout: float | None = None) -> list[Result]:
        """Block until a call has ended or `timeout` seconds have passed; return all results.

        Returns an empty list at once if nothing is pending.
        """

    def close(self) -> None:
        """End all workers and drop pending calls; may be called repeatedly, and after Ctrl-C."""

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
    """Return the score of a call that measured nothing; `failure`: the reason."""
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
