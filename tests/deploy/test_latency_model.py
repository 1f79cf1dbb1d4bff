from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from random import Random

import pytest

from neptune_nas.architecture.records import Architecture, FeedForward
from neptune_nas.deploy.latency_features import part_features
from neptune_nas.deploy.latency_model import LatencyModel, UnmeasuredError
from neptune_nas.errors import OptionError
from neptune_nas.nn.builder import parts
from neptune_nas.space import find_space

SHAPE, CLASSES = (3, 16, 16), 10
SPACE = find_space("tiny")
DRAWN = [SPACE.sample(Random(number)) for number in range(36)]
features = cache(part_features)


def time_of(architecture: Architecture) -> float:
    """Return a latency that follows from operations and their MACs alone."""
    found = [features(part) for part in parts(architecture, SHAPE, CLASSES)]
    macs = sum(amount for each in found for name, amount in each.items() if name.endswith("MACs"))
    return 0.1 + macs / 1e7 + sum(each["operations"] for each in found) / 1e3


def pairs(architectures: Iterable[Architecture]) -> list[tuple[Architecture, float]]:
    return [(each, time_of(each)) for each in architectures]


def test_unseen_networks_are_predicted_from_few() -> None:
    model = LatencyModel(pairs(DRAWN[:26]), SHAPE, CLASSES)
    errors = [abs(model(each) / time - 1) for each, time in pairs(DRAWN[26:])]
    assert max(errors) < 0.1
    assert model.accuracy.error < 0.1
    assert model.accuracy.tau > 0.8


def test_the_margin_covers_most_networks_that_were_left_out() -> None:
    noise = Random(0)
    rough = [(each, time * noise.uniform(0.8, 1.25)) for each, time in pairs(DRAWN)]
    assert 0.1 < LatencyModel(rough, SHAPE, CLASSES).accuracy.margin < 0.6


def test_too_few_networks_are_refused() -> None:
    with pytest.raises(OptionError, match=r"from at least 10 measured networks, but there are 9"):
        LatencyModel(pairs(DRAWN[:9]), SHAPE, CLASSES)


def test_an_operation_that_was_not_measured_is_not_free() -> None:
    model = LatencyModel(pairs(DRAWN), SHAPE, CLASSES)
    first, *others = DRAWN[0].stages
    other = replace(
        DRAWN[0], stages=(replace(first, substages=(FeedForward(),), connections="chain"), *others)
    )
    with pytest.raises(UnmeasuredError, match=r"stages\.0\.substages\.0 has an operation \(.*gelu"):
        model(other)
