"""What each part of a recipe buys: one change at a time, the same images, networks and seeds.

Run it with `python -m benchmarks.recipes --data DATA --networks A.json resnet8 -o RESULTS`. Each
line of RESULTS (JSON lines) is one training, the last weights and their average measured on the
validation split. Those that are there are not repeated, so the command goes on where it stopped.
Variants take turns, seed by seed. One thread; seconds are the processor's.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from math import nan
from pathlib import Path
from statistics import fmean, stdev
from time import thread_time
from typing import cast

import torch
from torch import Tensor, nn

from neptune_nas.data.images import ImageData
from neptune_nas.data.load import load_data
from neptune_nas.devices.device import FORMATS
from neptune_nas.devices.processor import torch_threads
from neptune_nas.models.architecture_file import ExportedArchitecture, adapt_to, load
from neptune_nas.nn.convolutions import mend
from neptune_nas.nn.references import ReferenceNetwork, is_reference
from neptune_nas.training.loop import DivergedError, random_state, run_epochs
from neptune_nas.training.probe import numerics_for
from neptune_nas.training.recipe import RECIPES, Recipe, default_recipe
from neptune_nas.training.state import RunState, Setup, make_setup, make_state

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Variant:
    """One change of the base recipe; `prepare` changes the network or state before it trains."""

    changes: dict[str, object] = field(default_factory=dict)
    epochs: float = 1.0
    prepare: Callable[[Setup, RunState], None] = lambda _setup, _state: None


def zero_head(setup: Setup, _state: RunState) -> None:
    """Set the last linear layer to zero."""
    last = [each for each in setup.network.modules() if isinstance(each, nn.Linear)][-1]
    with torch.no_grad():
        last.weight.zero_()


def spare_depthwise(setup: Setup, state: RunState) -> None:
    """Take the weights of depthwise convolutions out of weight decay."""
    depthwise = {
        id(each.weight)
        for each in setup.network.modules()
        if isinstance(each, nn.Conv2d) and each.groups > 1
    }
    optimizer = state.optimizer
    for group in [*optimizer.param_groups]:
        spared = [each for each in group["params"] if id(each) in depthwise]
        group["params"] = [each for each in group["params"] if id(each) not in depthwise]
        if spared:
            optimizer.add_param_group({**group, "params": spared, "weight_decay": 0.0})
    optimizer.param_groups[:] = [group for group in optimizer.param_groups if group["params"]]


def random_flips(_setup: Setup, state: RunState) -> None:
    """Mirror each image at random in each epoch, in place of every other epoch."""
    state.mirrored = cast("Tensor", RandomFlips(len(state.mirrored)))


class RandomFlips:
    """Stands in for the tensor of mirrored images, and is drawn anew for every epoch."""

    def __init__(self, count: int) -> None:
        self.count, self.generator = count, torch.Generator().manual_seed(7)

    def __and__(self, wanted: bool) -> Tensor:
        return torch.randint(2, (self.count,), generator=self.generator).bool() & wanted

    def __invert__(self) -> "RandomFlips":
        return self


VARIANTS = {
    "base": Variant(),
    "random flips": Variant(prepare=random_flips),
    "batch 32": Variant({"batch_size": 32}),
    "batch 64": Variant({"batch_size": 64}),
    "muon": Variant({"optimizer": "muon", "lr": 0.005}),
    "muon, rate x2": Variant({"optimizer": "muon", "lr": 0.01}),
    "muon, rate x4": Variant({"optimizer": "muon", "lr": 0.02}),
    "muon, rate x8": Variant({"optimizer": "muon", "lr": 0.04}),
    "muon, rate x16": Variant({"optimizer": "muon", "lr": 0.08}),
    "adamw": Variant({"optimizer": "adamw", "lr": 0.005}),
    "adamw, rate x2": Variant({"optimizer": "adamw", "lr": 0.01}),
    "sgd": Variant({"optimizer": "sgd", "lr": 0.2, "weight_decay": 5e-4}),
    "no smoothing": Variant({"label_smoothing": 0.0}),
    "weight decay / 5": Variant({"weight_decay": 0.01}),
    "weight decay x 3": Variant({"weight_decay": 0.15}),
    "depthwise spared": Variant(prepare=spare_depthwise),
    "zero head": Variant(prepare=zero_head),
    "trivial": Variant({"policy": "trivial"}),
    "rand": Variant({"policy": "rand"}),
    "cutout 8": Variant({"cutout": 8}),
    "mixup 0.2": Variant({"mixup": 0.2}),
    "cutmix 1": Variant({"cutmix": 1.0}),
    "epochs x 2": Variant(epochs=2),
}


@dataclass(frozen=True)
class Result:
    """One training: its seconds, and the main metric of the last weights and of their average."""

    network: str
    variant: str
    seed: int
    epochs: int
    accuracy: float
    averaged: float
    seconds: float


def network_named(name: str, data: ImageData) -> ReferenceNetwork | ExportedArchitecture:
    """Return the network of a name: a hand-designed one, or that of an exported architecture."""
    shape, classes = data.input_shape, len(data.classes)
    return (
        ReferenceNetwork(name, shape, classes)
        if is_reference(name)
        else adapt_to(load(name), shape, classes)
    )


def measure(
    name: str, title: str, seed: int, data: ImageData, recipe: Recipe, epochs: int
) -> Result:
    """Train a network by a variant of a recipe, and return what came out."""
    variant = VARIANTS[title]
    recipe = replace(recipe, **variant.changes)  # type: ignore[arg-type]  # by their names
    epochs = round(epochs * variant.epochs)
    numerics = numerics_for(recipe.precision, "cpu")
    network = mend(network_named(name, data).build(seed))
    network.to(memory_format=FORMATS[numerics.layout])
    setup = make_setup(network, data, recipe, CPU, numerics=numerics)
    started, accuracies = thread_time(), (0.0, 0.0)
    with random_state(CPU, seed):
        state = make_state(setup, epochs, seed, averaged=True)
        variant.prepare(setup, state)
        with suppress(DivergedError):
            *_, last = run_epochs(setup, state, epochs, curve=False)
            main = setup.task.metrics[0]
            accuracies = last.values[main], last.ema_values[main]
    return Result(name, title, seed, epochs, *accuracies, thread_time() - started)


def table(results: list[Result]) -> Iterator[str]:
    """Yield a row per network and variant: averaged accuracy less that of the base, and time."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for each in results:
        groups.setdefault((each.network, each.variant), []).append(each)
    for (network, title), found in groups.items():
        base = {each.seed: each for each in groups.get((network, "base"), [])}
        pairs = [(each, base[each.seed]) for each in found if each.seed in base]
        gains = [100 * (each.averaged - other.averaged) for each, other in pairs]
        spread = stdev(gains) if len(gains) > 1 else nan
        times = [each.seconds / other.seconds for each, other in pairs]
        yield (
            f"{Path(network).stem:12} {title:18} {len(found)} seeds "
            f"last {fmean(each.accuracy for each in found):.4f} "
            f"averaged {fmean(each.averaged for each in found):.4f} "
            + (f"gain {fmean(gains):+.2f} ({spread:.2f}) time x{fmean(times):.2f}" if pairs else "")
        )


def main() -> None:
    """Train whatever is missing from the results, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--networks", nargs="+", default=["resnet8"])
    parser.add_argument("--recipe", default="strong", choices=[*RECIPES], help="the base")
    parser.add_argument("--variants", nargs="+", default=[*VARIANTS], choices=[*VARIANTS])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("-o", "--out", type=Path, required=True, help="results, JSON lines")
    asked = parser.parse_args()
    lines = asked.out.read_text().splitlines() if asked.out.exists() else []
    results = [Result(**json.loads(line)) for line in lines]
    known = {(each.network, each.variant, each.seed) for each in results}
    data = load_data(asked.data)
    is_dense = data.train.targets.ndim > 1
    base = RECIPES[asked.recipe](default_recipe(len(data.train), is_dense=is_dense))
    for seed in range(asked.seeds):
        for name in asked.networks:
            for title in asked.variants:
                if (name, title, seed) not in known:
                    with torch_threads(1):
                        results.append(measure(name, title, seed, data, base, asked.epochs))
                    with asked.out.open("a") as file:
                        file.write(json.dumps(asdict(results[-1])) + "\n")
                    print(results[-1], flush=True)
    print("\n".join(table(results)))


if __name__ == "__main__":
    main()
