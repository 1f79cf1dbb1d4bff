"""One seed of a training: trained into its folder, and measured on the test split at the end."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch

from neptune_nas.data.images import ImageData
from neptune_nas.errors import NeptuneError
from neptune_nas.exported import Exported
from neptune_nas.metrics import SeedMetrics, Terms
from neptune_nas.model import Model, load_model, save_model
from neptune_nas.record import record_classes
from neptune_nas.references import ReferenceNetwork
from neptune_nas.study.session import now, versions
from neptune_nas.train_folder import SeedFolder, read_history, write_history
from neptune_nas.training.augment import Normalizer
from neptune_nas.training.choice import choose
from neptune_nas.training.long import Course, Trained, train_long
from neptune_nas.training.loop import DivergedError
from neptune_nas.training.measure import measure
from neptune_nas.training.memory import is_out_of_memory
from neptune_nas.training.precision import autocast_for
from neptune_nas.training.recipe import Recipe
from neptune_nas.training.state import Epoch

Network = Exported | ReferenceNetwork


@dataclass(frozen=True, slots=True)
class Job:
    """What all seeds of a training share."""

    network: Network
    data: ImageData
    recipe: Recipe
    terms: Terms
    device: str


def train_seed(job: Job, seed: int, folder: SeedFolder, watch: Callable[[Epoch], None]) -> None:
    """Train the network from this seed, or go on, until its model lies in the folder.

    `watch` is called after each epoch, once it is on disk. Raises `NeptuneError` where the training
    diverges or memory runs out.
    """
    history = list(read_history(folder.history)) if folder.checkpoint.exists() else []

    def note(epoch: Epoch) -> None:
        history[epoch.number - 1 :] = [epoch]
        write_history(folder.history, history)
        watch(epoch)

    course = Course(job.terms.epochs, seed, folder.checkpoint, note)
    try:
        trained = train_long(job.network.build(seed), job.data, job.recipe, course, job.device)
    except DivergedError as error:
        raise NeptuneError(f"{folder.path} {error}: lower the recipe's `lr`.") from error
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise NeptuneError(
            f"{folder.path} ran out of memory: lower the recipe's `batch_size`."
        ) from error
    save_model(folder.model, model_of(job, seed, trained))
    write_history(folder.history, trained.history)
    folder.drop_checkpoint()


def model_of(job: Job, seed: int, trained: Trained) -> Model:
    """The trained network with its labels and preprocessing."""
    choice, data = choose(trained.history), job.data
    return Model(
        of=job.network,
        labels=data.classes,
        mean=data.mean,
        std=data.std,
        state=trained.weights,
        metrics={
            "validation_accuracy": choice.accuracy,
            "validation_loss": choice.loss,
            "epoch": choice.epoch,
            "weights": choice.weights,
        },
        provenance={**asdict(job.terms), "seed": seed, "versions": versions()},
    )


def read_test(job: Job, seed: int, folder: SeedFolder) -> SeedMetrics:
    """Measure a trained seed's model on the test split."""
    network = job.network
    allow = record_classes(network.architecture) if isinstance(network, Exported) else ()
    where, data = torch.device(job.device), job.data
    accuracy, loss = measure(
        load_model(folder.model, allow).network().to(where),
        data.test.to(where),
        Normalizer(data, where),
        autocast_for(job.recipe.precision, where),
    )
    history = read_history(folder.history)
    choice = choose(history)
    return SeedMetrics(
        seed=seed,
        epoch=choice.epoch,
        weights=choice.weights,
        validation_accuracy=choice.accuracy,
        validation_loss=choice.loss,
        test_accuracy=accuracy,
        test_loss=loss,
        seconds=sum(epoch.seconds for epoch in history),
        test_read=now(),
    )
