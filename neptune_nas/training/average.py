"""Averaged weights: an exponential moving average over the steps of a run.

Polyak and Juditsky 1992, doi 10.1137/0330046. The running statistics of norms are averaged too, so
that the averaged network needs no pass over the data to be measured.
"""

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

WINDOW = 0.02  # of a run's steps, over which a step's weights fade to 1/e


def make_average(network: nn.Module, steps: int) -> AveragedModel:
    """The average of the weights of `network` during `steps` steps; updated after each."""
    average = get_ema_multi_avg_fn(decay(steps))  # type: ignore[no-untyped-call]  # torch's has no types
    return AveragedModel(network, multi_avg_fn=average, use_buffers=True)


def decay(steps: int) -> float:
    """What is kept of the average at each step, so that it looks back over `WINDOW` of the run.

    >>> round(decay(5000), 4), decay(20)
    (0.99, 0.0)
    """
    return 1 - 1 / max(WINDOW * steps, 1)
