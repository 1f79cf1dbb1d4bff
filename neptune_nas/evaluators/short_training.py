"""The default evaluator: train the network for a few epochs, then measure it."""

from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, time
from traceback import format_exc

from torch import nn

from neptune_nas.architecture.records import Architecture, Network
from neptune_nas.data.images import ImageData
from neptune_nas.data.load import load_once
from neptune_nas.devices.memory import is_device_lost, is_out_of_memory
from neptune_nas.devices.numerics import Numerics
from neptune_nas.evaluators.evaluator import Traits
from neptune_nas.metrics.score import Score
from neptune_nas.nn.builder import build
from neptune_nas.nn.references import ReferenceNetwork
from neptune_nas.tasks.registry import task_of
from neptune_nas.training.loop import train
from neptune_nas.training.recipe import Recipe

TRAINING = Traits("training", unit="epoch", trains=True)


@dataclass(frozen=True, slots=True)
class ShortTraining:
    """An `Evaluator` that trains for `fidelity` epochs, with a schedule annealed to the end.

    `data`, `data_dir`, `split_seed`: as `load_data` takes them; the images are read once per
    process. `numerics`: the precision and memory layout to train in (default: the recipe's
    precision, channels last).
    """

    data: str = "digits"
    data_dir: str | Path | None = field(default=None, compare=False)  # does not change a score
    recipe: Recipe = field(default_factory=Recipe)
    device: str = "cpu"
    split_seed: int = 0
    numerics: Numerics | None = None

    @property
    def traits(self) -> Traits:
        """The traits of short training."""
        return TRAINING

    def __call__(
        self, architecture: Architecture | Network | ReferenceNetwork, fidelity: int, seed: int
    ) -> Score:
        """Build, train and measure `architecture`; an error of torch becomes the score's failure.

        The loss of the device is raised instead, so that the engine replaces the worker.
        """
        data = load_once(self.data, self.data_dir, self.split_seed)
        started, clock = time(), perf_counter()
        try:
            network = _network_of(architecture, data, seed)
            result = train(
                network,
                data,
                self.recipe,
                fidelity,
                seed=seed,
                device=self.device,
                numerics=self.numerics,
            )
        except (RuntimeError, MemoryError) as error:
            if is_device_lost(error):
                raise
            return _failure_score(error, fidelity, seed, started, perf_counter() - clock)
        return Score(
            fidelity=fidelity,
            values={} if result.failure else result.values,
            seed=seed,
            started=started,
            seconds=perf_counter() - clock,
            images_per_second=result.images_per_second,
            peak_memory=result.peak_memory,
            failure=result.failure,
        )


def _network_of(
    architecture: Architecture | Network | ReferenceNetwork, data: ImageData, seed: int
) -> nn.Module:
    """Build the network, freshly initialised; a reference network has its own input shape."""
    if isinstance(architecture, ReferenceNetwork):
        return architecture.build(seed)
    return build(architecture, data.input_shape, task_of(data).outputs(data), seed)


def _failure_score(
    error: RuntimeError | MemoryError, fidelity: int, seed: int, started: float, seconds: float
) -> Score:
    """Return the score of a network that torch could not run, with the reason and traceback.

    Must be called while the error is handled.
    """
    reason = next(iter(str(error).splitlines()), type(error).__name__)
    return Score(
        fidelity=fidelity,
        seed=seed,
        seconds=seconds,
        started=started,
        failure="out of memory" if is_out_of_memory(error) else reason,
        trace=format_exc(),
    )
