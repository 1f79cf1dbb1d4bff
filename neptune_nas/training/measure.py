"""Accuracy and loss of a trained network on one split."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from neptune_nas.data.images import Split

BATCH = 512


def measure(
    network: nn.Module,
    split: Split,
    normalize: Callable[[Tensor], Tensor],
    autocast: AbstractContextManager[object],
) -> tuple[float, float]:
    """Share of the images in `split` that `network` gets right, and its mean cross-entropy in nats.

    The network is left in evaluation mode; `split` lies on the network's device.
    """
    network.eval()
    right = torch.zeros((), dtype=torch.int64, device=split.labels.device)
    loss = torch.zeros((), dtype=torch.float64, device=split.labels.device)
    with torch.inference_mode(), autocast:
        for images, labels in zip(*batched(split), strict=True):
            logits = network(normalize(images)).float()
            right += (logits.argmax(1) == labels).sum()
            loss += F.cross_entropy(logits, labels, reduction="sum").double()
    return int(right) / len(split), float(loss) / len(split)


def batched(split: Split) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """The images and the labels of `split` in batches, in their order."""
    return torch.split(split.images, BATCH), torch.split(split.labels, BATCH)
