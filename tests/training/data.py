"""Small data that train in a fraction of a second, and networks for them."""

import torch
from torch import Tensor, nn

from neptune_nas.data.images import ImageData, Split, image_data
from neptune_nas.data.source import Source, in_memory

CLASSES = ("dark", "light")


def easy_data(train: int = 60, crop: int = 0, flip: bool = False) -> ImageData:
    """Dark and light images of 6 x 6 pixels with noise: any network that trains gets them right."""
    splits = tuple(easy_split(count, seed) for seed, count in enumerate((train, 20, 20)))
    whole = in_memory(splits[0].images, splits[0].labels)
    source = Source("easy", CLASSES, whole, crop=crop, flip=flip)
    return image_data(source, (splits[0], splits[1], splits[2]))


def easy_split(count: int, seed: int) -> Split:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    noise = torch.randint(100, (count, 1, 6, 6), generator=generator)
    return Split((labels.view(-1, 1, 1, 1) * 100 + noise).byte(), labels)


def small_network(dropout: float = 0.0, seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(64, 2),
        )


def weights(network: nn.Module) -> Tensor:
    """All parameters as one vector."""
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])
