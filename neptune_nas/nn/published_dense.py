"""torchvision's light networks for segmentation and detection, never pretrained.

LR-ASPP and SSDLite on MobileNetV3 (arXiv 1905.02244), adapted to other channels, images and short
trainings as those for classification are. torchvision has the large ones; the small ones are made
of the same parts, in the same places.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import log
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from torchvision.models import mobilenet_v3_large, mobilenet_v3_small
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.ssdlite import SSDLiteFeatureExtractorMobileNet, SSDLiteHead
from torchvision.models.segmentation.lraspp import LRASPPHead

from neptune_nas.nn.builder import Shape
from neptune_nas.nn.convolutions import mend
from neptune_nas.nn.published import adapt

_LRASPP_WIDTH = 128
_MAPS = 6  # that SSDLite predicts from
_RATIOS = [[2, 3]] * _MAPS  # of the sides of its default boxes
_SIZES = (0.2, 0.95)  # the smallest and the largest of these, as shares of the image
_CENTRE, _SIDE = 10.0, 5.0  # divisors of what SSD predicts (arXiv 1512.02325)
_LONGEST = log(1000 / 16)  # logarithm of the most that a side is stretched, as in torchvision
_SURE = 0.01  # probability that fresh weights give each class (arXiv 1708.02002)


@dataclass(frozen=True, slots=True)
class _Backbone:
    """A MobileNetV3 and two places among its features.

    `eighth`: the last map of an eighth of the image's size, before dilation. `last`: the block that
    halves the map for the last time.
    """

    create: Callable[..., nn.Module]
    eighth: int
    last: int


_SMALL, _LARGE = _Backbone(mobilenet_v3_small, 2, 9), _Backbone(mobilenet_v3_large, 4, 13)


def dense_network(name: str, shape: Shape, classes: int, *, small: bool) -> nn.Module:
    """Return one of these networks for images `(C, H, W)`, freshly initialised.

    `small`: as for `neptune_nas.nn.published.torchvision_network`. Those for detection take images
    of that size only.
    """
    return mend(_CREATE[name](shape, classes, small))


class _Lraspp(nn.Module):
    """MobileNetV3, dilated, with LR-ASPP: images `(N, C, H, W)` to logits `(N, classes, H, W)`."""

    def __init__(self, backbone: _Backbone, shape: Shape, classes: int, small: bool) -> None:
        super().__init__()
        whole = backbone.create(weights=None, dilated=True)
        self.features, self.place = _features(whole, shape[0], small), backbone.eighth
        low, high = (self.features[place].out_channels for place in (backbone.eighth, -1))
        self.head = LRASPPHead(low, high, classes, _LRASPP_WIDTH)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of each pixel."""
        x = images
        for place, block in enumerate(self.features):
            x = block(x)
            if place == self.place:
                low = x
        found = self.head({"low": low, "high": x})
        return F.interpolate(found, images.shape[2:], mode="bilinear", align_corners=False)


class _Ssdlite(nn.Module):
    """MobileNetV3 with SSDLite: images `(N, C, H, W)` to points `(N, P, 6 + classes)`.

    Each default box is a point, in its centre. Its classes are told apart from nothing by their own
    logits, as those of the networks that a search finds are, and not by one more class.
    """

    def __init__(self, backbone: _Backbone, shape: Shape, classes: int, small: bool) -> None:
        super().__init__()
        whole = backbone.create(weights=None, reduced_tail=True)
        features = _features(whole, shape[0], small)
        norm = partial(nn.BatchNorm2d, eps=0.001)
        self.extractor = SSDLiteFeatureExtractorMobileNet(features, backbone.last, norm)
        sizes = _map_sizes(self.extractor, shape)
        counts, corners = _default_boxes(shape, sizes)
        self.head = SSDLiteHead([channels for channels, *_ in sizes], counts, classes, norm)
        for block in self.head.classification_head.module_list:
            nn.init.constant_(block[-1].bias, log(_SURE / (1 - _SURE)))
        low, high = corners.to(torch.get_default_device()).chunk(2, 1)
        self.register_buffer("centres", (low + high) / 2, persistent=False)
        self.register_buffer("sides", high - low, persistent=False)
        self.centres: Tensor
        self.sides: Tensor

    def forward(self, images: Tensor) -> Tensor:
        """Return the points of all default boxes in one list, in float32."""
        found = self.head([*self.extractor(images).values()])
        shift, stretch = found["bbox_regression"].float().chunk(2, -1)
        shift = shift / _CENTRE * self.sides
        half = (stretch / _SIDE).clamp(max=_LONGEST).exp() * self.sides / 2
        points = self.centres.expand(images.shape[0], -1, -1)
        logits = found["cls_logits"].float()
        return torch.cat((points, half - shift, half + shift, logits), -1)


def _features(network: nn.Module, channels: int, small: bool) -> Any:
    """Return the blocks of a MobileNetV3, adapted to images."""
    return adapt(network, channels, small=small).features


def _default_boxes(shape: Shape, sizes: Sequence[Shape]) -> tuple[list[int], Tensor]:
    """Return the number of default boxes in a cell of each map, and all their corners `(P, 4)`."""
    with torch.device("cpu"):
        boxes = DefaultBoxGenerator(_RATIOS, min_ratio=_SIZES[0], max_ratio=_SIZES[1])
        images = ImageList(torch.empty(1, *shape), [shape[1:]])
        (corners,) = boxes(images, [torch.empty(1, *size) for size in sizes])
    return boxes.num_anchors_per_location(), corners


def _map_sizes(extractor: nn.Module, shape: Shape) -> list[Shape]:
    """Return channels, height and width of the maps that an extractor gives for images."""
    state = {**dict(extractor.named_parameters()), **dict(extractor.named_buffers())}
    unreal = {name: torch.empty_like(each, device="meta") for name, each in state.items()}
    images = torch.empty(2, *shape, device="meta")
    with torch.no_grad():
        found = functional_call(extractor, unreal, (images,))
    return [tuple(each.shape[1:]) for each in found.values()]


_CREATE: Mapping[str, Callable[[Shape, int, bool], nn.Module]] = {
    "lraspp_mobilenet_v3_small": partial(_Lraspp, _SMALL),
    "lraspp_mobilenet_v3_large": partial(_Lraspp, _LARGE),
    "ssdlite_mobilenet_v3_small": partial(_Ssdlite, _SMALL),
    "ssdlite_mobilenet_v3_large": partial(_Ssdlite, _LARGE),
}
