"""The engine that runs evaluations on a Ray cluster (https://docs.ray.io), or on a local Ray."""

import logging
import os
import platform
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from socket import create_connection
from tempfile import gettempdir
from threading import current_thread, main_thread
from time import monotonic
from types import ModuleType
from typing import Any

from neptune_nas.engine.plan import Slots, WorkerPlan, make_plans, share_out
from neptune_nas.engine.pool import Ending, PoolEngine, Worker
from neptune_nas.engine.worker import Reply, Station
from neptune_nas.errors import NeptuneError, OptionError
from neptune_nas.evaluators.evaluator import Evaluator
from neptune_nas.files.schema import fault

PATIENCE = 30.0  # seconds without a ready worker before a warning
_ANSWERS = 5.0  # seconds that a cluster has to accept a connection
_LOW = "its node ran low on memory"
_ITS_OWN = "cuda:0"  # Ray shows each worker its own GPU only

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _RayWorker(Worker):
    """One actor, with the reply that it owes."""

    actor: Any
    awaited: Any
    how: str = field(default="", init=False)

    def send(self, payload: bytes) -> None:
        """Send a pickled call; if the actor is gone, `take` finds out."""
        self.awaited = self.actor.answer.remote(payload)

    def take(self) -> Reply | None:
        """Return the reply that has arrived, or None where the actor ended without one."""
        ray = connected_ray()
        awaited, self.awaited = self.awaited, None
        try:
            reply: Reply = ray.get(awaited)
        except ray.exceptions.OutOfMemoryError:
            self.how = _LOW
            return None
        except ray.exceptions.RayError as error:
            self.how = cause(str(error))
            return None
        return reply

    def end(self) -> Ending:
        """End the actor if it is still running."""
        connected_ray().kill(self.actor)
        more = "use fewer jobs, a smaller batch or smaller networks" if self.how == _LOW else ""
        return Ending(self.how, advice=more)


@dataclass(frozen=True, slots=True)
class SearchFolder:
    """The working folder and import path of a search, so that they mean the same on every node."""

    folder: str
    path: tuple[str, ...]

    @classmethod
    def here(cls) -> "SearchFolder":
        """Return the folder and path of this process."""
        return cls(os.getcwd(), tuple(os.path.abspath(each) for each in sys.path))

    def enter(self) -> None:
        """Enter the folder and extend the path; raises `NeptuneError` if the folder is missing."""
        try:
            os.chdir(self.folder)
        except OSError as error:
            raise NeptuneError(
                f"node {platform.node()} has no folder {self.folder}, where the search runs: "
                f"put code and data at the same paths on every node."
            ) from error
        sys.path += [each for each in self.path if each not in sys.path]


class RayStation(Station):
    """A station on another node, or in a process of a local Ray."""

    def __init__(self, plan: WorkerPlan, home: SearchFolder) -> None:
        super().__init__(plan)
        self._home = home

    def begin(self) -> Reply:
        """Enter the home folder and load the evaluator, once, before the first call."""
        try:
            self._home.enter()
        except NeptuneError as error:
            return Reply(mistake=error)
        return super().begin()


class RayEngine(PoolEngine[_RayWorker]):
    """An `Engine` of actors on a Ray cluster, which start when first needed.

    The cluster is the one that `RAY_ADDRESS` names or that already runs on this machine, or else a
    local one that starts here and ends with this process. `slots`: see `slots_on`. `per_gpu`:
    workers per GPU. `trial_timeout`: seconds a call may take, including its transport. `setup`:
    called in each worker before anything else is unpickled there. Code and data must have the same
    paths on every node as on this one.
    """

    printed = "in Ray's logs"

    def __init__(
        self,
        evaluator: Evaluator,
        slots: Slots,
        *,
        per_gpu: int = 1,
        trial_timeout: float | None = None,
        setup: Callable[[], object] | None = None,
    ) -> None:
        plans = make_plans(evaluator, setup, slots)
        plans = tuple(replace(plan, device=plan.device and _ITS_OWN) for plan in plans)
        super().__init__(plans, trial_timeout)
        self._per_gpu = per_gpu
        self._alone_since: float | None = None  # monotonic, while no worker is ready

    def _start_worker(self, plan: WorkerPlan) -> _RayWorker:
        actor = (
            connected_ray()
            .remote(max_restarts=0, max_task_retries=0)(RayStation)
            .options(num_cpus=plan.threads, num_gpus=1 / self._per_gpu if plan.device else 0)
            .remote(plan, SearchFolder.here())
        )
        return _RayWorker(plan, actor, actor.begin.remote())

    def _with_news(self, workers: Sequence[_RayWorker], seconds: float) -> list[_RayWorker]:
        self._look_after(workers)
        awaited = {worker.awaited: worker for worker in workers if worker.awaited is not None}
        ray = connected_ray()
        first, _ = ray.wait(list(awaited), timeout=seconds)
        if not first:
            return []
        ready, _ = ray.wait(list(awaited), num_returns=len(awaited), timeout=0)
        return [awaited[each] for each in ready]

    def _look_after(self, workers: Sequence[_RayWorker]) -> None:
        """Warn now and then that the cluster has no room; raise `NeptuneError` if it is gone."""
        if any(worker.ready for worker in workers):
            self._alone_since = None
            return
        self._alone_since = self._alone_since or monotonic()
        if monotonic() - self._alone_since < PATIENCE:
            return
        if not any(node["Alive"] for node in connected_ray().nodes()):
            raise NeptuneError(
                "the Ray cluster has no nodes left: restart it; the same command resumes."
            )
        _logger.warning("waiting for the Ray cluster to have room for a worker.")
        self._alone_since = None


def slots_on(jobs: int | None, threads: int | None, on_gpu: bool, per_gpu: int = 1) -> Slots:
    """Return how workers share the cluster: by default all of its GPUs, or else its cores.

    `jobs`: workers at once. `threads`: cores of each. `per_gpu`: workers per GPU. Raises
    `OptionError` for more than any node has.
    """
    if per_gpu > 1 and not on_gpu:
        raise OptionError("`trials_per_gpu` needs CUDA to train on: leave it out.")
    nodes = [node["Resources"] for node in connected_ray().nodes() if node["Alive"]]
    found = [(int(node.get("CPU", 0)), int(node.get("GPU", 0))) for node in nodes]
    usable = [(cores, gpus) for cores, gpus in found if cores and (gpus or not on_gpu)]
    if not usable and on_gpu:
        raise OptionError(
            "no node of the Ray cluster has a GPU: set `device` to cpu, or add such nodes."
        )
    if not usable:
        raise OptionError("no node of the Ray cluster has a core to offer: add one that does.")
    seats = [(cores, gpus * per_gpu if on_gpu else cores) for cores, gpus in usable]
    devices = tuple(range(sum(gpus for _, gpus in usable))) * per_gpu if on_gpu else ()
    most = max(cores for cores, _ in seats)
    if threads is not None and threads > most:
        raise OptionError(fault("threads", f"at most {most} on Ray", threads))
    jobs = _room(seats, threads or 1) if jobs is None else jobs
    slots = share_out(jobs, threads, devices, sum(cores for cores, _ in seats))
    if threads is None:
        fitting = (n for n in range(slots.threads, 1, -1) if _room(seats, n) >= slots.jobs)
        slots = replace(slots, threads=next(fitting, 1))
    if (fit := _room(seats, slots.threads)) < slots.jobs:
        _logger.warning("the Ray cluster has room for %d of %d workers.", fit, slots.jobs)
    return slots


def _room(seats: Iterable[tuple[int, int]], threads: int) -> int:
    """Return how many workers fit; `seats`: per node, its cores and the most workers it may run.

    >>> _room([(8, 2), (2, 2)], threads=2)
    3
    """
    return sum(min(cores // threads, most) for cores, most in seats)


def connected_ray() -> ModuleType:
    """Return Ray, connected to its cluster; raises `NeptuneError` if that is impossible."""
    try:
        import ray
    except ImportError as error:
        raise NeptuneError("the engine 'ray' needs Ray: pip install 'neptune-nas[ray]'.") from error
    if not ray.is_initialized():
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        _check_answers()
        try:
            with _keep_signals():
                ray.init(log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:
            raise NeptuneError(
                f"Ray cannot be used ({type(error).__name__}: {str(error).rstrip('.')}): check "
                f"RAY_ADDRESS, and set RAY_AUTH_MODE=token if its cluster asks for a token."
            ) from error
    return ray


@contextmanager
def _keep_signals() -> Iterator[None]:
    """Keep this program's handler of SIGTERM, and shield what starts inside from SIGHUP.

    Ray installs a handler of its own, and starts its processes in the group of the terminal.
    """
    if current_thread() is not main_thread() or sys.platform == "win32":
        yield
        return
    handler = signal.getsignal(signal.SIGTERM)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if callable(handler):
            signal.signal(signal.SIGTERM, handler)


def _check_answers() -> None:
    """Refuse a cluster that does not answer at once, since Ray would try for many minutes.

    The cluster is the one that `RAY_ADDRESS` names, or that `ray start` recorded on this machine.
    """
    noted = Path(os.environ.get("RAY_TMPDIR") or gettempdir(), "ray", "ray_current_cluster")
    address, remedy = os.environ.get("RAY_ADDRESS", ""), "set RAY_ADDRESS to one that does"
    if not address and noted.is_file():
        address, remedy = noted.read_text().strip(), "start it again, or end it with `ray stop`"
    host, _, port = address.rpartition(":")
    if "/" in host or not port.isdecimal():
        return  # "auto", "local", no address, or a form that only Ray knows
    try:
        create_connection((host, int(port)), timeout=_ANSWERS).close()
    except OSError as error:
        raise NeptuneError(f"no Ray cluster answers at {address} ({error}): {remedy}.") from error


def cause(message: str) -> str:
    """Return why an actor died, from Ray's long message: its detail, or else its last line.

    >>> cause("The actor died. Worker exit detail: End of file. Some common causes include: (1)")
    'End of file'
    """
    detail = message.partition("Worker exit detail: ")[2].partition(" Some common causes")[0]
    return (detail or message).strip().splitlines()[-1].strip().rstrip(".")
