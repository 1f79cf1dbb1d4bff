"""Worker processes, as the coordinator starts, uses and ends them."""

import multiprocessing
import os
import pickle
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from neptune_nas.engine.plan import WorkerPlan
from neptune_nas.engine.pool import Ending, Worker
from neptune_nas.engine.worker import Reply, run_worker
from neptune_nas.interrupts import SIGNALS

_FORKS = sys.platform == "linux"  # elsewhere system libraries do not survive a fork
_GARBAGE = "neptune_nas.engine.garbage"  # which only a fork server may import
_NAME = "neptune-worker-"  # prefix of a worker's index
_LOST = 255  # exit code if the fork server died, so that the real one is unknown
_ADVICE = {  # by the number of a signal; Windows lacks their names
    9: "it was killed from outside, perhaps by the system when memory ran out: in that case, use "
    "fewer jobs, a smaller batch or smaller networks",
    15: "it was ended from outside, perhaps by the system or a job scheduler: look in its log",
}


@dataclass(slots=True)
class WorkerProcess(Worker):
    """One worker process, with the pipe to it."""

    process: BaseProcess
    connection: Connection

    @property
    def sources(self) -> frozenset[Connection | int]:
        """The objects for `multiprocessing.connection.wait`: reply pipe and process sentinel."""
        return frozenset((self.connection, self.process.sentinel))

    def send(self, payload: bytes) -> None:
        """Send a pickled call; raises `OSError` where the process is gone."""
        self.connection.send_bytes(payload)

    def take(self) -> Reply | None:
        """Return the next reply, or None where the process ended without one."""
        try:
            if self.connection.poll():
                reply: Reply = pickle.loads(self.connection.recv_bytes())
                return reply
        except (EOFError, OSError):
            pass
        return None

    def end(self) -> Ending:
        """End the process and all that it started, and return how it ended."""
        self._kill_group()
        self.process.kill()
        self.process.join()
        code = self.process.exitcode
        # Closing also closes the pipe that the worker watches, and ends one that `kill` cannot
        # reach: after the fork server died, its workers live on but count as ended.
        self.process.close()
        self.connection.close()
        return _ending_of(code)

    def _kill_group(self) -> None:
        """Kill the worker and all that it started, or what a dead worker left behind.

        Once a worker has been waited for, its id may belong to another process. POSIX does not
        reuse it while the group has a member, so a group without its leader is the worker's.
        """
        number = self.process.pid
        if number is None or not hasattr(os, "killpg"):
            return
        with suppress(OSError):  # it has no group yet, or no longer
            if self.process.exitcode is None or not _is_running(number):
                os.killpg(number, signal.SIGKILL)


def _is_running(process: int) -> bool:
    """Return whether any process has this id."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def start_fork_server(preload: tuple[str, ...] = ()) -> None:
    """Start a process that imports this package, torch and `preload`, once for all workers.

    It returns at once; the imports go on in the background.
    """
    if _FORKS:
        forkserver.set_forkserver_preload([_GARBAGE, run_worker.__module__, *preload])
        with _interrupts_held():
            forkserver.ensure_running()


def start_worker(plan: WorkerPlan, preload: tuple[str, ...] = ()) -> WorkerProcess:
    """Start a process for `plan`; raises `OSError` or `EOFError` where the fork server just died.

    With a fork server, a worker or its replacement starts in milliseconds.
    """
    start_fork_server(preload)
    context = multiprocessing.get_context("forkserver" if _FORKS else "spawn")
    ours, theirs = context.Pipe()
    process = context.Process(  # type: ignore[attr-defined]  # typeshed has it on subclasses only
        target=run_worker,
        args=(theirs, plan),
        name=f"{_NAME}{plan.index}",
        daemon=True,  # a program that ends without closing its engine must not wait for workers
    )
    try:
        with _interrupts_held(), _main_left_out():
            process.start()
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return WorkerProcess(plan, process, ours)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Block the signals that end the coordinator, so that processes started inside do too.

    A terminal, systemd and Slurm send them to all processes, but only the coordinator decides. The
    resource tracker starts first: on Python 3.11 its start unblocks SIGINT and SIGTERM again.
    """
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _main_left_out() -> Iterator[None]:
    """Keep a worker from running the main script again, since its code comes by value.

    An unguarded script would search again in each worker, and a script that is not a file, such as
    one read from stdin, could not be found there.
    """
    main = vars(sys.modules["__main__"])
    before: dict[str, Any] = {n: main[n] for n in ("__file__", "__spec__") if n in main}
    main.update(dict.fromkeys(before))
    try:
        yield
    finally:
        main.update(before)


def _ending_of(code: int | None) -> Ending:
    """Return how a process ended, in words, by its exit code."""
    if code is None or code == _LOST:
        return Ending(f"exit code {code}", of_all=True)
    if code >= 0:
        advice = "the code that it ran ended the process: raise an exception that says why"
        return Ending(f"exit code {code}", advice=advice)
    number = -code
    return Ending(f"signal {number}, {signal.strsignal(number)}", advice=_ADVICE.get(number, ""))
