import pytest

from neptune_nas.evaluate.evaluator import Evaluator
from neptune_nas.evaluate.proxy_first import ProxyFirst
from neptune_nas.evaluate.short_training import ShortTraining
from neptune_nas.evaluate.zero_cost import ZeroCost
from neptune_nas.training.recipe import Recipe
from tests.evaluate.contract import SMALL, EvaluatorContract

BOTH = ProxyFirst(ZeroCost("synflow"), ShortTraining(recipe=Recipe(batch_size=256)))


class TestProxyFirst(EvaluatorContract):
    @pytest.fixture
    def evaluator(self) -> Evaluator:
        return BOTH


def test_fidelity_0_is_the_proxy_and_1_trains() -> None:
    below, above = BOTH(SMALL, 0, 5), BOTH(SMALL, 1, 5)
    assert below.proxy == ZeroCost("synflow")(SMALL, 0, 5).proxy
    assert above.proxy is None
    assert above.accuracy > 0
