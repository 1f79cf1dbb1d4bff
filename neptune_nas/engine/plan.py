"""Plans of workers, and the shares of the machine's resources."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle

import cloudpickle

from neptune_nas.devices.processor import usable_cores
from neptune_nas.errors import NeptuneError
from neptune_nas.evaluators.evaluator import Evaluator, traits_of
from neptune_nas.files.rules import Count, Size, Threads
from neptune_nas.files.schema import check

_COMPILER = "torch._dynamo"  # the first step of an optimiser imports it: 1.4 CPU-seconds


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """All that one worker needs before its first call.

    `setup` and `evaluator` are pickled separately, since unpickling the evaluator may need what the
    setup imports.
    """

    index: int
    threads: int
    device: str | None
    setup: bytes
    evaluator: bytes


@dataclass(frozen=True, slots=True)
class Slots:
    """The shares of the machine: `jobs` workers with `threads` each, assigned `gpus` in turn."""

    jobs: Size
    threads: Threads
    gpus: tuple[Count, ...] = ()

    def __post_init__(self) -> None:
        check(self)


def share_out(
    jobs: int | None, threads: int | None, gpus: tuple[int, ...], cores: int | None = None
) -> Slots:
    """Return the slots; by default one job per GPU, or else per core, with equal shares of cores.

    `cores`: how many there are (default: those of this machine). `OMP_NUM_THREADS`, if set, limits
    the default number of threads.
    """
    cores = usable_cores() if cores is None else cores
    jobs = (len(gpus) or cores) if jobs is None else jobs
    if threads is None:
        most = os.environ.get("OMP_NUM_THREADS", "")
        share = max(1, cores // max(1, jobs))
        threads = min(share, int(most)) if most.isdecimal() and int(most) else share
    return Slots(jobs, threads, gpus)


def make_plans(
    evaluator: Evaluator, setup: Callable[[], object] | None, slots: Slots
) -> tuple[WorkerPlan, ...]:
    """Return one plan per slot; raises `NeptuneError` for what cannot be pickled."""
    told = pickle_value(setup, "setup"), pickle_value(evaluator, "evaluator")
    devices: list[str | None] = [f"cuda:{gpu}" for gpu in slots.gpus]
    return tuple(
        WorkerPlan(index, slots.threads, device, *told)
        for index, device in zip(range(slots.jobs), cycle(devices or [None]), strict=False)
    )


def preloads(evaluator: Evaluator) -> tuple[str, ...]:
    """Return the modules that a fork server imports once, for all workers with this evaluator.

    These are the evaluator's module, if it belongs to this package (a user's may start threads or
    open a CUDA context, and neither survives a fork), and, if it trains, what optimisers import.
    """
    module = str(evaluator.__module__)
    own = (module,) if module.partition(".")[0] == __name__.partition(".")[0] else ()
    return (*own, _COMPILER) if traits_of(evaluator).trains else own


def pickle_value(value: object, what: str) -> bytes:
    """Return the pickle of `value`; raises a `NeptuneError` that calls it `what` if it has none.

    What a module on disk defines is pickled by name. What a notebook, the main script or a function
    defines is pickled by value, with the globals that it uses.
    """
    try:
        content: bytes = cloudpickle.dumps(value)
    except Exception as error:
        raise NeptuneError(
            f"the {what} must be picklable to reach a worker, but got {value!r} "
            f"({type(error).__name__}: {error}): keep locks, open files and generators out of it, "
            f"and out of the globals that it uses."
        ) from error
    return content
