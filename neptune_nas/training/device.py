"""Which device a name stands for."""

from collections.abc import Sequence

import torch
from torch import Tensor

from neptune_nas.errors import OptionError, one_of

DEVICES = ("auto", "cpu", "cuda")


def check_device(device: str) -> None:
    """Refuse a name that is no device's, whether or not it is there."""
    if device not in DEVICES:
        raise OptionError(f"device '{device}' is unknown: {one_of(DEVICES, device)}")


def pick_device(device: str) -> str:
    """The device that a name stands for: "auto" is CUDA where there is a GPU, else the CPU."""
    check_device(device)
    has_gpu = torch.cuda.is_available()
    if device == "cuda" and not has_gpu:
        raise OptionError("device 'cuda' needs a GPU that torch can use, but there is none.")
    return ("cuda" if has_gpu else "cpu") if device == "auto" else device


def check_gpus(gpus: Sequence[int]) -> None:
    """Refuse CUDA indices that this machine does not have, or that are given twice."""
    count = torch.cuda.device_count()
    for i, gpu in enumerate(gpus):
        if gpu in gpus[:i]:
            raise OptionError(
                f"GPU {gpu} is given twice: `trials_per_gpu` (--trials-per-gpu) does that."
            )
        if not 0 <= gpu < count:
            raise OptionError(f"GPU {gpu} is not there: torch finds {count} (counted from 0).")


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """A small tensor of the host on `device`, which the host does not wait for."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
