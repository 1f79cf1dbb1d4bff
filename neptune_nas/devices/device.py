"""Devices by name, and their precisions and memory layouts in torch."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from neptune_nas.devices.numerics import Layout, Precision
from neptune_nas.errors import OptionError

_DEVICES = ("auto", "cpu", "cuda")
FORMATS: Mapping[Layout, torch.memory_format] = {
    "channels_last": torch.channels_last,
    "contiguous": torch.contiguous_format,
}
_FAST_BF16 = ("avx512_bf16", "amx_bf16")  # x86 instructions that multiply bfloat16 matrices


def check_device(device: str) -> None:
    """Refuse the name of an unknown device, whether or not it is present."""
    if device not in _DEVICES:
        raise OptionError(f"device '{device}' is unknown: choose auto, cpu or cuda (a GPU).")


def pick_device(device: str, has_gpu: bool | None = None) -> str:
    """Return the device of a name: "auto" is CUDA if there is a GPU, else the CPU.

    `has_gpu`: whether there is one (default: whether torch finds one).
    """
    check_device(device)
    has_gpu = torch.cuda.is_available() if has_gpu is None else has_gpu
    if device == "cuda" and not has_gpu:
        raise OptionError(
            "device 'cuda' needs a GPU that torch can use, but there is none: use cpu or auto."
        )
    return ("cuda" if has_gpu else "cpu") if device == "auto" else device


def check_gpus(gpus: Sequence[int], count: int | None = None) -> None:
    """Refuse CUDA indices that this machine does not have, or that are given twice.

    `count`: how many GPUs there are (default: as many as torch finds).
    """
    count = torch.cuda.device_count() if count is None else count
    for i, gpu in enumerate(gpus):
        if gpu in gpus[:i]:
            raise OptionError(
                f"GPU {gpu} is given twice: `trials_per_gpu` (--trials-per-gpu) says how many "
                f"evaluations share each."
            )
        if not 0 <= gpu < count:
            raise OptionError(f"GPU {gpu} does not exist: {_gpus_here(count)}")


def _gpus_here(count: int) -> str:
    """Return the valid values of `gpus` on a machine with `count` of them, as a remedy."""
    if not count:
        return (
            "torch finds no GPU on this machine; leave out `gpus` (--gpus) to use the CPU, or "
            "install the GPU's driver and a torch that is built for it."
        )
    there = "GPU 0" if count == 1 else f"GPUs 0 to {count - 1}"
    return f"`gpus` (--gpus) names GPUs by number, and torch finds {there} on this machine."


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a small tensor from the host to `device` asynchronously."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def autocast_for(precision: Precision, device: torch.device) -> torch.autocast:
    """Return the autocast context to run a network in; its parameters stay float32."""
    bf16 = precision == "bf16" or (precision == "auto" and has_fast_bf16(device))
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16)


def has_fast_bf16(device: torch.device) -> bool:
    """Return whether `device` multiplies bfloat16 natively; false if torch cannot tell."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Older releases of torch lack this function.
    capabilities: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return device.type == "cpu" and any(capabilities.get(name, False) for name in _FAST_BF16)
