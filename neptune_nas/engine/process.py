"""A worker process, as its coordinator sees it."""

import multiprocessing
import os
import pickle
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from neptune_nas.engine.plan import Plan
from neptune_nas.engine.pool import Ending, Worker
from neptune_nas.engine.worker import Reply, run_worker
from neptune_nas.errors import NeptuneError

FORKS = sys.platform == "linux"  # elsewhere system libraries do not survive a fork
NAME = "neptune-worker-"  # before a worker's number
UNGUARDED = 77  # exit code of a worker that would start workers itself, which nothing else has
RUNS_ITSELF = (
    "a search starts its workers by importing the script that runs it, and this script searches "
    'again when it is imported: call what searches under `if __name__ == "__main__":`.'
)


@dataclass(slots=True)
class WorkerProcess(Worker):
    """One process, and the pipe to it."""

    process: BaseProcess
    connection: Connection

    @property
    def sources(self) -> frozenset[Connection | int]:
        """What `multiprocessing.connection.wait` watches: a reply, and the end of the process."""
        return frozenset((self.connection, self.process.sentinel))

    def send(self, payload: bytes) -> None:
        """Send a pickled call. Raises `OSError` where the process is gone."""
        self.connection.send_bytes(payload)

    def take(self) -> Reply | None:
        """The next reply, or None where the process ended without one."""
        try:
            if self.connection.poll():
                reply: Reply = pickle.loads(self.connection.recv_bytes())
                return reply
        except (EOFError, OSError):
            pass
        return None

    def end(self) -> Ending:
        """End the process if it still runs."""
        self.process.kill()
        self.process.join()
        code = self.process.exitcode
        # Closing also closes the pipe that the worker watches, and so ends one that `kill` cannot
        # reach: where the fork server died, its workers live on but count as ended.
        self.process.close()
        self.connection.close()
        return Ending(describe_exit(code), NeptuneError(RUNS_ITSELF) if code == UNGUARDED else None)


def start_fork_server(preload: tuple[str, ...] = ()) -> None:
    """Let a process import this package, torch and the modules in `preload`, once for all workers.

    It returns at once, so that whoever has something else to do first need not wait for it.
    """
    if FORKS:
        forkserver.set_forkserver_preload([run_worker.__module__, *preload])
        with _interrupts_held():
            forkserver.ensure_running()


def start_worker(plan: Plan, preload: tuple[str, ...] = ()) -> WorkerProcess:
    """Start a process for `plan`. Raises `OSError` or `EOFError` where the fork server just died.

    Where there is a fork server, a worker or the replacement of one starts in milliseconds.
    """
    start_fork_server(preload)
    context = multiprocessing.get_context("forkserver" if FORKS else "spawn")
    ours, theirs = context.Pipe()
    process = context.Process(  # type: ignore[attr-defined]  # typeshed has it on subclasses only
        target=run_worker,
        args=(theirs, plan),
        name=f"{NAME}{plan.index}",
        daemon=True,  # a program that ends without closing its engine must not wait for workers
    )
    try:
        with _interrupts_held(), _main_in_a_file():
            process.start()
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return WorkerProcess(plan, process, ours)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back, so that what is started here inherits the blocked signal and stays silent.

    The resource tracker goes first: on Python 3.11 its start unblocks the signal again.
    """
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _main_in_a_file() -> Iterator[None]:
    """Keep a worker from importing a script that is no file: one that is read from stdin.

    Python calls that `<stdin>`, as if it were one, and a worker ends for lack of it.
    """
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    if file is None or os.path.exists(file):
        yield
        return
    main.__file__ = None
    try:
        yield
    finally:
        main.__file__ = file


def end_if_unguarded() -> None:
    """End this process, silently, if it is a worker that is still importing the user's script.

    A worker begins by importing the script that its coordinator runs. One that starts a search as
    it is imported would start workers in each worker; the coordinator tells by the exit code.
    """
    process = multiprocessing.current_process()
    # Python's own check of this mistake reads the same attribute, but says it once a worker.
    if process.name.startswith(NAME) and getattr(process, "_inheriting", False):
        os._exit(UNGUARDED)


def describe_exit(code: int | None) -> str:
    """How a process ended, in words."""
    if code is None or code >= 0:
        return f"exit code {code}"  # 255 where the fork server died and cannot tell
    return f"signal {-code}, {signal.strsignal(-code)}"
