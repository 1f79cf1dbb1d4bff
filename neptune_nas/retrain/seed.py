"""One seed of a training: the training in its folder, and the measurement on the test split."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from torch import nn

from neptune_nas.architecture.fields import record_classes
from neptune_nas.data.images import ImageData
from neptune_nas.data.labelled_images import LabelledImages
from neptune_nas.data.layout import TEST
from neptune_nas.data.load import split_files
from neptune_nas.deploy.int8_accuracy import measure_int8
from neptune_nas.deploy.int8_model import quantised_of
from neptune_nas.devices.memory import is_out_of_memory
from neptune_nas.devices.processor import hardware
from neptune_nas.errors import FileFormatError, NeptuneError, OptionError, StudyError
from neptune_nas.files.schema import decode
from neptune_nas.metrics.counted import cost_of
from neptune_nas.metrics.registry import IN_INT8
from neptune_nas.models.architecture_file import ExportedArchitecture, adapt_to
from neptune_nas.models.evaluation import evaluate
from neptune_nas.models.fit import check_fits
from neptune_nas.models.model import Model, load_model, save_model
from neptune_nas.models.start import Start
from neptune_nas.nn.references import ReferenceNetwork, reference_task
from neptune_nas.report.evaluation import write_evaluation
from neptune_nas.retrain.folder import SeedFolder
from neptune_nas.retrain.history import read_history, write_history
from neptune_nas.retrain.metrics import Metrics, SeedMetrics
from neptune_nas.retrain.terms import Terms, refuse_others
from neptune_nas.search.provenance import now, versions
from neptune_nas.tasks.registry import task_of
from neptune_nas.tasks.task import Task
from neptune_nas.training.loop import DivergedError
from neptune_nas.training.recipe import Recipe
from neptune_nas.training.resumable_loop import Course, Trained, choose, train_long
from neptune_nas.training.state import Epoch
from neptune_nas.training.teacher import Teaching

Trainable = ExportedArchitecture | ReferenceNetwork
_LONE_IMAGE = "Expected more than 1 value per channel"  # torch's, of a batch norm


@dataclass(frozen=True, slots=True)
class SeedJob:
    """The inputs that all seeds of a training share.

    `start`: the model that weights are inherited from. `teaching`: the teacher's outputs, which
    took `teacher_seconds` to compute.
    """

    network: Trainable
    data: ImageData
    recipe: Recipe
    terms: Terms
    device: str
    start: Start | None = None
    teaching: Teaching | None = None
    teacher_seconds: float = 0.0

    @property
    def task(self) -> Task:
        """The task of the data."""
        return task_of(self.data)

    def build(self, seed: int) -> nn.Module:
        """Return the network with the weights that the training of a seed begins with."""
        network = self.network.build(seed)
        if self.start is not None:
            self.start.begin(network, self.data.classes)
        return network


def network_for(source: ExportedArchitecture | str, data: ImageData) -> Trainable:
    """Return an architecture, or a hand-designed network by its name, for the images of a data set.

    Raises `OptionError` for one that is for another task.
    """
    task = task_of(data)
    shape, outputs = data.input_shape, task.outputs(data)
    if isinstance(source, ExportedArchitecture):
        check_fits(source.architecture, data)
        return adapt_to(source, shape, outputs)
    if (purpose := reference_task(source)) != task.name:
        raise OptionError(
            f"{source} is for {purpose}, but data '{data.name}' is for {task.name}: train a "
            f"network for {task.name}."
        )
    return ReferenceNetwork(source, shape, outputs)


def name_of(source: ExportedArchitecture | str) -> str:
    """Return a network's display name: study and trial number where known, else its key."""
    if isinstance(source, str):
        return source
    study, trial = (source.provenance.get(name) for name in ("study", "trial"))
    return source.key if study is None or trial is None else f"{study}-trial-{trial}"


def train_seed(job: SeedJob, seed: int, folder: SeedFolder, watch: Callable[[Epoch], None]) -> None:
    """Train the network from this seed, or resume, until its model is in the folder.

    `watch` is called after each epoch, once it is on disk. Raises `NeptuneError` if the training
    diverges, memory runs out, or a batch norm gets a single image.
    """

    def note(history: Sequence[Epoch]) -> None:
        write_history(folder.history, history, job.task.metrics)
        watch(history[-1])

    course = Course(job.terms.epochs, seed, folder.checkpoint, note)
    with _in_a_sentence(folder):
        network = job.build(seed)
        trained = train_long(
            network,
            job.data,
            job.recipe,
            course,
            job.device,
            numerics=job.terms.numerics,
            teaching=job.teaching,
        )
    save_model(folder.model, _model_of(job, seed, trained))
    write_history(folder.history, trained.history, job.task.metrics)
    folder.drop_checkpoint()


@contextmanager
def _in_a_sentence(folder: SeedFolder) -> Iterator[None]:
    """Convert the errors of a training inside to `NeptuneError` with a remedy."""
    try:
        yield
    except DivergedError as error:
        raise NeptuneError(f"{folder.path} {error}: lower the recipe's `lr`.") from error
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise NeptuneError(
            f"{folder.path} ran out of memory: lower the recipe's `batch_size`."
        ) from error
    except ValueError as error:
        if _LONE_IMAGE not in str(error):
            raise
        raise NeptuneError(
            f"{folder.path} met a batch of one image, from which a batch norm learns nothing: take "
            f"more training images, or a larger `batch_size` of the recipe."
        ) from error


def _model_of(job: SeedJob, seed: int, trained: Trained) -> Model:
    """Return the trained network as a model, with its labels and preprocessing."""
    choice, data = choose(trained.history, job.task.metrics), job.data
    return Model(
        of=job.network,
        task=job.task.name,
        labels=data.classes,
        mean=data.mean,
        std=data.std,
        state=trained.weights,
        metrics={
            **{f"validation_{name}": value for name, value in choice.values.items()},
            "epoch": choice.epoch,
            "weights": choice.weights,
        },
        provenance={**asdict(job.terms), "seed": seed, "versions": versions()},
    )


def files_of_test(name: str, data_dir: str | Path | None, images: ImageData) -> tuple[Path, ...]:
    """Return the files of the test split, unless it has none or its folder has changed."""
    with suppress(NeptuneError):
        *_, files = split_files(name, data_dir) or [[]]
        if len(files) == len(images.test):
            return tuple(files)
    return ()


def read_test(
    job: SeedJob, seed: int, folder: SeedFolder, files: tuple[Path, ...] = ()
) -> SeedMetrics:
    """Measure a seed's model on the test split, last, after everything else that can fail.

    The evaluation of each class is written beside the model. `files`: those of the images, if
    known. Raises `StudyError` for the model of another training.
    """
    task, model = job.task, own_model(job, seed, folder.model)
    history = read_history(folder.history, task.metrics)
    choice = choose(history, task.metrics)
    quantised = quantised_of(model)  # refused here, if it must be, before the test split is read
    evaluation = evaluate(model, job.data.test, job.device, job.terms.numerics)
    images = LabelledImages(job.terms.data, TEST, job.data.test, files)
    write_evaluation(
        folder.evaluation, folder.evaluation_numbers, str(folder.model), evaluation, images
    )
    validation, test = dict(choice.values), dict(evaluation.values)
    if quantised is not None:
        name = IN_INT8[task.metrics[0]].name
        validation[name] = float(model.metrics[f"validation_{name}"])
        test[name] = measure_int8(quantised, job.data.test, task)[task.metrics[0]]
    return SeedMetrics(
        seed=seed,
        epoch=choice.epoch,
        weights=choice.weights,
        validation=validation,
        test=test,
        seconds=sum(epoch.seconds for epoch in history),
        test_read=now(),
        device=job.device,
        hardware=hardware(),
        versions=versions(),
        threads=torch.get_num_threads(),
    )


def own_model(job: SeedJob, seed: int, file: Path) -> Model:
    """Return the model in a file, which must be of this training and seed."""
    network = job.network
    allow = (
        record_classes(network.architecture) if isinstance(network, ExportedArchitecture) else ()
    )
    model = load_model(file, allow)
    names = {field.name for field in fields(Terms)}
    written = {name: value for name, value in model.provenance.items() if name in names}
    try:
        terms = decode(Terms, written, "provenance")
    except FileFormatError as error:
        raise StudyError(
            f"{file} does not say how it was trained ({error}): remove it to train this seed."
        ) from error
    refuse_others(f"{file} was trained", terms, job.terms)
    if model.provenance.get("seed") != seed:
        raise StudyError(
            f"{file} must be of seed {seed}, but is of seed {model.provenance.get('seed')}: put "
            f"its own back, or remove it to train this seed."
        )
    return model


def with_seed(job: SeedJob, known: Metrics | None, seed: SeedMetrics) -> Metrics:
    """Return the results of a training with those of another seed added."""
    return Metrics(
        terms=job.terms,
        costs=known.costs if known else cost_of(job.network).values,
        teacher_seconds=known.teacher_seconds if known else job.teacher_seconds,
        seeds=tuple(sorted((*(known.seeds if known else ()), seed), key=lambda each: each.seed)),
    )
