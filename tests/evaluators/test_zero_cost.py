from dataclasses import replace
from math import isnan
from typing import Any

import pytest
import torch
from torch import nn

from neptune_nas.architecture.records import (
    Architecture,
    Attention,
    Conv,
    FeedForward,
    Norm,
    Stage,
    Stem,
)
from neptune_nas.errors import OptionError
from neptune_nas.evaluators.evaluator import Evaluator
from neptune_nas.evaluators.proxies import Batch, SignKernel, deviation, jacov, naswot, synflow
from neptune_nas.evaluators.zero_cost import FORMULAS, PROXIES, ZeroCost
from neptune_nas.metrics.counted import cost
from neptune_nas.nn.builder import build
from neptune_nas.tasks.registry import TASKS
from tests.evaluators.contract import OTHER, SMALL, EvaluatorContract

NETWORK_PROXIES = [proxy for proxy in PROXIES if proxy in FORMULAS]


@pytest.fixture(params=PROXIES)
def proxy(request: pytest.FixtureRequest) -> Any:
    return request.param


class TestZeroCost(EvaluatorContract):
    @pytest.fixture
    def evaluator(self, proxy: str) -> Evaluator:
        return ZeroCost(proxy)


def test_flops_and_parameters_are_those_of_the_built_network() -> None:
    counted = cost(build(SMALL, (1, 8, 8), 10, 0), (1, 8, 8))
    assert ZeroCost("flops")(SMALL, 0, 0).proxy == counted.flops
    assert ZeroCost("params")(SMALL, 0, 0).proxy == counted.params


@pytest.mark.parametrize("proxy", ["synflow", "naswot", "flops", "params"])
def test_a_wider_and_deeper_network_has_more(proxy: str) -> None:
    stage = Stage(16, norm="batch", substages=(Conv(), Conv()))
    larger = Architecture(Stem(8), (stage,))
    evaluator = ZeroCost(proxy)
    assert evaluator(larger, 0, 0).rank_value > evaluator(SMALL, 0, 0).rank_value


@pytest.mark.parametrize("norm", ["batch", "layer", "instance", "rms", "lrn", "mln", "none"])
def test_every_proxy_takes_every_norm_and_attention(proxy: str, norm: Norm) -> None:
    stage = Stage(8, norm=norm, substages=(Attention(2), FeedForward()))
    assert ZeroCost(proxy, batch_size=16)(replace(SMALL, stages=(stage,)), 0, 0).failure is None


@pytest.mark.parametrize("proxy", NETWORK_PROXIES)
def test_the_seed_of_the_weights_matters(proxy: str) -> None:
    evaluator = ZeroCost(proxy)
    assert evaluator(SMALL, 0, 0).proxy != evaluator(SMALL, 0, 1).proxy


def test_a_proxy_claims_no_accuracy() -> None:
    score = ZeroCost("synflow")(OTHER, 0, 0)
    assert (isnan(score.main), score.values) == (True, {})
    assert score.rank_value == score.proxy


def test_an_unknown_proxy_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(OptionError, match="proxy 'synflo' is unknown: did you mean 'synflow'"):
        ZeroCost("synflo")


def test_a_value_that_is_not_finite_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMULAS, "jacov", lambda *_: float("nan"))
    score = ZeroCost("jacov")(SMALL, 0, 0)
    assert score.failure == "jacov has no finite value for this network"


def test_where_torch_refused_a_network_is_told_by_its_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(FORMULAS, "jacov", lambda *_: torch.ones(2) @ torch.ones(3))
    assert "torch.ones(2) @ torch.ones(3)" in (ZeroCost("jacov")(SMALL, 0, 0).trace or "")


def test_images_that_no_unit_tells_apart_have_no_naswot() -> None:
    twice = Batch(
        torch.ones(2, 1, 8, 8), torch.zeros(2, dtype=torch.int64), TASKS["classification"]
    )
    assert naswot(build(SMALL, (1, 8, 8), 10, 0), twice) == -float("inf")


def test_synflow_of_a_line_is_twice_the_product_of_its_parts() -> None:
    first, second = nn.Linear(2, 1, bias=False), nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[-3.0, 2.0]]))
        second.weight.copy_(torch.tensor([[-4.0]]))
    line = nn.Sequential(nn.Flatten(), first, second)
    batch = Batch(
        torch.zeros(1, 2, 1, 1), torch.zeros(1, dtype=torch.int64), TASKS["classification"]
    )
    assert synflow(line, batch) == pytest.approx(torch.tensor(2 * (3 + 2) * 4.0).log().item())


def test_the_sign_kernel_counts_units_of_equal_sign() -> None:
    x = torch.tensor([[1.0, -1.0, 2.0], [1.0, 1.0, -2.0]])
    with SignKernel(2, x.device) as signs:
        nn.ReLU()(x)
    assert signs.kernel.tolist() == [[3.0, 1.0], [1.0, 3.0]]


def test_equal_input_gradients_make_the_worst_jacov() -> None:
    linear = nn.Sequential(nn.Flatten(), nn.Linear(9, 2))
    batch = Batch(
        torch.rand(4, 1, 3, 3), torch.zeros(4, dtype=torch.int64), TASKS["classification"]
    )
    assert jacov(linear, batch) < -1e5


def test_the_deviation_is_that_of_a_batch_norm_at_its_first_step() -> None:
    x = torch.randn(8, 3, 4, 4) * 5
    norm = nn.BatchNorm2d(3, momentum=1.0)
    norm(x)
    assert norm.running_var is not None
    assert float(deviation(x)) == pytest.approx(norm.running_var.mean().sqrt().item(), rel=1e-6)


class Lost(ZeroCost):
    """A proxy on a device that is lost."""

    def measure(self, *_: object) -> float:
        raise torch.AcceleratorError("CUDA error: an illegal memory access")


def test_the_loss_of_the_device_is_raised_for_the_engine() -> None:
    with pytest.raises(torch.AcceleratorError, match="illegal memory access"):
        Lost("naswot")(SMALL, 0, 0)
