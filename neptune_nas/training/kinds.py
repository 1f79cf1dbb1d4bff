"""What decides how fast a network trains in which mode."""

from torch import nn

from neptune_nas.devices.mode import Kind
from neptune_nas.nn.substages import SelfAttention


def kind_of(network: nn.Module) -> Kind:
    """A network's kind by its modules, a user's own included.

    "attention" where there is any multi-head self-attention, else "depthwise" where there is any
    convolution in groups, else "dense".
    """
    modules = list(network.modules())
    if any(isinstance(each, SelfAttention | nn.MultiheadAttention) for each in modules):
        return "attention"
    if any(isinstance(each, nn.Conv2d) and each.groups > 1 for each in modules):
        return "depthwise"
    return "dense"
