"""Trains a network on a data set that lies in memory: one run, from start to annealed end."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, inf, log
from time import perf_counter

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from neptune_nas.data.images import ImageData, Split
from neptune_nas.errors import OptionError
from neptune_nas.training.augment import Augment, Normalizer, augment_for, random_views
from neptune_nas.training.measure import measure
from neptune_nas.training.memory import is_out_of_memory, peak_memory, reset_peak_memory
from neptune_nas.training.optimizer import make_optimizer
from neptune_nas.training.precision import autocast_for
from neptune_nas.training.recipe import Recipe
from neptune_nas.training.schedule import epoch_schedule, step_schedule

EXPLODED = 50.0  # times the loss of guessing: training does not come back from there
CHECK_STEPS = 50  # on an accelerator, where reading the loss makes the host wait


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training images: mean training loss, the rate at its end, its seconds.

    `accuracy`, `validation_loss`: after this epoch, where they were measured.
    """

    number: int
    loss: float
    lr: float
    seconds: float
    accuracy: float | None = None
    validation_loss: float | None = None


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What became of a run: validation accuracy (0..1) and loss (nats) at its end.

    `seconds`: training and measuring. `images_per_second`: training only. `peak_memory`: bytes, see
    `neptune_nas.training.memory`. `failure`: why the run stopped early; its accuracy is then 0.
    """

    accuracy: float
    loss: float
    seconds: float
    images_per_second: float
    peak_memory: int
    history: tuple[Epoch, ...] = ()
    failure: str | None = None


class DivergedError(Exception):
    """The training loss is no number, or far above that of guessing."""


@dataclass(frozen=True, slots=True)
class Setup:
    """All that stays the same during a run; `parts`: pieces that each batch is computed in."""

    network: nn.Module
    train: Split
    validation: Split
    classes: int
    recipe: Recipe
    device: torch.device
    augment: Augment
    normalize: Normalizer
    autocast: torch.autocast
    parts: int = 1


def train(
    network: nn.Module,
    data: ImageData,
    recipe: Recipe,
    epochs: int,
    *,
    seed: int = 0,
    device: str | torch.device = "cpu",
    curve: bool = False,
) -> TrainResult:
    """Train `network` in place on the training split and measure it on the validation split.

    The same arguments give the same result on the same machine, and the caller's random state is
    left alone. Where memory runs out, the run starts again with each batch in two halves whose
    gradients are added up. `curve`: measure after every epoch, not only at the end.
    """
    if epochs < 1:
        raise OptionError(f"`epochs` must be at least 1, but got {epochs}.")
    where = torch.device(device)
    network.to(where, memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stub
    start = {name: value.cpu().clone() for name, value in network.state_dict().items()}
    try:
        return run_seeded(make_setup(network, data, recipe, where), epochs, seed, curve)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    network.load_state_dict(start)
    return run_seeded(make_setup(network, data, recipe, where, parts=2), epochs, seed, curve)


def make_setup(
    network: nn.Module, data: ImageData, recipe: Recipe, device: torch.device, parts: int = 1
) -> Setup:
    """The setup of a run."""
    train, validation = placed(data, device)
    return Setup(
        network=network,
        train=train,
        validation=validation,
        classes=len(data.classes),
        recipe=recipe,
        device=device,
        augment=augment_for(recipe, data),
        normalize=Normalizer(data, device),
        autocast=autocast_for(recipe.precision, device),
        parts=parts,
    )


@lru_cache(maxsize=1)
def placed(data: ImageData, device: torch.device) -> tuple[Split, Split]:
    """The training and validation images on `device`, moved there once for all runs on them."""
    return data.train.to(device), data.validation.to(device)


def run_seeded(setup: Setup, epochs: int, seed: int, curve: bool) -> TrainResult:
    """The run under its own random state, since dropout draws from torch's global one."""
    devices = [setup.device] if setup.device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        return run(setup, epochs, Generator().manual_seed(seed), curve)


def run(setup: Setup, epochs: int, generator: Generator, curve: bool) -> TrainResult:
    """All epochs, or as many as go well."""
    started = perf_counter()
    reset_peak_memory(setup.device)
    history: list[Epoch] = []
    failure = None
    try:
        for epoch in run_epochs(setup, epochs, generator, curve):
            history.append(epoch)  # noqa: PERF402  # what came before a failure must be kept
    except DivergedError as error:
        failure = f"{error} in epoch {len(history) + 1} of {epochs}"
    seconds = sum(epoch.seconds for epoch in history)
    accuracy, loss = (0.0, inf) if failure else (history[-1].accuracy, history[-1].validation_loss)
    assert accuracy is not None  # the last epoch is always measured
    assert loss is not None
    return TrainResult(
        accuracy=accuracy,
        loss=loss,
        seconds=perf_counter() - started,
        images_per_second=len(setup.train) * len(history) / seconds if history else 0.0,
        peak_memory=peak_memory(setup.device),
        history=tuple(history),
        failure=failure,
    )


def run_epochs(setup: Setup, epochs: int, generator: Generator, curve: bool) -> Iterator[Epoch]:
    """Train and measure, epoch by epoch."""
    optimizer = make_optimizer(setup.network, setup.recipe)
    steps = ceil(len(setup.train) / setup.recipe.batch_size)
    schedule = step_schedule(optimizer, setup.recipe, steps * epochs)
    plateau = epoch_schedule(optimizer) if setup.recipe.schedule == "plateau" else None
    for number in range(1, epochs + 1):
        started = perf_counter()
        loss = train_epoch(setup, optimizer, None if plateau else schedule, generator)
        seconds = perf_counter() - started
        epoch = Epoch(number, loss, optimizer.param_groups[0]["lr"], seconds)
        if curve or plateau or number == epochs:
            accuracy, validation_loss = measure(
                setup.network, setup.validation, setup.normalize, setup.autocast
            )
            epoch = replace(epoch, accuracy=accuracy, validation_loss=validation_loss)
            if plateau:
                plateau.step(validation_loss)
        yield epoch


def batches(count: int, size: int, generator: Generator) -> tuple[Tensor, ...]:
    """All of 0..count-1 in random order, in batches of at most `size` that differ by one at most.

    No image is left out, and no batch is a small rest that would upset batch norm.
    """
    return torch.randperm(count, generator=generator).tensor_split(ceil(count / size))


def train_epoch(
    setup: Setup, optimizer: Optimizer, schedule: LambdaLR | None, generator: Generator
) -> float:
    """One pass over the training images; the mean loss.

    Raises `DivergedError` as soon as the loss is seen to be no number, or far too high.
    """
    setup.network.train()
    rows_of_batches = batches(len(setup.train), setup.recipe.batch_size, generator)
    every = 1 if setup.device.type == "cpu" else CHECK_STEPS
    total = torch.zeros((), device=setup.device)
    for step, rows in enumerate(rows_of_batches, start=1):
        batch = setup.train[rows.to(setup.device)]
        images = random_views(batch.images, setup.augment, setup.normalize, generator)
        loss = optimize(setup, images, batch.labels, optimizer)
        if schedule:
            schedule.step()
        total += loss
        if step % every == 0 or step == len(rows_of_batches):
            check_loss(float(loss), setup.classes)
    return float(total) / len(rows_of_batches)


def optimize(setup: Setup, images: Tensor, labels: Tensor, optimizer: Optimizer) -> Tensor:
    """One step of the optimiser on one batch; the batch's mean loss."""
    optimizer.zero_grad(set_to_none=True)
    total = torch.zeros((), device=setup.device)
    for part, answers in zip(images.chunk(setup.parts), labels.chunk(setup.parts), strict=True):
        with setup.autocast:
            logits = setup.network(part)
        loss = F.cross_entropy(
            logits.float(), answers, label_smoothing=setup.recipe.label_smoothing, reduction="sum"
        ).div(len(labels))
        torch.autograd.backward(loss)
        total += loss.detach()
    if setup.recipe.clip_norm:
        clip_grad_norm_(setup.network.parameters(), setup.recipe.clip_norm)
    optimizer.step()
    return total


def check_loss(loss: float, classes: int) -> None:
    """Refuse a loss after which going on is wasted time."""
    limit = EXPLODED * log(max(classes, 2))
    if not loss <= limit:  # so that a loss that is no number is refused too
        raise DivergedError(f"diverged: the training loss was {loss:.3g}, above {limit:.3g},")
