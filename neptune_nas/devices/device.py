"""Which device a name stands for."""

from collections.abc import Sequence

import torch
from torch import Tensor

from neptune_nas.errors import OptionError

DEVICES = ("auto", "cpu", "cuda")


def check_device(device: str) -> None:
    """Refuse a name that is no device's, whether or not it is there."""
    if device not in DEVICES:
        raise OptionError(
            f"device '{device}' is unknown: choose auto, cpu, or cuda, as GPUs are called."
        )


def pick_device(device: str) -> str:
    """The device that a name stands for: "auto" is CUDA where there is a GPU, else the CPU."""
    check_device(device)
    has_gpu = torch.cuda.is_available()
    if device == "cuda" and not has_gpu:
        raise OptionError(
            "device 'cuda' needs a GPU that torch can use, but there is none: take cpu or auto."
        )
    return ("cuda" if has_gpu else "cpu") if device == "auto" else device


def check_gpus(gpus: Sequence[int]) -> None:
    """Refuse CUDA indices that this machine does not have, or that are given twice."""
    count = torch.cuda.device_count()
    for i, gpu in enumerate(gpus):
        if gpu in gpus[:i]:
            raise OptionError(
                f"GPU {gpu} is given twice: `trials_per_gpu` (--trials-per-gpu) says how many "
                f"evaluations share each."
            )
        if not 0 <= gpu < count:
            raise OptionError(f"GPU {gpu} is not there: {_gpus_here(count)}")


def _gpus_here(count: int) -> str:
    """Which numbers `gpus` can have where there are so many, and what to do."""
    if not count:
        return (
            "torch finds no GPU on this machine; leave out `gpus` (--gpus) to work on the CPU, or "
            "install the GPU's driver and a torch that is built for it."
        )
    there = "GPU 0" if count == 1 else f"GPUs 0 to {count - 1}"
    return f"`gpus` (--gpus) names GPUs by their numbers, and torch finds {there} on this machine."


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """A small tensor of the host on `device`, which the host does not wait for."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
