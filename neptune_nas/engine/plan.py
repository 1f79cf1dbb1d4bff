"""What each worker of an engine is told when it starts."""

import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle

from neptune_nas.devices.processor import usable_cores
from neptune_nas.errors import NeptuneError
from neptune_nas.evaluators.evaluator import Evaluator
from neptune_nas.files.rules import Count, Size
from neptune_nas.files.schema import check


@dataclass(frozen=True, slots=True)
class Plan:
    """All that one worker needs to know before its first call.

    `setup` and `evaluator` are pickled apart, since the second may need what the first imports.
    """

    index: int
    threads: int
    device: str | None
    setup: bytes
    evaluator: bytes


@dataclass(frozen=True, slots=True)
class Slots:
    """How the machine is shared out: `jobs` workers of `threads` each, dealt `gpus` in turn."""

    jobs: Size
    threads: Size
    gpus: tuple[Count, ...] = ()

    def __post_init__(self) -> None:
        check(self)


def share_out(
    jobs: int | None, threads: int | None, gpus: tuple[int, ...], cores: int | None = None
) -> Slots:
    """One job a GPU, or else one a core, and for each its share of the cores, where not given.

    `cores`: how many there are (default: those of this machine). `OMP_NUM_THREADS`, where it is
    set, is the most threads that are taken unasked.
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
) -> tuple[Plan, ...]:
    """One plan a slot. Raises `NeptuneError` where the evaluator or the setup cannot be pickled."""
    told = pickled(setup, "setup"), pickled(evaluator, "evaluator")
    devices: list[str | None] = [f"cuda:{gpu}" for gpu in slots.gpus]
    return tuple(
        Plan(index, slots.threads, device, *told)
        for index, device in zip(range(slots.jobs), cycle(devices or [None]), strict=False)
    )


def own_modules(evaluator: Evaluator) -> tuple[str, ...]:
    """The evaluator's module, if it is one of this package's own.

    Only such a one may be imported before a fork: a user's may start threads or open a CUDA
    context, and neither survives it.
    """
    module = str(evaluator.__module__)
    return (module,) if module.partition(".")[0] == __name__.partition(".")[0] else ()


def pickled(value: object, what: str) -> bytes:
    """The pickle of `value`, or a `NeptuneError` that calls it `what`."""
    try:
        return pickle.dumps(value)
    except Exception as error:
        raise NeptuneError(
            f"the {what} must be picklable to reach a worker, but got {value!r} "
            f"({type(error).__name__}: {error}): define it at the top level of a module."
        ) from error
