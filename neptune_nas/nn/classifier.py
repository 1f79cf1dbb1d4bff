"""A network with its input normalisation."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Classifier(nn.Module):
    """A network for images in 0..1, normalised inside by channel means and standard deviations."""

    pixel_mean: Tensor  # not `mean`: torch 2.8 gives that name to results in an ONNX file
    pixel_std: Tensor

    def __init__(self, network: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        for name, values in (("pixel_mean", mean), ("pixel_std", std)):
            self.register_buffer(name, torch.tensor(values).view(-1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Map images `(N, C, H, W)` in 0..1 to logits `(N, classes)`."""
        logits: Tensor = self.network((images - self.pixel_mean) / self.pixel_std)
        return logits
