"""Images in one file: mapped into memory as a whole, or read one by one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from neptune_nas.errors import DataError


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A `.npy` file of uint8 images `(N, C, H, W)`.

    Raises `DataError` if it cannot be read, or is truncated.
    """

    path: Path

    def mapped(self) -> Tensor:
        """Return all images, memory-mapped: the system reads them on access and caches them."""
        with self._readable():
            # Copy-on-write: torch wants a writable array, and the file must not change.
            return torch.from_numpy(np.load(self.path, mmap_mode="c"))

    def read(self, rows: Tensor, images: Tensor) -> None:
        """Read the images of `rows` into `images`, contiguous uint8 `(n, C, H, W)` on the host.

        This reads their exact bytes, while access to a mapped image also reads the pages around it.
        """
        pixels, size = images.numpy().data.cast("B"), images[0].numel()
        with self._readable(), FileIO(self.path) as file:
            start = np.load(self.path, mmap_mode="r").offset
            for i, row in enumerate(rows.tolist()):
                file.seek(start + row * size)
                if file.readinto(pixels[i * size : (i + 1) * size]) != size:
                    raise ValueError(f"image {row} is incomplete")

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Convert errors of reading the file to `DataError`."""
        try:
            yield
        except (OSError, EOFError, ValueError) as error:
            raise DataError(
                f"data: the decoded images in {self.path} cannot be read ({error}): "
                f"remove the file to decode them again."
            ) from error
