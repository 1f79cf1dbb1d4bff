"""A user's own networks for segmentation and detection, small enough to train in a test."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from neptune_nas import Space, choice


@dataclass(frozen=True)
class Dense:
    """Two convolutions at the size of the images."""

    width: int = 4

    def build(self, input_shape: tuple[int, int, int], outputs: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(input_shape[0], self.width, 3, padding=1),
            nn.BatchNorm2d(self.width),
            nn.ReLU(),
            nn.Conv2d(self.width, outputs, 1),
        )


@dataclass(frozen=True)
class Flat:
    """A network of one answer an image."""

    width: int = 4

    def build(self, input_shape: tuple[int, int, int], outputs: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(input_shape[0], self.width, 3),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(self.width, outputs),
        )


SPACE = Space(
    name="dense", description="for tests of segmentation", template=Dense(width=choice(2, 4, 6))
)
FLAT = Space(name="flat", description="for tests of other tasks", template=Flat(choice(2, 4)))


@dataclass(frozen=True)
class Points:
    """A network for detection: one point for each 8 x 8 pixels."""

    width: int = 4

    def build(self, input_shape: tuple[int, int, int], outputs: int) -> nn.Module:
        return _Points(input_shape[0], self.width, outputs)


class _Points(nn.Module):
    """A convolution of large steps, and the points of its map."""

    def __init__(self, channels: int, width: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 8, stride=8),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 4 + outputs, 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        found = self.body(images)
        down, right = (torch.arange(n, device=images.device) * 8 + 4.0 for n in found.shape[2:])
        places = torch.meshgrid(right, down, indexing="xy")
        points = torch.stack(places, -1).flatten(0, 1).expand(len(images), -1, -1)
        lengths, logits = found.flatten(2).transpose(1, 2).float().split((4, found.shape[1] - 4), 2)
        return torch.cat((points, 8 * lengths.clamp(-3, 3).exp(), logits - 3), 2)


POINTS = Space(
    name="points", description="for tests of detection", template=Points(width=choice(2, 4, 6))
)
