"""A precision and a memory layout as torch is told them."""

from collections.abc import Mapping

import torch

from neptune_nas.devices.mode import Layout, Precision

FAST_BF16 = ("avx512_bf16", "amx_bf16")  # x86 instructions that multiply bfloat16 matrices
FORMATS: Mapping[Layout, torch.memory_format] = {
    "channels_last": torch.channels_last,
    "contiguous": torch.contiguous_format,
}


def autocast_for(precision: Precision, device: torch.device) -> torch.autocast:
    """The autocast context to run a network in; its parameters stay float32.

    "auto" is bfloat16 where the device multiplies it natively, whatever the network: what is left
    to be done where no mode was measured, or a study began before that was.
    """
    bf16 = precision == "bf16" or (precision == "auto" and has_fast_bf16(device))
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16)


def has_fast_bf16(device: torch.device) -> bool:
    """Whether `device` multiplies bfloat16 natively; false for a CPU that torch cannot ask."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Older releases of torch have no such function.
    capabilities: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return device.type == "cpu" and any(capabilities.get(name, False) for name in FAST_BF16)
