"""The code that runs inside a worker: one evaluator, and the calls that it answers."""

import multiprocessing
import os
import pickle
import signal
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from math import isnan
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any

import torch

from neptune_nas.architecture.fields import is_record
from neptune_nas.devices.memory import is_device_lost, keep_pages
from neptune_nas.engine.engine import Call, failed_score
from neptune_nas.engine.plan import WorkerPlan
from neptune_nas.errors import NeptuneError
from neptune_nas.evaluators.evaluator import Evaluator, code_of
from neptune_nas.files.rules import as_plain
from neptune_nas.files.schema import cut
from neptune_nas.metrics.registry import BY_NAME, CLASSIFICATION, Metric
from neptune_nas.metrics.score import Score

_MAIN = CLASSIFICATION[0].name


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
        except Exception as error:
            return Reply(mistake=_startup_mistake(error), trace=traceback.format_exc())
        return Reply()

    def answer(self, payload: bytes) -> Reply:
        """Unpickle one call, make it, and return its reply."""
        assert self._evaluator is not None, "`begin` comes first"
        return answer(self._evaluator, payload, self._plan.index)


def run_worker(connection: Connection, plan: WorkerPlan) -> None:
    """Answer each call that arrives on `connection`, until the other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the coordinator handles Ctrl-C
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
        return Reply(mistake=_foreign_class(error), trace=traceback.format_exc())
    wall, cpu = time.perf_counter(), time.process_time()
    score, mistake, trace, spoiled = None, None, None, False
    try:
        score = _checked(evaluator, evaluator(call.architecture, call.fidelity, call.seed))
    except NeptuneError as error:
        mistake = _portable(error)
    except Exception as error:
        trace, spoiled = traceback.format_exc(), is_device_lost(error)
        why = f"{type(error).__name__}: {error}"
        score = failed_score(call, why, trace=trace)
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


def _end_with_coordinator() -> None:
    """Wait until the coordinator ends, for whatever reason, and end this process with it.

    Only the coordinator holds the other end of the pipe that `join` reads; no worker inherits it.
    """
    coordinator = multiprocessing.parent_process()
    assert coordinator is not None
    coordinator.join()
    os._exit(1)


def _send(connection: Connection, reply: Reply) -> None:
    # Not `connection.send`, whose pickler moves tensors through shared memory once torch is loaded.
    connection.send_bytes(pickle.dumps(reply))


def _startup_mistake(error: Exception) -> NeptuneError:
    if isinstance(error, NeptuneError):
        return _portable(error)
    return NeptuneError(
        f"a worker could not load its evaluator ({type(error).__name__}: {error}): define it, and "
        "what it holds, in a module that can be imported, or import its file in `setup`."
    )


def _foreign_class(error: Exception) -> NeptuneError:
    return NeptuneError(
        f"a worker could not load an architecture ({type(error).__name__}: {error}): "
        "define its SubStages in a module that can be imported, or import their file in `setup`."
    )


def _checked(evaluator: Evaluator, found: object) -> Score:
    """Return the score that an evaluator returned, checked against its contract.

    Raises `NeptuneError` for anything but a score, and for a value out of its range.
    """
    rule = f"evaluator {code_of(evaluator).__name__} must return a `Score`"
    if not isinstance(found, Score):
        raise NeptuneError(
            f'{rule}, but returned {cut(found)}: return Score(fidelity, {{"{_MAIN}": ...}}).'
        )
    if found.failure is not None:
        return replace(found, values={})  # values of a failed score are not results
    values = {name: _number(rule, name, value) for name, value in found.values.items()}
    if found.proxy is None and isnan(replace(found, values=values).main):
        main = next(iter(values), _MAIN)
        return replace(found, values={}, failure=f"its {main} is not a number")
    return replace(found, values=values)


def _number(rule: str, name: str, value: object) -> float:
    """Return a value as a float, also one of numpy or torch; raises `NeptuneError` out of range."""
    number = as_plain(value)
    metric = BY_NAME.get(name, Metric(name, name, source="scored"))
    is_number = isinstance(number, int | float) and type(number) is not bool
    if not is_number or not (metric.admits(number) or isnan(number) or number == metric.worst):
        what = "a share, a number in 0..1" if metric.unit == "share" else "a number"
        raise NeptuneError(f"{rule} whose `{name}` is {what}, but returned {cut(value)}.")
    return float(number)


def _portable(error: NeptuneError) -> NeptuneError:
    """Return the error if it survives pickling, else a `NeptuneError` with its message."""
    try:
        copy = pickle.loads(pickle.dumps(error))
    except Exception:
        return NeptuneError(str(error))
    return error if isinstance(copy, NeptuneError) else NeptuneError(str(error))
