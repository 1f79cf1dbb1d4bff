"""The engine that runs evaluations in worker processes of this machine."""

import logging
import math
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import connection
from time import monotonic, sleep, time
from types import TracebackType
from typing import Self

from neptune_nas.engine.engine import Call, Result, Usage, failed_score
from neptune_nas.engine.plan import Plan, make_plans, own_modules, pickled, require, share_out
from neptune_nas.engine.process import (
    UNGUARDED,
    Attempt,
    Worker,
    describe_exit,
    end_if_unguarded,
    start_worker,
)
from neptune_nas.engine.worker import Reply
from neptune_nas.errors import NeptuneError
from neptune_nas.evaluate.evaluator import Evaluator
from neptune_nas.interrupt import ctrl_c_held, heed
from neptune_nas.trial import Score

MAX_ATTEMPTS = 2
MAX_FAILED_STARTS = 5  # of one slot: a fork server that dies fails those of all slots at once
START_PAUSE = 0.2  # seconds: a fork server that was killed refuses starts until it is quite gone
HEED_EVERY = 0.2  # seconds between two looks, while waiting, at whether Ctrl-C is kept

logger = logging.getLogger(__name__)


class LocalEngine:
    """Persistent worker processes, started when first needed; see `Engine` for what it promises.

    `jobs`: calls at once (default: one a GPU, else one a core). `threads`: torch threads of each
    (default: its share of the cores). `gpus`: CUDA indices, dealt to the workers in turn, for an
    evaluator that has a `device` field. `trial_timeout`: seconds a call may take. `setup`: called
    in each worker before anything else is unpickled there, such as to import the user's own file.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        *,
        jobs: int | None = None,
        threads: int | None = None,
        gpus: tuple[int, ...] = (),
        trial_timeout: float | None = None,
        setup: Callable[[], object] | None = None,
    ) -> None:
        end_if_unguarded()
        require(trial_timeout is None or trial_timeout > 0, "trial_timeout", "> 0", trial_timeout)
        slots = share_out(jobs, threads, gpus)
        self._plans = make_plans(evaluator, setup, slots)
        self._preload = own_modules(evaluator)
        self._limit = math.inf if trial_timeout is None else trial_timeout
        self._queue: deque[Attempt] = deque()
        self._pending: set[int] = set()
        self._workers: dict[int, Worker] = {}
        self._finished: list[Result] = []
        self._mistakes: deque[tuple[NeptuneError, tuple[int, ...]]] = deque()  # and whose call's
        self._failed_starts: Counter[int] = Counter()  # in a row, by slot
        self._usage = Usage(busy=(0.0,) * slots.jobs, cpu=(0.0,) * slots.jobs)

    @property
    def slots(self) -> int:
        """How many calls run at once."""
        return len(self._plans)

    @property
    def pending(self) -> frozenset[int]:
        """The ids of the calls whose result was not handed out yet."""
        return frozenset(self._pending)

    @property
    def usage(self) -> Usage:
        """What was spent so far."""
        return self._usage

    def submit(self, call: Call) -> None:
        """Take a call; it starts at once where a worker is idle."""
        assert call.id not in self._pending, f"call {call.id} is pending already"
        self._queue.append(Attempt(call, pickled(call, "architecture")))
        self._pending.add(call.id)
        self._dispatch()

    def wait(self, timeout: float | None = None) -> list[Result]:
        """Block until at least one call has ended, or for `timeout` seconds; then all that have."""
        end = math.inf if timeout is None else monotonic() + timeout
        self._dispatch()
        while self._pending and not (self._finished or self._mistakes):
            heed()
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
        """End all workers and forget what is pending; may be called again."""
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
        """Give queued calls to idle workers, and start a worker for each that is left."""
        for worker in [worker for worker in self._workers.values() if worker.idle]:
            if self._queue:
                self._give(worker)
        starting = sum(not worker.ready for worker in self._workers.values())
        free = [plan for plan in self._plans if plan.index not in self._workers]
        for plan in free[: max(0, len(self._queue) - starting)]:
            self._start(plan)

    def _give(self, worker: Worker) -> None:
        try:
            worker.give(self._queue[0])
        except OSError:
            self._bury(worker)
        else:
            self._queue.popleft()

    def _start(self, plan: Plan) -> None:
        try:
            self._workers[plan.index] = start_worker(plan, self._preload)
        except (OSError, EOFError) as error:
            self._count_failed_start(plan, str(error))
            sleep(START_PAUSE)

    def _listen(self, end: float) -> None:
        """Wait for a reply, a death, the first call that is overdue, or `end` (monotonic).

        It comes back before that, so that Ctrl-C is heeded.
        """
        if not self._workers:
            return  # none could be started: the next dispatch tries again
        workers = list(self._workers.values())
        starts = [worker.attempt.since for worker in workers if worker.attempt]
        left = min([end, *(start + self._limit for start in starts)]) - monotonic()
        ready = connection.wait(
            [source for worker in workers for source in worker.sources],
            min(max(0.0, left), HEED_EVERY),
        )
        for worker in workers:
            if not worker.sources.isdisjoint(ready):
                self._hear(worker)

    def _hear(self, worker: Worker) -> None:
        reply = worker.take()
        if reply is None:
            self._bury(worker)
            return
        if reply.trace:
            logger.debug("worker %d: %s", worker.plan.index, reply.trace)
        if worker.ready:
            self._record(worker, reply)
        elif reply.mistake:
            self._end(worker)
            self._refuse(reply.mistake)
        else:
            worker.ready = True
            self._failed_starts.clear()

    def _record(self, worker: Worker, reply: Reply) -> None:
        attempt, worker.attempt = worker.attempt, None
        assert attempt is not None
        self._usage = self._usage.plus(worker.plan.index, reply.busy, reply.cpu)
        if reply.spoiled:
            self._end(worker)
        if reply.mistake:
            self._refuse(reply.mistake, attempt.call.id)
            return
        assert reply.score is not None
        self._finish(attempt.call, reply.score)

    def _bury(self, worker: Worker) -> None:
        """Clear away a worker that died; its call is made again, once."""
        code = self._end(worker)
        if code == UNGUARDED:
            self._refuse(
                NeptuneError(
                    "a search starts its workers by importing the script that runs it, and this "
                    "script searches again when it is imported: call what searches under "
                    '`if __name__ == "__main__":`.'
                )
            )
            return
        how = describe_exit(code)
        self._usage = replace(self._usage, deaths=self._usage.deaths + 1)
        if not worker.ready:
            self._count_failed_start(worker.plan, how)
        if worker.attempt is None:
            return
        logger.warning("worker %d died (%s).", worker.plan.index, how)
        if worker.attempt.number < MAX_ATTEMPTS:
            self._usage = self._usage.plus(worker.plan.index, worker.elapsed)
            self._queue.appendleft(replace(worker.attempt, number=worker.attempt.number + 1))
        else:
            self._fail(
                worker,
                f"worker died twice ({how}), which is most often for lack of memory: "
                "try fewer jobs, a smaller batch or smaller networks.",
            )

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

    def _end(self, worker: Worker) -> int | None:
        del self._workers[worker.plan.index]
        return worker.end()

    def _fail(self, worker: Worker, failure: str) -> None:
        assert worker.attempt is not None
        call, seconds, index = worker.attempt.call, worker.elapsed, worker.plan.index
        self._usage = self._usage.plus(index, seconds)
        score = failed_score(call, failure, worker=index, started=time() - seconds, seconds=seconds)
        self._finish(call, score)

    def _finish(self, call: Call, score: Score) -> None:
        self._finished.append(Result(call, score))

    def _refuse(self, mistake: NeptuneError, *ids: int) -> None:
        """Have `wait` raise a user's mistake, in the place of a call's result if it has an id.

        What has finished by then is handed out first.
        """
        self._mistakes.append((mistake, ids))

    def _count_failed_start(self, plan: Plan, how: str) -> None:
        self._failed_starts[plan.index] += 1
        if self._failed_starts[plan.index] >= MAX_FAILED_STARTS:
            self._refuse(
                NeptuneError(
                    f"worker {plan.index} died {MAX_FAILED_STARTS} times in a row before its first "
                    f"call ({how}): look above for what it printed."
                )
            )
