"""The check of an exported file: opened on its runtime, compared and measured."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf

import torch
from torch import Tensor

from neptune_nas.data.images import ImageData, Split
from neptune_nas.deploy.exported_file import ExportedFile
from neptune_nas.deploy.formats import FileKind
from neptune_nas.deploy.quantised_graph import QuantisedGraph
from neptune_nas.deploy.runtimes import open_file, predict, recorded_arena
from neptune_nas.errors import NeptuneError
from neptune_nas.metrics.counted import DEVICE
from neptune_nas.metrics.registry import FLASH, IN_INT8, RAM
from neptune_nas.models.architecture_file import ExportedArchitecture
from neptune_nas.models.model import Model
from neptune_nas.nn.builder import seeded
from neptune_nas.tasks.registry import find_task
from neptune_nas.training.feed import gather_rows

_BATCH = 64  # images at a time
_RANDOM = 16  # images where there are no others


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """The content of a file, and what computes the logits that it must give.

    `absolute`, `relative`: how far a logit may be from that. Where any is right, since the file's
    own quantiser chose its integers, `reference` is the network in float32.
    """

    content: bytes
    reference: Callable[[Tensor], Tensor]
    absolute: float = inf
    relative: float = 0.0
    quantised: QuantisedGraph | None = None


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A file and its reference on the same images: the largest difference, and their scores."""

    difference: float
    file: float | None = None
    reference: float | None = None


def check_file(
    model: Model, kind: FileKind, name: str, candidate: Candidate, data: ImageData | None
) -> ExportedFile:
    """Return what a file measures, beside what was promised.

    A trained model is compared and scored on the validation split of `data`, if given, else on
    random images. Raises `NeptuneError` for a file that cannot be opened, or that computes
    something else than its reference.
    """
    scored = data.validation if data is not None and model.is_trained else None
    compared = _compare(model, kind.runtime, candidate, scored)
    return ExportedFile(
        file=name,
        key=model.key,
        form=kind.form,
        precision=kind.precision,
        runtime=kind.runtime,
        trained=model.is_trained,
        size=len(candidate.content),
        images=len(scored) if scored else 0,
        difference=compared.difference,
        measured=_measured(model, kind, candidate, compared),
        promised=_promised(model, kind, candidate, compared),
    )


def random_images(model: Model) -> Tensor:
    """Return images `(N, C, H, W)` of random bytes, in 0..1."""
    with seeded(0):
        return torch.randint(0, 256, (_RANDOM, *model.input_shape)) / 255


def _compare(model: Model, runtime: str, candidate: Candidate, split: Split | None) -> _Comparison:
    """Compare a file with its reference; without a split, on random images."""
    runner = open_file(candidate.content, runtime)
    task = find_task(model.task)
    meters, largest = (task.meter(), task.meter()), 0.0
    for images, targets in _batches(model, split):
        with torch.inference_mode():
            wanted = candidate.reference(images)
        logits = predict(runner, images, runtime)
        largest = max(largest, (logits - wanted).abs().max().item())
        if not torch.allclose(logits, wanted, candidate.relative, candidate.absolute):
            raise NeptuneError(
                f"the file of network {model.key} gives other logits than the network, by "
                f"{largest:.2g}, so it was not written: use the format onnx."
            )
        if targets is not None:
            for meter, outputs in zip(meters, (logits, wanted), strict=True):
                meter.update(outputs, targets)
    if split is None:
        return _Comparison(largest)
    return _Comparison(largest, *(meter.result()[task.metrics[0]] for meter in meters))


def _batches(model: Model, split: Split | None) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Yield the images of a split, in 0..1, with their targets; random ones without a split."""
    if split is None:
        yield random_images(model), None
        return
    for rows in torch.split(torch.arange(len(split)), _BATCH):
        batch = gather_rows(split, rows)
        yield batch.images.float() / 255, batch.targets


def _measured(
    model: Model, kind: FileKind, candidate: Candidate, compared: _Comparison
) -> dict[str, float]:
    """Return the values of a file by metric."""
    found: dict[str, float] = {}
    if compared.file is not None:
        found[_main(model, kind)] = compared.file
    if kind.is_lean:
        found[RAM.name] = float(recorded_arena(candidate.content))
        found[FLASH.name] = float(len(candidate.content))
    return found


def _promised(
    model: Model, kind: FileKind, candidate: Candidate, compared: _Comparison
) -> dict[str, float]:
    """Return by metric what was known without the file.

    A score is that of the training, unless its int8 part is not what the file holds, else that of
    the simulation, else that of the search; where there is no simulation, that of the network in
    float32 stands beside it. Memory is what the search has counted, else what is counted now.
    """
    of, name = model.of, _main(model, kind)
    holds_another = kind.quantises_anew and model.int8
    searched = of if isinstance(of, ExportedArchitecture) else None
    score = searched.score if searched else None
    scores = (
        None if holds_another else model.metrics.get(f"validation_{name}"),
        compared.reference if candidate.absolute < inf else None,
        score.values.get(name) if score else None,
    )
    known = [float(value) for value in scores if isinstance(value, float | int)]
    found = {name: known[0]} if known else {}
    if candidate.absolute == inf and compared.reference is not None:
        found[find_task(model.task).metrics[0]] = compared.reference
    if candidate.quantised is not None and kind.is_lean:
        costs = searched.costs if searched else {}
        counted = {metric: count(candidate.quantised.graph) for metric, count in DEVICE.items()}
        found |= {metric: costs.get(metric, value) for metric, value in counted.items()}
    return found


def _main(model: Model, kind: FileKind) -> str:
    """Return the metric that the score of a file is a value of."""
    main = find_task(model.task).metrics[0]
    return IN_INT8[main].name if kind.precision == "int8" else main
