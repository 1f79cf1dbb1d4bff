import pytest

from neptune_nas.evaluators.evaluator import Evaluator
from neptune_nas.evaluators.proxy_first import ProxyFirst
from neptune_nas.evaluators.short_training import ShortTraining
from neptune_nas.evaluators.zero_cost import ZeroCost
from neptune_nas.training.recipe import Recipe
from tests.evaluators.contract import SMALL, EvaluatorContract

BOTH = ProxyFirst(ZeroCost("synflow"), ShortTraining(recipe=Recipe(batch_size=256)))


class TestProxyFirst(EvaluatorContract):
    @pytest.fixture
    def evaluator(self) -> Evaluator:
        return BOTH


def test_fidelity_0_is_the_proxy_and_1_trains() -> None:
    below, above = BOTH(SMALL, 0, 5), BOTH(SMALL, 1, 5)
    assert below.proxy == ZeroCost("synflow")(SMALL, 0, 5).proxy
    assert above.proxy is None
    assert above.main > 0
