"""The training of a network on a data set: one run, from start to annealed end."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import isnan
from time import perf_counter
from typing import TypeVar

import torch
from torch import Generator, Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from neptune_nas.data.images import ImageData, Split
from neptune_nas.devices.device import FORMATS
from neptune_nas.devices.memory import is_out_of_memory, peak_memory, reset_peak_memory
from neptune_nas.devices.numerics import Layout, Numerics
from neptune_nas.errors import OptionError
from neptune_nas.nn.convolutions import mend
from neptune_nas.tasks.augmentation import Moves, draw_moves
from neptune_nas.tasks.task import failed_values
from neptune_nas.training.measure import measure
from neptune_nas.training.mixing import mix
from neptune_nas.training.recipe import Recipe
from neptune_nas.training.state import (
    Epoch,
    RunState,
    Setup,
    batch_count,
    copy_tensors,
    make_setup,
    make_state,
)
from neptune_nas.training.teacher import Lesson, Teaching, lesson_loss, view_moves

Result = TypeVar("Result")

_EXPLODED = 50.0  # times the loss of guessing: training does not recover from there
_CHECK_STEPS = 50  # on an accelerator, where reading the loss synchronises with the host


@dataclass(frozen=True, slots=True)
class TrainResult:
    """The result of a run: the task's metrics on the validation split at its end, by name.

    `seconds`: training and measuring. `images_per_second`: training only. `peak_memory`: bytes, see
    `neptune_nas.devices.memory`. `failure`: why the run stopped early; its values are then
    `failed_values`.
    """

    values: Mapping[str, float]
    seconds: float
    images_per_second: float
    peak_memory: int
    history: tuple[Epoch, ...] = ()
    failure: str | None = None


class DivergedError(Exception):
    """The training loss is NaN, or far above that of guessing."""


def train(
    network: nn.Module,
    data: ImageData,
    recipe: Recipe,
    epochs: int,
    *,
    seed: int = 0,
    device: str | torch.device = "cpu",
    curve: bool = False,
    numerics: Numerics | None = None,
    teaching: Teaching | None = None,
) -> TrainResult:
    """Train `network` in place on the training split and measure it on the validation split.

    Equal arguments give equal results on the same machine, and the caller's random state is left
    unchanged. If memory runs out, the run restarts with each batch in two halves whose gradients
    are added. `curve`: measure after every epoch, not only at the end. `numerics`: the precision
    and layout (default: the recipe's precision, channels last). `teaching`: a teacher's outputs for
    the training images.
    """
    if epochs < 1:
        raise OptionError(f"`epochs` must be at least 1, but got {epochs}.")
    where, numerics = torch.device(device), numerics or Numerics(recipe.precision)
    return within_memory(
        network,
        where,
        numerics.layout,
        lambda parts: run_seeded(
            make_setup(network, data, recipe, where, parts, numerics=numerics, teaching=teaching),
            epochs,
            seed,
            curve,
        ),
    )


def within_memory(
    network: nn.Module, device: torch.device, layout: Layout, run: Callable[[int], Result]
) -> Result:
    """Call `run` with each batch in one part; if memory runs out, again from the start with two.

    Moves `network` to `device` and into the memory layout, its convolutions mended.
    """
    mend(network).to(device, memory_format=FORMATS[layout])  # type: ignore[call-overload]  # missing in torch's stub
    start = copy_tensors(network)
    try:
        return run(1)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    network.load_state_dict(start)
    return run(2)


def run_seeded(setup: Setup, epochs: int, seed: int, curve: bool) -> TrainResult:
    """Train under the random state of `seed`, and return the result."""
    with random_state(setup.device, seed):
        return run(setup, make_state(setup, epochs, seed), epochs, curve)


@contextmanager
def random_state(device: torch.device, seed: int) -> Iterator[None]:
    """Seed torch's global random state inside, as dropout draws from it; restore it after."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def run(setup: Setup, state: RunState, epochs: int, curve: bool) -> TrainResult:
    """Train all epochs, or until the run diverges, and return the result."""
    started = perf_counter()
    reset_peak_memory(setup.device)
    history, failure = state.history, None
    try:
        for _ in run_epochs(setup, state, epochs, curve):
            pass
    except DivergedError as error:
        failure = str(error)
    seconds = sum(epoch.seconds for epoch in history)
    return TrainResult(
        values=failed_values(setup.task) if failure else history[-1].values,
        seconds=perf_counter() - started,
        images_per_second=len(setup.train) * len(history) / seconds if history else 0.0,
        peak_memory=peak_memory(setup.device),
        history=tuple(history),
        failure=failure,
    )


def run_epochs(setup: Setup, state: RunState, epochs: int, curve: bool) -> Iterator[Epoch]:
    """Train and measure the epochs that `state` has left, adding each to its history.

    `curve`: measure after every epoch, not only at the end. Raises `DivergedError`.
    """
    for number in range(len(state.history) + 1, epochs + 1):
        started = perf_counter()
        try:
            loss = train_epoch(setup, state)
        except DivergedError as error:
            raise DivergedError(f"{error} in epoch {number} of {epochs}") from error
        seconds = perf_counter() - started
        epoch = Epoch(number, loss, state.optimizer.param_groups[0]["lr"], seconds)
        if curve or state.plateau or number == epochs:
            epoch = _measure_epoch(setup, state, epoch)
        state.history.append(epoch)
        yield epoch


def _measure_epoch(setup: Setup, state: RunState, epoch: Epoch) -> Epoch:
    """Return the epoch with its values on the validation split; step a plateau schedule."""
    values = _validate(setup, setup.network)
    if state.plateau:
        state.plateau.step(values[setup.task.criterion])
    epoch = replace(epoch, values=values)
    if state.average is None:
        return epoch
    return replace(epoch, ema_values=_validate(setup, state.average.module))


def _validate(setup: Setup, network: nn.Module) -> dict[str, float]:
    """Return a network's metrics on the validation split."""
    return measure(network, setup.validation, setup.task, setup.normalize, setup.autocast)


def batches(count: int, size: int, generator: Generator) -> tuple[Tensor, ...]:
    """Return 0..count-1 in random order, in batches of at most `size` that differ by at most one.

    No image is left out, and no batch is a small remainder that would upset batch norm: rather
    than a single image, a batch of three. Drawn on the host, they are equal on every device.
    """
    order = torch.randperm(count, generator=generator)
    return order.tensor_split(batch_count(count, size))


def train_epoch(setup: Setup, state: RunState) -> float:
    """Train for one pass over the training images, and return the mean loss.

    Raises `DivergedError` as soon as the loss is seen to be NaN or far too high.
    """
    setup.network.train()
    rows_of_batches = batches(len(setup.train), setup.recipe.batch_size, state.generator)
    every = 1 if setup.device.type == "cpu" else _CHECK_STEPS
    total = torch.zeros((), device=setup.device)
    moves = epoch_moves(setup, state)
    with setup.train.batches(rows_of_batches) as found:
        for step, (rows, batch) in enumerate(zip(rows_of_batches, found, strict=True), start=1):
            loss = take_step(setup, state, batch, moves[rows], _taught(setup, state, rows))
            total += loss
            if step % every == 0 or step == len(rows_of_batches):
                check_loss(float(loss), setup.guess)
    return float(total) / len(rows_of_batches)


def epoch_moves(setup: Setup, state: RunState) -> Moves:
    """Return the augmentation of all training images in the next epoch.

    It is drawn at random, unless a teacher has seen the images in fixed views.
    """
    if setup.teaching is not None and setup.teaching.views:
        view = setup.teaching.view(len(state.history), state.seed)
        return view_moves(setup.augment, setup.train.split.images, view)
    mirrored = state.mirrored if len(state.history) % 2 == 0 else ~state.mirrored
    return draw_moves(setup.augment, setup.train.split.images, state.generator, mirrored)


def _taught(setup: Setup, state: RunState, rows: Tensor) -> Tensor | None:
    """Return a teacher's outputs for some images in the next epoch; None without a teacher."""
    teaching = setup.teaching
    if teaching is None:
        return None
    return teaching.rows(teaching.view(len(state.history), state.seed), rows, setup.device)


def take_step(
    setup: Setup, state: RunState, batch: Split, moves: Moves, taught: Tensor | None = None
) -> Tensor:
    """Train on one batch of the feed, augmented by `moves`, and return its mean loss.

    `taught`: a teacher's outputs for the augmented images.
    """
    images, targets = setup.task.views(batch, moves, setup.normalize)
    images, share = mix(images, setup.recipe, state.generator)
    lesson = Lesson(targets, taught)
    wanted = [(share, lesson)]
    if share < 1:  # each image is mixed with the one before
        wanted.append((1 - share, lesson.map(lambda part: part.roll(1, 0))))
    loss = _optimize(setup, images, wanted, state.optimizer)
    if state.schedule:
        state.schedule.step()
    if state.average is not None:
        state.average.update_parameters(setup.network)
    return loss


def _optimize(
    setup: Setup, images: Tensor, wanted: list[tuple[float, Lesson]], optimizer: Optimizer
) -> Tensor:
    """Take one step of the optimiser on one batch; return the batch's mean loss.

    `wanted`: lessons, each with its share of the loss.
    """
    optimizer.zero_grad(set_to_none=True)
    total = torch.zeros((), device=setup.device)
    for rows in torch.arange(len(images)).chunk(setup.parts):
        part = slice(int(rows[0]), int(rows[-1]) + 1)
        with setup.autocast:
            outputs = setup.network(images[part]).float()
        loss = torch.stack(
            [
                lesson_loss(setup.task, setup.recipe, outputs, lesson[part]).mul(share)
                for share, lesson in wanted
            ]
        )
        loss = loss.sum().div(len(images))
        torch.autograd.backward(loss)
        total += loss.detach()
    if setup.recipe.clip_norm:
        clip_grad_norm_(setup.network.parameters(), setup.recipe.clip_norm)
    optimizer.step()
    return total


def check_loss(loss: float, guess: float) -> None:
    """Refuse a loss from which training does not recover; `guess`: the loss of guessing."""
    limit = _EXPLODED * guess
    if not loss <= limit:  # refuses NaN too
        above = "" if isnan(loss) else f", above {limit:.3g},"
        raise DivergedError(f"diverged: the training loss was {loss:.3g}{above}")
