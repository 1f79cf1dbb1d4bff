"""Accuracy and loss of a trained network on one split."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from neptune_nas.training.feed import Feed

BATCH = 512


def measure(
    network: nn.Module,
    feed: Feed,
    normalize: Callable[[Tensor], Tensor],
    autocast: AbstractContextManager[object],
) -> tuple[float, float]:
    """Share of the feed's images that `network` gets right, and its mean cross-entropy in nats.

    The network is left in evaluation mode; `feed` is on its device.
    """
    network.eval()
    right = torch.zeros((), dtype=torch.int64, device=feed.device)
    loss = torch.zeros((), dtype=torch.float64, device=feed.device)
    in_order = torch.split(torch.arange(len(feed)), BATCH)
    with torch.inference_mode(), autocast, feed.batches(in_order) as batches:
        for batch in batches:
            logits = network(normalize(batch.images)).float()
            right += (logits.argmax(1) == batch.labels).sum()
            loss += F.cross_entropy(logits, batch.labels, reduction="sum").double()
    return int(right) / len(feed), float(loss) / len(feed)
