"""What changes during a run, and can be written down and taken up again."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from math import ceil
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel

from neptune_nas.training.average import make_average
from neptune_nas.training.optimizer import make_optimizer
from neptune_nas.training.schedule import epoch_schedule, step_schedule
from neptune_nas.training.setup import Setup

Weights = dict[str, Tensor]
"""A network's state: parameters and buffers by name."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training images: mean training loss, the rate at its end, its seconds.

    `values`: the task's metrics on the validation split after this epoch, by name; empty where they
    were not measured. `ema_values`: the same of the averaged weights, where there are any.
    """

    number: int
    loss: float
    lr: float
    seconds: float
    values: Mapping[str, float] = field(default_factory=dict)
    ema_values: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class RunState:
    """All that changes during a run, but for its network's weights and torch's random state.

    A run has either a `schedule`, which sets the rate after each step, or a `plateau`, which does
    after each epoch. `generator` draws the order of the images and their views. `average`: of the
    weights, where it is kept. `history`: the epochs that are over.
    """

    optimizer: Optimizer
    schedule: LambdaLR | None
    plateau: ReduceLROnPlateau | None
    generator: Generator
    average: AveragedModel | None = None
    history: list[Epoch] = field(default_factory=list)


def make_state(setup: Setup, epochs: int, seed: int, *, averaged: bool = False) -> RunState:
    """The state at the start of a run of `epochs`."""
    optimizer = make_optimizer(setup.network, setup.recipe)
    steps = epochs * batch_count(len(setup.train), setup.recipe.batch_size)
    by_epoch = setup.recipe.schedule == "plateau"
    return RunState(
        optimizer=optimizer,
        schedule=None if by_epoch else step_schedule(optimizer, setup.recipe, steps),
        plateau=epoch_schedule(optimizer) if by_epoch else None,
        generator=Generator().manual_seed(seed),
        average=make_average(setup.network, steps) if averaged else None,
    )


def batch_count(images: int, size: int) -> int:
    """The batches of at most `size` that an epoch takes.

    One fewer where a batch would be a single image, which batch norm cannot train on.
    """
    return max(1, min(ceil(images / size), images // 2))


def copied(network: nn.Module) -> Weights:
    """A copy of a network's state, on the host, that later steps leave alone."""
    return {name: value.cpu().clone() for name, value in network.state_dict().items()}


def written(setup: Setup, state: RunState) -> dict[str, Any]:
    """A run as it stands between two epochs, in tensors and plain values alone."""
    return {
        **{name: part.state_dict() for name, part in stateful(setup, state)},
        "generator": state.generator.get_state(),
        "random": random_states(setup.device),
        "history": [asdict(epoch) for epoch in state.history],
    }


def take_up(setup: Setup, state: RunState, content: dict[str, Any]) -> None:
    """Put a run of the same setup where `written` found it."""
    for name, part in stateful(setup, state):
        part.load_state_dict(content[name])
    state.generator.set_state(content["generator"])
    torch.set_rng_state(content["random"]["cpu"])
    if setup.device.type == "cuda" and "cuda" in content["random"]:
        torch.cuda.set_rng_state(content["random"]["cuda"], setup.device)
    state.history[:] = [Epoch(**epoch) for epoch in content["history"]]


def stateful(setup: Setup, state: RunState) -> Iterator[tuple[str, Any]]:
    """The parts of a run that torch can write down, by name."""
    parts = {
        "network": setup.network,
        "optimizer": state.optimizer,
        "schedule": state.schedule,
        "plateau": state.plateau,
        "average": state.average,
    }
    return ((name, part) for name, part in parts.items() if part is not None)


def random_states(device: torch.device) -> dict[str, Tensor]:
    """Torch's own random state on the host, and on `device` if that is another."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states
