"""A network that takes images as they come."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Classifier(nn.Module):
    """A network for images in 0..1, which it normalises itself by channel means and deviations."""

    pixel_mean: Tensor  # not `mean`: torch 2.8 calls results in an ONNX file so too
    pixel_std: Tensor

    def __init__(self, network: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        for name, values in (("pixel_mean", mean), ("pixel_std", std)):
            self.register_buffer(name, torch.tensor(values).view(-1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Images `(N, C, H, W)` in 0..1 to the classes' logits `(N, classes)`."""
        logits: Tensor = self.network((images - self.pixel_mean) / self.pixel_std)
        return logits
