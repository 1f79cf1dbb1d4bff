"""Scores without training: predictions from an untrained network, or from its size."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from math import isfinite
from pathlib import Path
from time import perf_counter, time
from traceback import format_exc

import torch
from torch import nn

from neptune_nas.architecture.records import Architecture, Network
from neptune_nas.data.images import ImageData
from neptune_nas.data.load import load_once
from neptune_nas.data.splitting import at_most
from neptune_nas.devices.memory import is_device_lost, is_out_of_memory
from neptune_nas.errors import OptionError, one_of
from neptune_nas.evaluators.proxies import Batch, grad_norm, jacov, naswot, synflow, zen
from neptune_nas.metrics.counted import CostModel
from neptune_nas.metrics.registry import SIZES
from neptune_nas.metrics.score import Score
from neptune_nas.nn.builder import build
from neptune_nas.tasks.augmentation import Normalizer
from neptune_nas.tasks.registry import task_of

FORMULAS: dict[str, Callable[[nn.Module, Batch], float]] = {
    "synflow": synflow,
    "naswot": naswot,
    "jacov": jacov,
    "grad-norm": grad_norm,
    "zen-score": zen,
}
PROXIES = (*FORMULAS, *(size.name for size in SIZES))


def check_proxy(name: str) -> None:
    """Refuse a name that is not a proxy's."""
    if name not in PROXIES:
        raise OptionError(f"proxy '{name}' is unknown: {one_of(PROXIES, name)}")


@dataclass(frozen=True, slots=True)
class ZeroCost:
    """An `Evaluator` that trains nothing: `Score.proxy` is the value of `proxy`, more is better.

    `batch_size`: number of training images that a proxy sees, the same for every architecture.
    `data`, `data_dir`, `split_seed`: as `load_data` takes them. The fidelity has no effect.
    """

    proxy: str
    data: str = "digits"
    data_dir: str | Path | None = field(default=None, compare=False)  # does not change a score
    device: str = "cpu"
    split_seed: int = 0
    batch_size: int = 64

    def __post_init__(self) -> None:
        check_proxy(self.proxy)

    def __call__(self, architecture: Architecture | Network, fidelity: int, seed: int) -> Score:
        """Build `architecture` and compute the proxy; an error of torch becomes the failure."""
        data = load_once(self.data, self.data_dir, self.split_seed)
        started, clock = time(), perf_counter()
        value, failure, trace = 0.0, None, None
        try:
            value = self.measure(architecture, data, seed)
        except (RuntimeError, MemoryError) as error:
            if is_device_lost(error):
                raise
            failure = "out of memory" if is_out_of_memory(error) else str(error).splitlines()[0]
            trace = format_exc()
        if failure is None and not isfinite(value):
            value, failure = 0.0, f"{self.proxy} has no finite value for this network"
        seconds = perf_counter() - clock
        return Score(
            fidelity,
            seed=seed,
            seconds=seconds,
            started=started,
            failure=failure,
            proxy=value,
            trace=trace,
        )

    def measure(self, architecture: Architecture | Network, data: ImageData, seed: int) -> float:
        """Return the value of the proxy."""
        outputs = task_of(data).outputs(data)
        if self.proxy not in FORMULAS:
            return _cost_model(data.input_shape, outputs).value(self.proxy, architecture)
        device = torch.device(self.device)
        network = build(architecture, data.input_shape, outputs, seed).to(device)
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            return FORMULAS[self.proxy](network, _first_batch(data, self.batch_size, device))


@lru_cache(maxsize=4)
def _cost_model(input_shape: tuple[int, int, int], outputs: int) -> CostModel:
    """Return the cost model for a shape of images, one per process, so that its cache is shared."""
    return CostModel(input_shape, outputs)


def _first_batch(data: ImageData, size: int, device: torch.device) -> Batch:
    """Return `size` training images, always the same ones, stratified over the classes."""
    rows = torch.from_numpy(at_most(data.train.targets, size, seed=0))
    split = data.train[rows].to(device)
    return Batch(Normalizer(data, device)(split.images), split.targets, task_of(data))
