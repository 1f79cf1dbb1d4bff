"""The accuracy of a trained network in int8, as a runtime on a device computes it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from neptune_nas.data.images import ImageData, Split
from neptune_nas.data.splitting import at_most
from neptune_nas.deploy.execution import run_int8
from neptune_nas.deploy.quantisation import quantise
from neptune_nas.deploy.quantised_graph import QuantisedGraph
from neptune_nas.files.rules import Count, Size
from neptune_nas.files.schema import check
from neptune_nas.graphs.fusion import fuse
from neptune_nas.graphs.graph import Graph
from neptune_nas.graphs.lowering import lower
from neptune_nas.nn.classifier import Classifier
from neptune_nas.tasks.task import Task
from neptune_nas.text import counted
from neptune_nas.training.feed import gather_rows

_BATCH = 64  # images at a time: larger ones leave the processor's cache, and are slower


@dataclass(frozen=True, slots=True)
class Calibration:
    """The training images that ranges of maps are measured on: how many, drawn with which seed.

    They are stratified over the classes. Raises `OptionError` for fewer than one.
    """

    images: Size = 256
    seed: Count = 0

    def __post_init__(self) -> None:
        check(self)

    def __str__(self) -> str:
        return f"on {counted(self.images, 'training image')} of seed {self.seed}"


CALIBRATION = Calibration()


def fused_graph(network: nn.Module, data: ImageData) -> Graph:
    """Return the graph of a network of normalised images, for images in 0..1 of a data set.

    Raises `UnsupportedOperationError` for an operation without an int8 kernel, naming it.
    """
    classifier = Classifier(network.cpu().float(), data.mean, data.std)
    return fuse(lower(classifier, torch.zeros(1, *data.input_shape)))


def calibration_batches(data: ImageData, terms: Calibration = CALIBRATION) -> Iterator[Tensor]:
    """Yield the calibration images, in 0..1, in batches `(N, C, H, W)`."""
    rows = torch.from_numpy(at_most(data.train.targets, terms.images, terms.seed))
    for part in torch.split(rows, _BATCH):
        yield gather_rows(data.train, part).images.float() / 255


def quantised_network(
    network: nn.Module, data: ImageData, terms: Calibration = CALIBRATION
) -> QuantisedGraph:
    """Return a trained network in int8, which maps images as bytes minus 128 to its outputs.

    `network`: for normalised images; moved to the host, in eval mode. `data`: what it was trained
    on, of which only training images are read. Raises `UnsupportedOperationError` for an operation
    without an int8 kernel, naming it, and `UnquantisableError` for weights that are not finite.
    """
    return quantise(fused_graph(network, data), calibration_batches(data, terms))


def measure_int8(
    quantised: QuantisedGraph,
    split: Split,
    task: Task,
    *,
    rounds_once: bool = False,
    watch: Callable[[Tensor], object] = lambda _: None,
) -> dict[str, float]:
    """Return the value of each of the task's metrics over a split, computed in int8.

    `rounds_once`: see `run_int8`. `watch` is called with the outputs of each batch, in order, as
    float32.
    """
    meter = task.meter()
    for rows in torch.split(torch.arange(len(split)), _BATCH):
        batch = gather_rows(split, rows)
        outputs = run_int8(quantised, batch.images.float() / 255, rounds_once=rounds_once)
        meter.update(outputs, batch.targets)
        watch(outputs)
    return meter.result()
