"""A user's own networks for segmentation, small enough to train in a test."""

from dataclasses import dataclass

from torch import nn

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
