"""Networks of torchvision and timm, fitted to the images, resizing them, and partly frozen."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from neptune_nas.errors import (
    ArchitectureError,
    NeptuneError,
    OptionError,
    check_installed,
    description,
    first_line,
    nearest,
    one_of,
)
from neptune_nas.files.schema import cut, located
from neptune_nas.files.tensors import read_state
from neptune_nas.nn.model_zoo import (
    WEIGHTS_SUFFIXES,
    TimmModel,
    TorchvisionModel,
    ZooModel,
    is_weights_file,
)
from neptune_nas.nn.weights import fit_channels, load_pretrained

Shape = tuple[int, int, int]

DEFAULT = "DEFAULT"  # the library's best weights
_MOMENTUM = 0.1  # torch's default: statistics that move more slowly are wrong after a few epochs
_WITHOUT_AUXILIARY = {"aux_logits": False, "init_weights": True}  # classifiers for training alone
_OPTIONS: Mapping[str, Any] = {"googlenet": _WITHOUT_AUXILIARY, "inception_v3": _WITHOUT_AUXILIARY}


class ZooNetwork(nn.Module):
    """A network that resizes its images, and whose first layers may be frozen or learn slowly.

    `classifier`: the names of the layers that output the classes. All other modules with parameters
    of their own count as layers, in their order in the network. See `TorchvisionModel`.
    """

    def __init__(
        self,
        network: nn.Module,
        classifier: tuple[str, ...],
        resolution: int = 0,
        *,
        frozen: float = 0.0,
        first_rate: float = 1.0,
    ) -> None:
        super().__init__()
        self.network, self.classifier, self.resolution = network, classifier, resolution
        self.first_rate = first_rate
        layers = self._layers()
        for _, layer in layers[: round(frozen * len(layers))]:
            for parameter in layer.parameters(recurse=False):
                parameter.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of normalised images `(N, C, H, W)`."""
        logits: Tensor = self.network(resized(images, self.resolution))
        return logits

    def train(self, mode: bool = True) -> "ZooNetwork":
        """Set the mode of all layers but the frozen ones, which stay in eval mode."""
        super().train(mode)
        for _, layer in self._layers():  # fewer than at first, if blocks were left out since
            if not any(each.requires_grad for each in layer.parameters(recurse=False)):
                layer.training = False
        return self

    def rate_factors(self) -> Mapping[str, float]:
        """Return the share of the learning rate, by the name of a parameter; 1 for all others."""
        layers = self._layers()
        return {
            f"network.{name}.{each}" if name else f"network.{each}": self.first_rate
            ** (1 - i / len(layers))
            for i, (name, layer) in enumerate(layers)
            for each, _ in layer.named_parameters(recurse=False)
        }

    def _layers(self) -> list[tuple[str, nn.Module]]:
        """Return the modules with parameters of their own, by name, without the classifier."""
        return [
            (name, module)
            for name, module in self.network.named_modules()
            if name not in self.classifier and any(True for _ in module.parameters(recurse=False))
        ]


def resized(images: Tensor, side: int) -> Tensor:
    """Return images `(N, C, H, W)` as `(N, C, side, side)`; as they are for a side of 0.

    To shrink, they are first averaged over as many whole pixels as fit. The rest of the way, or to
    grow, they are resized bilinearly.
    """
    if side == 0:
        return images
    height, width = (max(1, each // side) for each in images.shape[-2:])
    if (height, width) != (1, 1):
        images = F.avg_pool2d(images, (height, width))
    if images.shape[-2:] == (side, side):
        return images
    return F.interpolate(images, (side, side), mode="bilinear", align_corners=False)


def torchvision_model(record: TorchvisionModel, input_shape: Shape, outputs: int) -> nn.Module:
    """Return the network of a record; see its `build`."""
    from torchvision import models  # slow to import

    _check_name("torchvision", record.name, models.list_models(module=models))
    side = record.resolution or min(input_shape[1:])
    sizes: Mapping[str, Any] = {"vit": {"image_size": side}, "maxvit": {"input_size": (side, side)}}
    options = {**sizes.get(record.name.partition("_")[0], {}), **_OPTIONS.get(record.name, {})}
    network = _made(record, models.get_model, weights=None, num_classes=outputs, **options)
    layers = {name: each for name, each in network.named_modules() if _is_layer(each)}
    first, classifier = next(iter(layers)), next(reversed(layers))
    fit_channels(layers[first], input_shape[0])
    if record.weights is not None:
        named = is_weights_file(record.weights)
        state = read_state(Path(record.weights)) if named else _torchvision_state(record)
        with located(record.weights):
            load_pretrained(network, state, {first}, {classifier})
    return _adapted(record, network, (classifier,))


def timm_model(record: TimmModel, input_shape: Shape, outputs: int) -> nn.Module:
    """Return the network of a record; see its `build`."""
    check_installed("`TimmModel`", ["timm"], "timm")
    import timm

    _check_name("timm", record.name.partition(".")[0], timm.list_models())
    config = timm.get_pretrained_cfg(record.name)
    side = record.resolution or min(input_shape[1:])
    options: dict[str, Any] = {"img_size": side} if config and config.fixed_input_size else {}
    if is_loaded := record.weights is not None and not is_weights_file(record.weights):
        _check_timm_weights(record)
        options["pretrained"] = True
    sizes = {"num_classes": outputs, "in_chans": input_shape[0]}
    network = _made(record, timm.create_model, **sizes, **options)
    known: Any = network.pretrained_cfg
    classifier = _names(known.get("classifier"))
    if record.weights is not None and not is_loaded:
        first = _names(known.get("first_conv"))
        state = read_state(Path(record.weights))
        with located(record.weights):
            load_pretrained(network, state, first, classifier)
    return _adapted(record, network, classifier)


def _made(record: ZooModel, make: Callable[..., nn.Module], **options: Any) -> nn.Module:
    """Return the network that a library makes from a record; turn its errors into ours."""
    try:
        return make(record.name, **options)
    except (AssertionError, TypeError, ValueError) as error:
        raise ArchitectureError(
            f"`{type(record).__name__}` cannot build '{record.name}': {first_line(error)}: choose "
            f"another `resolution`, or another network."
        ) from error
    except Exception as error:
        if "pretrained" not in options:
            raise
        raise _loading_error(record, error) from error


def _torchvision_state(record: TorchvisionModel) -> dict[str, Tensor]:
    """Return a set of torchvision's own weights, which it downloads once."""
    from torchvision import models

    name, weights = record.name, str(record.weights)
    known = models.get_model_weights(name).__members__
    if weights not in known:
        raise OptionError(
            f"torchvision has no weights '{weights}' for {name}: {one_of(known, weights)} The "
            f"name of a file must end in one of {', '.join(WEIGHTS_SUFFIXES)}."
        )
    try:
        # It checks the digest in the name of what it downloads, and unpickles tensors alone.
        state: dict[str, Tensor] = known[weights].get_state_dict(
            progress=False, check_hash=True, weights_only=True
        )
    except Exception as error:
        raise _loading_error(record, error) from error
    return state


def _loading_error(record: ZooModel, error: Exception) -> NeptuneError:
    """Return the error for weights that a library fails to load."""
    return NeptuneError(
        f"the weights '{record.weights}' of {record.name} cannot be loaded "
        f"({description(error)}): name a file of weights as `weights`."
    )


def _check_timm_weights(record: TimmModel) -> None:
    """Refuse weights that timm does not load by itself."""
    import timm

    if record.weights != DEFAULT:
        raise OptionError(
            f"`TimmModel.weights` must be '{DEFAULT}' or a file that ends in one of "
            f"{', '.join(WEIGHTS_SUFFIXES)}, but got {cut(record.weights)}."
        )
    if not timm.is_model_pretrained(record.name):
        raise OptionError(
            f"timm has no weights for '{record.name}': name one of "
            f"`timm.list_models(pretrained=True)`, or a file of weights."
        )


def _check_name(library: str, name: str, known: Sequence[str]) -> None:
    """Refuse a name that a library has no network for."""
    if name not in known:
        near = nearest(sorted(known), name)
        remedy = f"did you mean '{near}'? " if near else ""
        raise OptionError(
            f"{library} has no network '{name}': {remedy}`list_models()` of {library} names all "
            f"{len(known)}."
        )


def _adapted(record: ZooModel, network: nn.Module, classifier: tuple[str, ...]) -> nn.Module:
    """Return a network that resizes images and freezes layers as its record says."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = _MOMENTUM
    return ZooNetwork(
        network,
        classifier,
        record.resolution,
        frozen=record.frozen,
        first_rate=record.first_rate,
    )


def _is_layer(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d | nn.Linear)


def _names(value: str | Sequence[str] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())
