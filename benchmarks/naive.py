"""The naive training loop for comparison: PIL transforms and plain float32."""

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from neptune_nas.training.recipe import Recipe

MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)


def training_images(folder: str, *, augmented: bool) -> ImageFolder:
    """Return the images below `folder`/train, decoded on every access."""
    random = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()]
    plain = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    steps = [*random, *plain] if augmented else plain
    return ImageFolder(f"{folder}/train", transforms.Compose(steps))


def train(network: nn.Module, loader: DataLoader[object], recipe: Recipe, epochs: int = 1) -> None:
    """Train with the recipe's rates, sizes and limits."""
    optimizer = torch.optim.AdamW(network.parameters(), recipe.lr, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.lr, len(loader) * epochs)
    criterion = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    network.train()
    for _ in range(epochs):
        for batch, labels in loader:
            optimizer.zero_grad()
            loss = criterion(network(batch), labels)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), recipe.clip_norm)
            optimizer.step()
            schedule.step()
