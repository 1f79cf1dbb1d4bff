"""torchvision's light networks for segmentation and detection."""

import pickle

import pytest
import torch
from torch import nn
from torchvision.models.detection import ssdlite320_mobilenet_v3_large
from torchvision.models.segmentation import lraspp_mobilenet_v3_large

from neptune_nas.metrics.counted import cost
from neptune_nas.nn.dense_heads import DISTANCES, LENGTHS, POINT
from neptune_nas.nn.references import ReferenceNetwork, reference_task
from neptune_nas.tasks.boxes import corners

SEGMENTING = ("lraspp_mobilenet_v3_small", "lraspp_mobilenet_v3_large")
DETECTING = ("ssdlite_mobilenet_v3_small", "ssdlite_mobilenet_v3_large")
SHAPE = (3, 96, 128)


def network(name: str, shape: tuple[int, int, int] = SHAPE, classes: int = 3) -> nn.Module:
    return ReferenceNetwork(name, shape, classes).build(seed=0)


@pytest.mark.parametrize("name", SEGMENTING)
@pytest.mark.parametrize("shape", [(1, 45, 61), SHAPE], ids=str)
def test_each_pixel_has_logits(name: str, shape: tuple[int, int, int]) -> None:
    assert reference_task(name) == "segmentation"
    found = network(name, shape).eval()(torch.rand(2, *shape))
    assert found.shape == (2, 3, *shape[1:])


@pytest.mark.parametrize("name", DETECTING)
@pytest.mark.parametrize("shape", [(1, 45, 61), SHAPE], ids=str)
def test_each_default_box_is_a_point(name: str, shape: tuple[int, int, int]) -> None:
    assert reference_task(name) == "detection"
    found = network(name, shape).eval()(torch.rand(2, *shape))
    points = found[..., POINT]
    assert found.shape[::2] == (2, LENGTHS + 3)
    assert bool(((points > 0) & (points < torch.tensor([shape[2], shape[1]]))).all())
    torch.testing.assert_close(
        found[..., LENGTHS:].sigmoid().mean(), torch.tensor(0.01), atol=0.01, rtol=0
    )
    assert bool((found[..., DISTANCES] > 0).float().mean() > 0.99)


@pytest.mark.parametrize(
    ("name", "classes", "macs"),
    [
        ("lraspp_mobilenet_v3_small", 11, 29_968_768),
        ("ssdlite_mobilenet_v3_small", 3, 13_718_848),
    ],
)
def test_costs_are_counted_at_the_size_of_the_images(name: str, classes: int, macs: int) -> None:
    assert cost(network(name, classes=classes), SHAPE).macs == macs


def test_the_large_lraspp_is_torchvisions() -> None:
    ours = network("lraspp_mobilenet_v3_large", classes=21)
    theirs = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=21)
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())
    assert [tuple(p.shape) for p in ours.parameters()] == [
        tuple(p.shape) for p in theirs.parameters()
    ]


def test_the_large_ssdlite_is_torchvisions_without_the_class_of_nothing() -> None:
    ours = network("ssdlite_mobilenet_v3_large", (3, 320, 320), 91)
    theirs = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=91)
    assert [tuple(p.shape) for p in ours.parameters()] == [
        tuple(p.shape) for p in theirs.parameters()
    ]
    assert len(ours.centres) == 3234  # type: ignore[arg-type]  # a buffer


def test_default_boxes_are_those_of_torchvision() -> None:
    """With fresh weights a box hardly differs from its default."""
    ours = network("ssdlite_mobilenet_v3_large", (3, 320, 320), 3).eval()
    for parameter in ours.head.regression_head.parameters():  # type: ignore[union-attr]  # its class
        nn.init.zeros_(parameter)
    with torch.no_grad():
        found = corners(ours(torch.rand(1, 3, 320, 320)))[0]
    sides = found[:, 2:] - found[:, :2]
    assert float(sides.min()) == pytest.approx(0.2 * 320 / 3**0.5, rel=1e-4)
    assert float(sides.max()) == pytest.approx(320, rel=0.1)


@pytest.mark.parametrize("name", [*SEGMENTING, *DETECTING])
def test_it_is_trained_pickled_and_built_without_memory(name: str) -> None:
    built = network(name).train()
    built(torch.rand(2, *SHAPE)).square().mean().backward()
    gradients = [p.grad for p in built.parameters()]
    assert all(each is not None for each in gradients)
    same = pickle.loads(pickle.dumps(built)).eval()
    images = torch.rand(1, *SHAPE)
    torch.testing.assert_close(same(images), built.eval()(images))
    with torch.device("meta"):
        assert network(name)(torch.rand(2, *SHAPE)).is_meta


def test_equal_seeds_give_equal_weights() -> None:
    one, other = (network("ssdlite_mobilenet_v3_small").state_dict() for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_norms_keep_up_with_a_short_training() -> None:
    norms = [
        m for m in network("ssdlite_mobilenet_v3_small").modules() if isinstance(m, nn.BatchNorm2d)
    ]
    assert {norm.momentum for norm in norms} == {0.1}
