"""scikit-learn's digits: 1,797 images of 8 x 8 pixels that come with the package."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from neptune_nas.data.source import Source, in_memory

_SCALE = 15  # 0..16 in the original to 0..240: exact, and undone by dividing


def load_digits() -> Source:
    """Return the digits as a source without a test part; flips would change a digit's meaning."""
    rows = torch.from_numpy(np.loadtxt(_table(), dtype=np.int64, delimiter=","))
    images = (rows[:, :-1] * _SCALE).to(torch.uint8).reshape(-1, 1, 8, 8)
    labels = rows[:, -1].clone()
    return Source("digits", tuple("0123456789"), in_memory(images, labels), crop=1)


def _table() -> Path:
    """Return scikit-learn's file: importing the package would cost each worker a second."""
    package = find_spec("sklearn")
    assert package is not None, "neptune-nas depends on scikit-learn"
    assert package.origin is not None
    return Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
