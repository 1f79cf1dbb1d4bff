"""The default evaluator: train the network for a few epochs, then measure it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter, time
from traceback import format_exc

from torch import nn

from neptune_nas.architecture.records import Architecture, Network
from neptune_nas.data.images import ImageData
from neptune_nas.data.load import load_once
from neptune_nas.deploy.int8_accuracy import (
    CALIBRATION,
    Calibration,
    fused_graph,
    measure_int8,
    quantised_network,
)
from neptune_nas.deploy.quantisation import UnquantisableError
from neptune_nas.devices.memory import is_device_lost, is_out_of_memory
from neptune_nas.devices.numerics import Numerics
from neptune_nas.errors import OptionError
from neptune_nas.evaluators.evaluator import Traits
from neptune_nas.graphs.lowering import UnsupportedOperationError
from neptune_nas.metrics.registry import CLASSIFICATION, IN_INT8, INT8, Metric, metric
from neptune_nas.metrics.score import Score
from neptune_nas.models.start import NothingFitsError, Start
from neptune_nas.models.teacher_outputs import (
    KeptOutputs,
    TeacherSource,
    keep_outputs,
    open_teaching,
)
from neptune_nas.nn.builder import build
from neptune_nas.nn.references import ReferenceNetwork
from neptune_nas.tasks.registry import TASKS, task_of
from neptune_nas.tasks.task import Task
from neptune_nas.training.loop import train
from neptune_nas.training.recipe import Recipe
from neptune_nas.training.state import augment_for
from neptune_nas.training.teacher import Teaching

TRAINING = Traits("training", unit="epoch", trains=True)


def training_traits(objectives: Sequence[str], task: Task = TASKS["classification"]) -> Traits:
    """Return the traits of short training for a task and a search with these objectives.

    It measures the task's main metric in int8 only where that is one of them. The main one is then
    the one of both that comes first among them.
    """
    traits = replace(TRAINING, metrics=tuple(map(metric, task.metrics)))
    main, *others = traits.metrics
    in_int8 = IN_INT8.get(main.name)
    if in_int8 is None or in_int8.name not in objectives:
        return traits
    names = (*objectives, main.name)
    first = sorted((in_int8, main), key=lambda each: names.index(each.name))
    return replace(traits, metrics=(*first, *others))


@dataclass(frozen=True, slots=True)
class ShortTraining:
    """An `Evaluator` that trains for `fidelity` epochs, with a schedule annealed to the end.

    `data`, `data_dir`, `split_seed`: as `load_data` takes them; the images are read once per
    process. `numerics`: the precision and memory layout to train in (default: the recipe's
    precision, channels last). `metrics`: what to measure, the main one first; with int8 accuracy
    among them, a network with an operation that has no int8 kernel fails before it is trained.
    `calibration`: the training images that int8 is calibrated on. `teacher`: what networks learn
    from as well as from the labels; `prepare` computes its outputs, and must be called first.
    `taught`: those outputs. `start`: a trained model whose weights networks start from, where they
    fit; a network that no weight fits fails.
    """

    data: str = "digits"
    data_dir: str | Path | None = field(default=None, compare=False)  # does not change a score
    recipe: Recipe = field(default_factory=Recipe)
    device: str = "cpu"
    split_seed: int = 0
    numerics: Numerics | None = None
    metrics: tuple[Metric, ...] = CLASSIFICATION
    calibration: Calibration = CALIBRATION
    teacher: TeacherSource | None = None
    taught: KeptOutputs | None = None
    start: Start | None = None

    @property
    def traits(self) -> Traits:
        """The traits of short training."""
        return replace(TRAINING, metrics=self.metrics)

    def prepare(self, folder: Path) -> "ShortTraining":
        """Return the evaluator for workers, with its teacher's outputs and its start in `folder`.

        The outputs are computed unless they are there; the model of the start is copied.
        """
        start = None if self.start is None else self.start.copied(folder)
        data = load_once(self.data, self.data_dir, self.split_seed)
        augment = augment_for(self.recipe, data)  # refuses a recipe for other images
        if self.teacher is None:
            return replace(self, start=start)
        kept = keep_outputs(self.teacher, data, augment, folder, self.device)
        return replace(self, start=start, teacher=None, taught=kept.kept_in(folder))

    def _teaching(self) -> Teaching | None:
        if self.teacher is not None:
            raise OptionError(
                "short training with a `teacher` needs that teacher's outputs: call "
                "`prepare(folder)`, and use the evaluator that it returns."
            )
        return None if self.taught is None else open_teaching(self.taught)

    def __call__(
        self, architecture: Architecture | Network | ReferenceNetwork, fidelity: int, seed: int
    ) -> Score:
        """Build, train and measure `architecture`; an error of torch becomes the score's failure.

        The loss of the device is raised instead, so that the engine replaces the worker.
        """
        data = load_once(self.data, self.data_dir, self.split_seed)
        teaching = self._teaching()
        started, clock, inherited = time(), perf_counter(), None
        try:
            network = _network_of(architecture, data, seed)
            if self.start is not None:
                inherited = self.start.begin(network, data.classes)
            if self._measures_int8:
                fused_graph(network, data)  # refuses it, before it is trained in vain
            result = train(
                network,
                data,
                self.recipe,
                fidelity,
                seed=seed,
                device=self.device,
                numerics=self.numerics,
                teaching=teaching,
            )
            values = {} if result.failure else self._values(result.values, network, data)
        except (RuntimeError, MemoryError) as error:
            if is_device_lost(error):
                raise
            return _failure_score(error, fidelity, seed, started, perf_counter() - clock)
        except (UnsupportedOperationError, UnquantisableError, NothingFitsError) as error:
            seconds = perf_counter() - clock
            return Score(fidelity, seed=seed, started=started, seconds=seconds, failure=str(error))
        return Score(
            fidelity=fidelity,
            values=values,
            seed=seed,
            started=started,
            seconds=perf_counter() - clock,
            images_per_second=result.images_per_second,
            peak_memory=result.peak_memory,
            failure=result.failure,
            inherited=inherited,
        )

    @property
    def _measures_int8(self) -> bool:
        return any(each in INT8 for each in self.metrics)

    def _values(
        self, values: Mapping[str, float], network: nn.Module, data: ImageData
    ) -> Mapping[str, float]:
        """Return the values of a trained network, the main one first, and that in int8."""
        if not self._measures_int8:
            return values
        task = task_of(data)
        quantised = quantised_network(network, data, self.calibration)
        main = task.metrics[0]
        found = measure_int8(quantised, data.validation, task)[main]
        values = {**values, IN_INT8[main].name: found}
        return {each.name: values[each.name] for each in self.metrics}


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
