import pytest

from neptune_nas.evaluators.table_networks import code_of
from neptune_nas.metrics.counted import CostModel
from neptune_nas.space import find_space

SPACE = find_space("nasbench-macro")
COSTS = CostModel((3, 32, 32), 10)


def test_it_has_as_many_networks_as_were_published() -> None:
    assert SPACE.size == 6_561


@pytest.mark.parametrize(
    ("code", "macs", "params"),
    [  # as published
        ("02012100", 47_327_744, 890_666),
        ("11111221", 65_012_224, 2_181_386),
        ("00011110", 31_390_208, 1_118_378),
    ],
)
def test_costs_are_the_published_ones(code: str, macs: int, params: int) -> None:
    picks = {
        decision.path: decision.options[int(digit)]
        for decision, digit in zip(SPACE.decisions, code, strict=True)
    }
    network = SPACE.decode(picks)
    assert code_of(SPACE, network) == tuple(map(int, code))
    cost = COSTS.cost(network)
    assert (cost.macs, cost.params) == (macs, params)
