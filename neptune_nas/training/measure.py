"""The metrics of a trained network on one split."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from neptune_nas.data.images import Split
from neptune_nas.tasks.augmentation import Normalizer
from neptune_nas.tasks.task import Task
from neptune_nas.training.feed import Feed

_BATCH = 512
_PIXELS = 2**20  # of a batch of images whose parts have outputs


def measure(
    network: nn.Module,
    feed: Feed,
    task: Task,
    normalize: Normalizer,
    autocast: AbstractContextManager[object],
    *,
    watch: Callable[[Tensor], object] = lambda _: None,
) -> dict[str, float]:
    """Return the value of each of the task's metrics over the feed's images.

    Leaves the network in evaluation mode; `feed` must be on its device. `watch` is called with the
    float32 outputs of each batch, in order.
    """
    network.eval()
    meter = task.meter()
    in_order = torch.split(torch.arange(len(feed)), batch_size(feed.split))
    with torch.inference_mode(), autocast, feed.batches(in_order) as batches:
        for batch in batches:
            outputs = network(normalize(batch.images)).float()
            meter.update(outputs, batch.targets)
            watch(outputs)
    return meter.result()


def batch_size(split: Split) -> int:
    """Return how many images of a split to measure at once, fewer if their parts have outputs."""
    height, width = split.images.shape[-2:]
    return _BATCH if split.targets.ndim == 1 else max(1, min(_BATCH, _PIXELS // (height * width)))
