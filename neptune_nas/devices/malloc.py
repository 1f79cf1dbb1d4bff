"""Keeps the C library from giving memory back that the next step asks for again."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4  # from glibc's malloc.h
LARGEST = 2**31 - 1


def keep_pages() -> bool:
    """Raise glibc's thresholds so that freed activations stay mapped; whether that was possible.

    By default each tensor above 128 KiB to 32 MiB is mapped afresh, and its pages zeroed, at every
    step. Affects the whole process, so a worker calls it once, at its start; Linux with glibc only.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all(
        mallopt(option, value) == 1
        for option, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, LARGEST))
    )
