"""The base of engines with a pool of workers: assignment of calls, retries, timeouts."""

import logging
import math
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from time import monotonic, sleep, time
from types import TracebackType
from typing import Generic, Self, TypeVar

from neptune_nas.engine.engine import Call, Result, Usage, failed_score
from neptune_nas.engine.plan import WorkerPlan, pickle_value
from neptune_nas.engine.worker import Reply
from neptune_nas.errors import NeptuneError
from neptune_nas.files.rules import Positive
from neptune_nas.files.schema import check_value
from neptune_nas.interrupts import ctrl_c_held, raise_held
from neptune_nas.metrics.score import Score

_MAX_ATTEMPTS = 2
_MAX_FAILED_STARTS = 5  # per slot: a fork server that dies fails the starts of all at once
_START_PAUSE = 0.2  # seconds: a killed fork server refuses starts until it is gone
_HEED_EVERY = 0.2  # seconds between checks for a held Ctrl-C while waiting

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """The `number`-th attempt at a call, sent to a worker at `since` (monotonic)."""

    call: Call
    payload: bytes
    number: int = 1
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Ending:
    """The way a worker ended, in words.

    `advice`: what to do about it. `of_all`: whether the same cause ends all other workers too.
    """

    how: str
    advice: str = ""
    of_all: bool = False


@dataclass(slots=True)
class Worker(ABC):
    """A maker of calls: starting until it is `ready`, then idle or busy with one `attempt`."""

    plan: WorkerPlan
    ready: bool = field(default=False, init=False)
    attempt: _Attempt | None = field(default=None, init=False)

    @property
    def elapsed(self) -> float:
        """Seconds since the current call was sent; 0 without one."""
        return monotonic() - self.attempt.since if self.attempt else 0.0

    @property
    def idle(self) -> bool:
        """True if the worker waits for a call."""
        return self.ready and self.attempt is None

    def give(self, attempt: _Attempt) -> None:
        """Send a call and record the time; raises `OSError` where the worker is gone."""
        self.send(attempt.payload)
        self.attempt = replace(attempt, since=monotonic())

    @abstractmethod
    def send(self, payload: bytes) -> None:
        """Send a pickled call; raises `OSError` where the worker is gone."""

    @abstractmethod
    def take(self) -> Reply | None:
        """Return the reply that has arrived, or None where the worker ended without one."""

    @abstractmethod
    def end(self) -> Ending:
        """End the worker if it is still running, and return how it ended."""


W = TypeVar("W", bound=Worker)


class PoolEngine(ABC, Generic[W]):
    """An `Engine` of persistent workers, one per plan, which start when first needed.

    A subclass says what a worker is. `trial_timeout`: seconds a call may take.
    """

    printed = "above"  # where messages say that the output of workers is

    def __init__(self, plans: Sequence[WorkerPlan], trial_timeout: float | None) -> None:
        check_value(trial_timeout, Positive | None, "trial_timeout")
        self._plans = tuple(plans)
        self._limit = math.inf if trial_timeout is None else trial_timeout
        self._queue: deque[_Attempt] = deque()
        self._pending: set[int] = set()
        self._workers: dict[int, W] = {}
        self._finished: list[Result] = []
        self._mistakes: deque[tuple[NeptuneError, tuple[int, ...]]] = deque()  # and call ids
        self._failed_starts: Counter[int] = Counter()  # in a row, by slot
        self._usage = Usage(busy=(0.0,) * len(plans), cpu=(0.0,) * len(plans))

    @abstractmethod
    def _start_worker(self, plan: WorkerPlan) -> W:
        """Return a new worker; raises `OSError` or `EOFError` where none can be started now."""

    @abstractmethod
    def _with_news(self, workers: Sequence[W], seconds: float) -> Sequence[W]:
        """Wait until a worker has replied or ended, or for `seconds`; return all that have."""

    @property
    def slots(self) -> int:
        """The number of calls that run at once."""
        return len(self._plans)

    @property
    def pending(self) -> frozenset[int]:
        """The ids of the calls whose results have not been returned yet."""
        return frozenset(self._pending)

    @property
    def usage(self) -> Usage:
        """The resources spent so far."""
        return self._usage

    def submit(self, call: Call) -> None:
        """Submit a call, which starts at once if a worker is idle."""
        assert call.id not in self._pending, f"call {call.id} is pending already"
        self._queue.append(_Attempt(call, pickle_value(call, "architecture")))
        self._pending.add(call.id)
        self._dispatch()

    def wait(self, timeout: float | None = None) -> list[Result]:
        """Block until a call has ended or `timeout` seconds have passed; return all results."""
        end = math.inf if timeout is None else monotonic() + timeout
        self._dispatch()
        while self._pending and not (self._finished or self._mistakes):
            raise_held()
            self._listen(end)
            self._end_overdue()
            self._dispatch()
            if monotonic() >= end:
                break
        if self._mistakes and not self._finished:
            mistake, ids = self._mistakes.popleft()
            self._pending.difference_update(ids)
            raise mistake
        finished, self._finished = self._finished, []
        self._pending.difference_update(result.call.id for result in finished)
        return finished

    def close(self) -> None:
        """End all workers and drop pending calls; may be called repeatedly."""
        self._queue.clear()
        self._finished.clear()
        self._mistakes.clear()
        self._pending.clear()
        with ctrl_c_held():
            for worker in list(self._workers.values()):
                self._end(worker)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _dispatch(self) -> None:
        """Send queued calls to idle workers, and start a worker for each call that is left."""
        for worker in [worker for worker in self._workers.values() if worker.idle]:
            if self._queue and worker in self._workers.values():  # or it ended with one before it
                self._give(worker)
        starting = sum(not worker.ready for worker in self._workers.values())
        free = [plan for plan in self._plans if plan.index not in self._workers]
        for plan in free[: max(0, len(self._queue) - starting)]:
            self._start(plan)

    def _give(self, worker: W) -> None:
        try:
            worker.give(self._queue[0])
        except OSError:
            self._bury(worker)
        else:
            self._queue.popleft()

    def _start(self, plan: WorkerPlan) -> None:
        try:
            self._workers[plan.index] = self._start_worker(plan)
        except (OSError, EOFError) as error:
            self._count_failed_start(plan, str(error))
            sleep(_START_PAUSE)

    def _listen(self, end: float) -> None:
        """Wait for a reply, the death of a worker, the next timeout, or `end` (monotonic).

        It may return earlier, so that Ctrl-C takes effect.
        """
        if not self._workers:
            return  # no worker could start: the next dispatch tries again
        workers = list(self._workers.values())
        starts = [worker.attempt.since for worker in workers if worker.attempt]
        left = min([end, *(start + self._limit for start in starts)]) - monotonic()
        for worker in self._with_news(workers, min(max(0.0, left), _HEED_EVERY)):
            if worker in self._workers.values():  # or it ended with one before it
                self._hear(worker)

    def _hear(self, worker: W) -> None:
        reply = worker.take()
        if reply is None:
            self._bury(worker)
            return
        if reply.trace:
            _logger.debug("worker %d: %s", worker.plan.index, reply.trace)
        if worker.ready:
            self._record(worker, reply)
        elif reply.mistake:
            self._end(worker)
            self._refuse(reply.mistake)
        else:
            worker.ready = True
            self._failed_starts.clear()

    def _record(self, worker: W, reply: Reply) -> None:
        started = time() - worker.elapsed
        attempt, worker.attempt = worker.attempt, None
        assert attempt is not None
        self._usage = self._usage.plus(worker.plan.index, reply.busy, reply.cpu)
        if reply.spoiled:
            self._end(worker)
        if reply.mistake:
            self._refuse(reply.mistake, attempt.call.id)
            return
        assert reply.score is not None
        self._finish(attempt.call, replace(reply.score, started=started))

    def _bury(self, worker: W) -> None:
        """Remove a worker that died, and queue its call again, once."""
        ending = self._end(worker)
        if ending.of_all:  # an idle worker may still take the call, and end with it
            for other in [other for other in self._workers.values() if other.attempt is None]:
                self._end(other)
        how = ending.how
        self._usage = replace(self._usage, deaths=self._usage.deaths + 1)
        if not worker.ready:
            self._count_failed_start(worker.plan, how)
        if worker.attempt is None:
            return
        _logger.warning("worker %d died (%s).", worker.plan.index, how)
        if worker.attempt.number < _MAX_ATTEMPTS:
            self._usage = self._usage.plus(worker.plan.index, worker.elapsed)
            self._queue.appendleft(replace(worker.attempt, number=worker.attempt.number + 1))
        else:
            advice = ending.advice or f"its output is {self.printed}"
            self._fail(worker, f"worker died twice ({how}): {advice}.")

    def _end_overdue(self) -> None:
        for worker in list(self._workers.values()):
            if worker.elapsed >= self._limit:
                self._end(worker)
                self._usage = replace(self._usage, timeouts=self._usage.timeouts + 1)
                self._fail(
                    worker,
                    f"took longer than the {self._limit:g} s that `trial_timeout` allows: "
                    "raise it, or search smaller networks.",
                )

    def _end(self, worker: W) -> Ending:
        del self._workers[worker.plan.index]
        return worker.end()

    def _fail(self, worker: W, failure: str) -> None:
        assert worker.attempt is not None
        call, seconds, index = worker.attempt.call, worker.elapsed, worker.plan.index
        self._usage = self._usage.plus(index, seconds)
        score = failed_score(call, failure, worker=index, started=time() - seconds, seconds=seconds)
        self._finish(call, score)

    def _finish(self, call: Call, score: Score) -> None:
        self._finished.append(Result(call, score))

    def _refuse(self, mistake: NeptuneError, *ids: int) -> None:
        """Make `wait` raise a user's mistake, in place of the results of the calls `ids`.

        Results that have finished before are returned first.
        """
        self._mistakes.append((mistake, ids))

    def _count_failed_start(self, plan: WorkerPlan, how: str) -> None:
        self._failed_starts[plan.index] += 1
        if self._failed_starts[plan.index] >= _MAX_FAILED_STARTS:
            self._refuse(
                NeptuneError(
                    f"worker {plan.index} died {_MAX_FAILED_STARTS} times in a row before its "
                    f"first call ({how}): its output is {self.printed}."
                )
            )
