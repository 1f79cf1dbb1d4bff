"""The engine that runs evaluations in worker processes on this machine."""

from collections.abc import Callable, Sequence
from multiprocessing import connection

from neptune_nas.engine.plan import WorkerPlan, make_plans, preloads, share_out
from neptune_nas.engine.pool import PoolEngine
from neptune_nas.engine.process import WorkerProcess, start_worker
from neptune_nas.evaluators.evaluator import Evaluator


class LocalEngine(PoolEngine[WorkerProcess]):
    """An `Engine` of persistent worker processes, which start when first needed.

    `jobs`: calls at once (default: one per GPU, else one per core). `threads`: torch threads of
    each (default: its share of the cores). `gpus`: CUDA indices, assigned to workers in turn, for
    an evaluator that has a `device` field. `trial_timeout`: seconds a call may take. `setup`:
    called in each worker before anything else is unpickled there, such as to import the user's own
    file.
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
        plans = make_plans(evaluator, setup, share_out(jobs, threads, gpus))
        super().__init__(plans, trial_timeout)
        self._preload = preloads(evaluator)

    def _start_worker(self, plan: WorkerPlan) -> WorkerProcess:
        return start_worker(plan, self._preload)

    def _with_news(self, workers: Sequence[WorkerProcess], seconds: float) -> list[WorkerProcess]:
        ready = connection.wait([s for worker in workers for s in worker.sources], seconds)
        return [worker for worker in workers if not worker.sources.isdisjoint(ready)]
