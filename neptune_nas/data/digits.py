"""scikit-learn's digits: 1,797 images of 8 x 8 pixels that come with the package."""

import torch
from sklearn.datasets import load_digits as load_sklearn_digits

from neptune_nas.data.source import Source, in_memory

_SCALE = 15  # 0..16 in the original to 0..240: exact, and undone by dividing


def load_digits() -> Source:
    """Return the digits as a source without a test part; flips would change a digit's meaning."""
    original = load_sklearn_digits()
    images = torch.from_numpy(original.images * _SCALE).to(torch.uint8).unsqueeze(1)
    labels = torch.from_numpy(original.target).long()
    return Source("digits", tuple("0123456789"), in_memory(images, labels), crop=1)
