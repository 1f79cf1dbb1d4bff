import torch
from torch import nn

from neptune_nas.nn.classifier import Classifier


def test_images_are_normalised_channel_by_channel() -> None:
    classifier = Classifier(nn.Identity(), mean=(0.5, 0.25), std=(0.5, 0.25))
    images = torch.stack((torch.ones(4, 4), torch.zeros(4, 4))).expand(3, 2, 4, 4)
    expected = torch.tensor([1.0, -1.0]).view(1, 2, 1, 1).expand(3, 2, 4, 4)
    assert torch.equal(classifier(images), expected)


def test_the_normalisation_is_no_part_of_the_weights() -> None:
    names = Classifier(nn.Linear(2, 2), (0.5,), (1.0,)).state_dict()
    assert {*names} == {"network.weight", "network.bias"}
