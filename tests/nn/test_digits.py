"""Every norm and every SubStage alone learns to read scikit-learn's digits."""

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn import functional as F

from neptune_nas.architecture.records import (
    NORMS,
    Architecture,
    Attention,
    Conv,
    FeedForward,
    Head,
    Identity,
    InvertedResidual,
    Norm,
    Stage,
    Stem,
)
from neptune_nas.nn.builder import build

SUBSTAGES = (
    Conv(),
    Conv(groups="depthwise"),
    InvertedResidual(),
    Attention(heads=2),
    Attention(heads=2, window=2, stride=2),
    FeedForward(),
    Identity(),
)


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    """All 1,797 images `(N, 1, 8, 8)`, shuffled, and their labels."""
    images, labels = load_digits(return_X_y=True)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    scaled = (torch.tensor(images, dtype=torch.float32)[order] - 4.9) / 6.0
    return scaled.view(-1, 1, 8, 8), torch.tensor(labels)[order]


def accuracy(architecture: Architecture, digits: tuple[Tensor, Tensor], epochs: int) -> float:
    """Return the validation accuracy on the last 360 images after a short training."""
    network = build(architecture, (1, 8, 8), outputs=10, seed=0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
    images, labels = (torch.split(part[:-360], 64) for part in digits)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=8e-3, total_steps=epochs * len(images)
    )
    for _ in range(epochs):
        for x, y in zip(images, labels, strict=True):
            optimizer.zero_grad()
            F.cross_entropy(network(x), y).backward()  # type: ignore[no-untyped-call]  # torch's method has no types
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        found = network.eval()(digits[0][-360:]).argmax(1)
    return int((found == digits[1][-360:]).sum()) / 360


@pytest.mark.parametrize("norm", NORMS)
def test_each_norm_learns_the_digits(norm: Norm, digits: tuple[Tensor, Tensor]) -> None:
    stages = tuple(Stage(width, norm=norm, substages=(Conv(),)) for width in (24, 32))
    assert accuracy(Architecture(stem=Stem(12), stages=stages), digits, epochs=4) >= 0.9


@pytest.mark.parametrize("substage", SUBSTAGES, ids=repr)
def test_each_substage_alone_learns_the_digits(
    substage: object, digits: tuple[Tensor, Tensor]
) -> None:
    # A network of identities alone would have nothing to learn with but its stem.
    entry = Conv() if substage == Identity() else Identity()
    stages = tuple(
        Stage(width, entry=entry, norm="batch", substages=(substage,)) for width in (24, 32)
    )
    network = Architecture(stem=Stem(16), stages=stages, head=Head(width=0))
    assert accuracy(network, digits, epochs=4) >= 0.9
