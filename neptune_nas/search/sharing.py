"""How many evaluations share each GPU, by the memory that they are predicted to take."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import prod
from random import Random
from typing import Any

from neptune_nas.devices.memory import free_memory
from neptune_nas.devices.mode import Modes
from neptune_nas.engine.gpus import CONTEXT, SAFE, Need, dealt, fitting
from neptune_nas.engine.plan import usable_cores
from neptune_nas.errors import ArchitectureError, OptionError, first_line
from neptune_nas.metrics.constraints import Sampled
from neptune_nas.search.costs import Gauge
from neptune_nas.search.ground import Ground
from neptune_nas.search.subject import Subject
from neptune_nas.study.folder import record_from
from neptune_nas.training.feed import must_stream
from neptune_nas.training.footprint import footprint_of, training_bytes
from neptune_nas.training.recipe import Recipe

SAMPLED = 100  # networks, of which the largest counts
DRAWN = 2_000  # architectures at most, to find so many that keep the constraints
LABEL = 8  # bytes
TIGHT = "; where not even one fits, batches that run out of memory are computed in halves"


@dataclass(frozen=True, slots=True)
class Sharing:
    """So many evaluations at once on each GPU, by its number, and `why`, in a sentence."""

    counts: Mapping[int, int]
    why: str

    @property
    def gpus(self) -> tuple[int, ...]:
        """The GPU of each worker."""
        return dealt(self.counts)


def share_gpus(
    named: tuple[int, ...], on_cuda: bool, asked: int | None, need: Callable[[], Need] | None
) -> Sharing | None:
    """How many evaluations share each GPU; None where none is used.

    Training on CUDA, which is the case for a `need`, is on the first where none is `named`. Raises
    `OptionError` where a number is `asked` for and there is none to put it on.
    """
    gpus = named or ((0,) if need and on_cuda else ())
    if not gpus and asked:
        raise OptionError("`trials_per_gpu` needs `gpus`, such as 0,1, or CUDA to train on.")
    return share(gpus, asked, need) if gpus else None


def share(gpus: Sequence[int], asked: int | None, need: Callable[[], Need] | None) -> Sharing:
    """As many on each GPU as `asked`, or else as its memory holds; one where nobody can tell.

    `need`: works out what an evaluation needs; None where that is not known.
    """
    if asked is not None:
        return evenly(gpus, asked, "as `trials_per_gpu` says")
    if need is None:
        return evenly(gpus, 1, "since what the evaluator needs is not known")
    try:
        return by_memory(need(), gpus, free_memory, usable_cores())
    except ArchitectureError as error:
        return evenly(gpus, 1, f"since no need of memory can be predicted: {error}")
    except RuntimeError as error:  # a GPU that is lost, or that another process has for itself
        return evenly(gpus, 1, f"since its free memory cannot be read: {first_line(error)}")


def evenly(gpus: Sequence[int], count: int, reason: str) -> Sharing:
    """The same number on each GPU."""
    return Sharing(
        dict.fromkeys(gpus, count), f"{count} at once on each GPU, {reason.rstrip('.')}."
    )


def by_memory(
    need: Need, gpus: Sequence[int], free_memory: Callable[[int], int], cores: int
) -> Sharing:
    """As many on each GPU as its free memory holds, and as there are cores for.

    `free_memory`: the bytes that are free on a GPU, by its number.
    """
    most = max(1, cores // len(gpus))
    free = {gpu: free_memory(gpu) for gpu in gpus}
    needs = {gpu: need_with(free[gpu], need) for gpu in gpus}
    counts = {gpu: fitting(free[gpu], needs[gpu].total, most) for gpu in gpus}
    return Sharing(counts, explained(counts, free, needs, most))


def need_with(free: int, need: Need) -> Need:
    """The need on a GPU with `free` bytes: without the data, where those must be streamed."""
    return replace(need, data=0) if must_stream(need.data, free) else need


def explained(
    counts: Mapping[int, int], free: Mapping[int, int], needs: Mapping[int, Need], most: int
) -> str:
    """The sentence that says how many run where, and why no more."""
    shares = ", ".join(
        f"{counts[gpu]} on GPU {gpu} ({said(free[gpu])} free"
        f"{'' if needs[gpu].data else ', the data streamed'})"
        for gpu in free
    )
    need = max(needs.values(), key=lambda need: need.total)
    tight = any(needs[gpu].total > SAFE * free[gpu] for gpu in free)
    return (
        f"{shares} at once, since each needs up to {said(need.total)} ({said(CONTEXT)} for CUDA, "
        f"{said(need.data)} for the data and {said(need.training)} to train the largest of the "
        f"networks sampled), {SAFE:.0%} of what is free is counted on, and there are cores for "
        f"{most} a GPU{TIGHT if tight else ''}."
    )


def said(count: int) -> str:
    """Bytes as people say them.

    >>> said(1_434_000_000), said(7_200_000)
    ('1.4 GB', '7 MB')
    """
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def need_on(subject: Subject) -> Need:
    """What a worker needs to train any network of the subject's space that keeps the constraints.

    That on latency aside, which is slow to measure.
    """
    exact = [limit for limit in subject.question.limits if limit.name != "latency"]
    feasible = Gauge(subject.ground.costs, exact).feasible
    found = sampled(subject.space, feasible, subject.question.seed)
    recipe = record_from(Recipe, subject.question.recipe, "recipe")
    found = found or [subject.surveyed.require_example()]
    return need_of(found, subject.ground, recipe, subject.modes)


def need_of(
    architectures: Iterable[Any], ground: Ground, recipe: Recipe, modes: Modes | None = None
) -> Need:
    """What a worker needs to train any of `architectures`, one at least, on the ground's images.

    Those whose footprint cannot be counted are left out; raises `ArchitectureError` if all are.
    """
    sizes, failure = [], ""
    for architecture in architectures:
        try:
            footprint = footprint_of(architecture, ground.input_shape, ground.classes)
        except ArchitectureError as error:
            failure = str(error)
        else:
            sizes.append(training_bytes(footprint, recipe, modes))
    if not sizes:
        raise ArchitectureError(failure)
    train, validation, _ = ground.images
    return Need((train + validation) * (prod(ground.input_shape) + LABEL), max(sizes))


def sampled(space: Sampled[Any], feasible: Callable[[Any], bool], seed: int) -> list[Any]:
    """Up to `SAMPLED` feasible architectures, uniform over the space; fewer where few are."""
    rng = Random(seed)
    drawn = (space.sample(rng) for _ in range(DRAWN))
    return list(islice(filter(feasible, drawn), SAMPLED))
