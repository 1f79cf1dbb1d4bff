"""The code that runs inside a worker: one evaluator, and the calls that it answers."""

import gc
import multiprocessing
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any

import torch

from neptune_nas.architecture.fields import is_record
from neptune_nas.devices.memory import is_device_lost, keep_pages
from neptune_nas.engine.engine import Call, failed_score
from neptune_nas.engine.plan import WorkerPlan
from neptune_nas.errors import NeptuneError, description, message_of, trace_of
from neptune_nas.evaluators.evaluator import Evaluator
from neptune_nas.evaluators.score_rules import checked_score
from neptune_nas.interrupts import SIGNALS
from neptune_nas.metrics.score import Score


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of a worker: an empty one when it is ready, then one for each call.

    `mistake`: of the user's; it ends the search. `busy` and `cpu`: seconds. `trace`: the traceback
    of an evaluator's exception. `spoiled`: whether this worker must not get another call.
    """

    score: Score | None = None
    mistake: NeptuneError | None = None
    busy: float = 0.0
    cpu: float = 0.0
    trace: str | None = None
    spoiled: bool = False


class Station:
    """One evaluator with its calls, in whatever kind of process runs it."""

    def __init__(self, plan: WorkerPlan) -> None:
        self._plan = plan
        self._evaluator: Evaluator | None = None

    def begin(self) -> Reply:
        """Load the evaluator, once, before the first call."""
        torch.set_num_threads(self._plan.threads)
        keep_pages()
        try:
            self._evaluator = _prepare(self._plan)
        except BaseException as error:  # SystemExit too, whose message would be lost
            return Reply(mistake=_startup_mistake(error), trace=trace_of(error))
        return Reply()

    def answer(self, payload: bytes) -> Reply:
        """Unpickle one call, make it, and return its reply."""
        assert self._evaluator is not None, "`begin` comes first"
        return answer(self._evaluator, payload, self._plan.index)


def run_worker(connection: Connection, plan: WorkerPlan) -> None:
    """Answer each call that arrives on `connection`, until the other end closes."""
    _leave_signals_to_coordinator()
    gc.freeze()  # what the fork server imported stays
    gc.enable()
    Thread(target=_end_with_coordinator, daemon=True).start()
    multiprocessing.current_process().daemon = False  # a daemon could not start DataLoader workers
    station = Station(plan)
    begun = station.begin()
    with suppress(EOFError, ConnectionError):
        _send(connection, begun)
        while begun.mistake is None:
            _send(connection, station.answer(connection.recv_bytes()))


def answer(evaluator: Evaluator, payload: bytes, index: int) -> Reply:
    """Unpickle one call, make it, and return its reply."""
    try:
        call: Call = pickle.loads(payload)
    except Exception as error:
        return Reply(mistake=_foreign_class(error), trace=trace_of(error))
    wall, cpu = time.perf_counter(), time.process_time()
    score, mistake, trace, spoiled = None, None, None, False
    try:
        found = evaluator(call.architecture, call.fidelity, call.seed)
        score = checked_score(evaluator, found)
    except NeptuneError as error:
        mistake = _portable(error)
    except BaseException as error:  # SystemExit too, whose message would be lost
        trace, spoiled = trace_of(error), is_device_lost(error)
        score = failed_score(call, description(error), trace=trace)
    busy, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if score is not None:
        score = replace(
            score,
            fidelity=call.fidelity,
            seed=call.seed,
            worker=index,
            seconds=score.seconds or busy,
        )
    return Reply(score, mistake, busy, cpu, trace, spoiled)


def on_device(evaluator: Any, device: str | None) -> Any:
    """Return the evaluator with its `device` set, if it has that field and a device is given."""
    names = {field.name for field in fields(evaluator)} if is_record(evaluator) else set()
    return replace(evaluator, device=device) if device and "device" in names else evaluator


def _prepare(plan: WorkerPlan) -> Evaluator:
    setup: Callable[[], object] | None = pickle.loads(plan.setup)
    if setup is not None:
        setup()
    evaluator: Evaluator = on_device(pickle.loads(plan.evaluator), plan.device)
    return evaluator


def _leave_signals_to_coordinator() -> None:
    """Ignore the signals that end the coordinator, which then ends this process's group.

    So it leads a process group of its own. The signals were blocked when it started; processes
    that it starts itself must be able to receive them.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        os.setpgid(0, 0)


def _end_with_coordinator() -> None:
    """Wait until the coordinator ends, for whatever reason, and end this process's group with it.

    Only the coordinator holds the other end of the pipe that `join` reads; no worker inherits it.
    """
    coordinator = multiprocessing.parent_process()
    assert coordinator is not None
    coordinator.join()
    if sys.platform != "win32":
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _send(connection: Connection, reply: Reply) -> None:
    # Not `connection.send`, whose pickler moves tensors through shared memory once torch is loaded.
    connection.send_bytes(pickle.dumps(reply))


def _startup_mistake(error: BaseException) -> NeptuneError:
    if isinstance(error, NeptuneError):
        return _portable(error)
    return NeptuneError(
        f"a worker could not load its evaluator ({description(error)}): define it, and "
        "what it holds, in a module that can be imported, or import its file in `setup`."
    )


def _foreign_class(error: Exception) -> NeptuneError:
    return NeptuneError(
        f"a worker could not load an architecture ({description(error)}): "
        "define its SubStages in a module that can be imported, or import their file in `setup`."
    )


def _portable(error: NeptuneError) -> NeptuneError:
    """Return an error of the nearest of our classes with the same message, to be pickled."""
    ours = (cls for cls in type(error).__mro__ if cls.__module__ == NeptuneError.__module__)
    cls: type[NeptuneError] = next(ours)
    return cls(message_of(error))
