"""Small spaces, made-up scores, and searches on them."""

from collections.abc import Mapping
from random import Random
from typing import Any

import optuna
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection
from optuna.trial import TrialState

from neptune_nas.architecture.records import Architecture, Attention, Conv, Identity, Stage, Stem
from neptune_nas.space import Space, choice, repeat, where

DIRECTIONS = (StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE, StudyDirection.MINIMIZE)

SMALL = Space(
    "small",
    Architecture(
        stages=(
            Stage(
                width=choice(8, 16, 32),
                norm=choice("batch", "layer"),
                substages=repeat(choice(Conv(kernel=choice(3, 5)), Identity()), 1, 2),
            ),
        )
    ),
)
NESTED = Space(
    "nested",
    Architecture(
        stem=Stem(width=choice(8, 16)),
        stages=repeat(
            where(
                Stage(
                    width=choice(8, 16, 24, 32),
                    norm=choice("batch", "layer", "mln"),
                    substages=repeat(
                        choice(Conv(kernel=choice(3, 5, 7)), Attention(heads=choice(2, 4))), 1, 3
                    ),
                ),
                lambda stage: stage.width != 24 or stage.norm != "mln",
            ),
            1,
            3,
        ),
    ),
)


def cost(architecture: Architecture) -> Mapping[str, float]:
    """Costs that grow with width, depth and kernels, as real ones do."""
    flops = params = float(architecture.stem.width)
    for i, stage in enumerate(architecture.stages):
        weights = sum(
            stage.width**2 * getattr(block, "kernel", 2) ** 2 for block in stage.substages
        )
        params += weights
        flops += weights * 64 / 4**i
    return {"flops": flops, "params": params}


def accuracy(architecture: Architecture, seed: int = 0) -> float:
    """Rises and levels off with cost, has a taste for layer norm and a little luck."""
    size = cost(architecture)["params"]
    taste = sum(stage.norm == "layer" for stage in architecture.stages) / len(architecture.stages)
    luck = Random(f"{seed}/{architecture}").gauss(0, 0.002)
    return float(0.95 - 1 / (1 + size**0.3) + 0.03 * taste + luck)


def make_study(sampler: BaseSampler, kinds: int = 2) -> optuna.Study:
    return optuna.create_study(directions=DIRECTIONS[:kinds], sampler=sampler)


def step(study: optuna.Study, space: Space[Any], *, fail: bool = False) -> Architecture:
    """Ask, evaluate, tell."""
    trial = study.ask()
    architecture: Architecture = space.suggest(trial)
    if fail:
        study.tell(trial, state=TrialState.FAIL)
    else:
        values = [accuracy(architecture), cost(architecture)["flops"]]
        study.tell(trial, values[: len(study.directions)])
    return architecture
