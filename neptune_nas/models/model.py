"""A trained network and what its use needs: weights, labels, preprocessing, provenance."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from neptune_nas.architecture.records import Head
from neptune_nas.errors import (
    ArchitectureError,
    DataError,
    FileFormatError,
    first_line,
)
from neptune_nas.files.kinds import refuse_architecture
from neptune_nas.files.rules import FINITE, Number, Sides, Size, above
from neptune_nas.files.schema import check, decode, fault, located
from neptune_nas.models.architecture_file import ExportedArchitecture, document, from_document
from neptune_nas.models.model_file import (
    ModelFile,
    check_finite,
    copy_weights,
    map_model_file,
    with_weights,
    write_model_file,
)
from neptune_nas.nn.builder import Shape, head_task
from neptune_nas.nn.classifier import Classifier
from neptune_nas.nn.model_zoo import without_weights
from neptune_nas.nn.references import ReferenceNetwork, reference_task
from neptune_nas.nn.weights import check_weights
from neptune_nas.tasks.registry import find_task
from neptune_nas.tasks.task import Finding
from neptune_nas.text import counted

_UNTRAINED = "untrained"  # how the provenance of fresh weights begins
BATCH = 512  # images per forward pass of `predict`, to bound its memory
_PIXELS = 2**20  # of these images


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network.

    `of`: what it was built from. `labels`: one per class. `mean`, `std`: one per channel, of images
    scaled to 0..1, as in `ImageData`. `state`: the network's state dict. `metrics` (such as
    `{"validation_accuracy": 0.97}`) and `provenance` (how it was trained) are JSON. `task`: its
    task's name, see `neptune_nas.tasks.registry`. `int8`: the network in int8, as tensors that
    `neptune_nas.deploy.int8_model` reads; empty where the model has none.
    """

    of: ExportedArchitecture | ReferenceNetwork
    labels: tuple[str, ...]
    mean: tuple[Number, ...]
    std: tuple[Annotated[float, above(0), FINITE], ...]
    state: Mapping[str, Tensor]
    metrics: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    task: str = "classification"
    int8: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(self, ArchitectureError, "Model")
        find_task(self.task)
        channels = self.input_shape[0]
        for name, values, count, what, each in (
            ("labels", self.labels, self.of.classes, "string", "class"),
            ("mean", self.mean, channels, "number", "channel"),
            ("std", self.std, channels, "number", "channel"),
        ):
            if len(values) != count:
                words = f"{counted(count, what)}, one per {each}"
                raise ArchitectureError(fault(f"Model.{name}", words, values))

    @property
    def key(self) -> str:
        """The key of the network, equal for equal ones; for a hand-designed network, its name."""
        return self.of.key if isinstance(self.of, ExportedArchitecture) else self.of.name

    @property
    def is_trained(self) -> bool:
        """False for the fresh weights of `make_untrained`."""
        return not str(self.provenance.get("weights", "")).startswith(_UNTRAINED)

    @property
    def input_shape(self) -> Shape:
        """The channels, height and width of the images that it was trained on."""
        return self.of.input_shape

    def network(self) -> nn.Module:
        """Return the trained network in eval mode: normalised images `(N, C, H, W)` to logits.

        Raises `FileFormatError` for weights that do not fit it.
        """
        return with_weights(_unread(self.of).build(seed=0), self, self.key)

    def classifier(self) -> Classifier:
        """Return the network with normalisation inside: images `(N, C, H, W)` in 0..1 to logits."""
        return Classifier(self.network(), self.mean, self.std).eval()

    @cached_property
    def _classifier(self) -> Classifier:
        return self.classifier()

    def predict(self, images: Tensor) -> Tensor:
        """Return the task's predictions for uint8 images `(N, C, H, W)`.

        For classification: probabilities `(N, classes)`, in the order of the labels. For
        segmentation: those of each pixel, `(N, classes, H, W)`. For detection: boxes `(N, 100, 6)`.
        """
        channels = self.input_shape[0]
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != channels:
            raise DataError(
                f"`predict` needs uint8 images (N, {channels}, H, W), but got {images.dtype} "
                f"{tuple(images.shape)}."
            )
        height, width = images.shape[2:]
        most = max(1, min(BATCH, _PIXELS // max(1, height * width)))
        task, parts = find_task(self.task), torch.split(images, most)
        with torch.inference_mode():
            return torch.cat([task.predict(self._classifier(p.float() / 255)) for p in parts])

    def findings(self, images: Tensor, top: int) -> Iterator[tuple[Finding, ...]]:
        """Return at most `top` labels per image, the surest first; `images` are as in `predict`."""
        return find_task(self.task).findings(self.predict(images), self.labels, top)


def make_untrained(of: ExportedArchitecture | ReferenceNetwork, seed: int = 0) -> Model:
    """Return a model with fresh weights, classes named by number, and no normalisation."""
    channels = of.input_shape[0]
    return Model(
        of=of,
        labels=tuple(map(str, range(of.classes))),
        mean=(0.0,) * channels,
        std=(1.0,) * channels,
        state=_unread(of).build(seed).state_dict(),
        task=_purpose(of) or Head.task,
        provenance={"weights": f"{_UNTRAINED}, seed {seed}"},
    )


def _purpose(of: ExportedArchitecture | ReferenceNetwork) -> str | None:
    """Return the name of the task that a network is for; None for a user's own record."""
    if isinstance(of, ReferenceNetwork):
        return reference_task(of.name)
    return head_task(of.architecture)


def _unread(of: ExportedArchitecture | ReferenceNetwork) -> ExportedArchitecture | ReferenceNetwork:
    """Return what a model was built from, without pretrained weights: the model has its own."""
    if isinstance(of, ReferenceNetwork):
        return of
    return replace(of, architecture=without_weights(of.architecture))


def save_model(path: str | Path, model: Model) -> None:
    """Check the weights, then write the model atomically as safetensors with a JSON header."""
    check_fit(model)
    of = model.of
    header = {
        "key": model.key,
        "network": document(of) if isinstance(of, ExportedArchitecture) else reference_document(of),
        "task": model.task,
        "labels": list(model.labels),
        "mean": list(model.mean),
        "std": list(model.std),
        "metrics": dict(model.metrics),
        "provenance": dict(model.provenance),
    }
    write_model_file(Path(path), ModelFile(header, model.state, model.int8))


def load_model(path: str | Path, allow: Iterable[type] = ()) -> Model:
    """Return the model in a file that `save_model` wrote; nothing in it is executed.

    `allow`: the user's record classes that its architecture may name. Raises `FileFormatError`
    for a file that is missing, malformed, of another kind or version, whose architecture is
    refused, or whose weights do not fit it.
    """
    refuse_architecture(Path(path))
    file = map_model_file(Path(path))
    with located(path):
        model = model_in(file, allow)
        if model.key != file.key:
            raise FileFormatError(fault("key", model.key, file.key))
        check_fit(model)
        state = copy_weights(file.state)
        check_finite(state)
    return replace(model, state=state, int8=copy_weights(file.int8))


def check_fit(model: Model) -> None:
    """Refuse weights that do not fit the model's network, and a network for another task.

    The network is built on the meta device, since an edited file may ask for any amount of memory.
    """
    purpose = _purpose(model.of)
    if purpose not in (None, model.task):
        raise FileFormatError(f"its task is {model.task}, but its network is for {purpose}.")
    try:
        with torch.device("meta"):
            network = _unread(model.of).build(seed=0)
    except (ArithmeticError, RuntimeError, TypeError, ValueError) as error:  # torch: bad sizes
        raise FileFormatError(f"the network cannot be built ({first_line(error)}).") from error
    check_weights(network, model.state)


def model_in(file: ModelFile, allow: Iterable[type]) -> Model:
    """Return the model in a file."""
    header = file.header
    network = header["network"]
    return Model(
        of=reference_in(network) if "reference" in network else from_document(network, allow),
        task=header["task"],
        labels=tuple(header["labels"]),
        mean=tuple(header["mean"]),
        std=tuple(header["std"]),
        state=file.state,
        metrics=header["metrics"],
        provenance=header["provenance"],
        int8=file.int8,
    )


@dataclass(frozen=True, slots=True)
class _Reference:
    """The fields of a hand-designed network in a header."""

    reference: str
    input_shape: Sides
    classes: Size


def reference_document(network: ReferenceNetwork) -> dict[str, Any]:
    """Return the JSON object of a hand-designed network."""
    return {
        "reference": network.name,
        "input_shape": list(network.input_shape),
        "classes": network.classes,
    }


def reference_in(data: object) -> ReferenceNetwork:
    """Return the hand-designed network that `reference_document` wrote."""
    read = decode(_Reference, data, "network")
    return ReferenceNetwork(read.reference, read.input_shape, read.classes)
