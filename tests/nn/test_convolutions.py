import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.utils._python_dispatch import TorchDispatchMode

from neptune_nas.nn.convolutions import FullPrecisionConv, SampledConv, StridedConv, mend, mended
from tests.nn.gradients import shipped

ROOT = Path(__file__).parents[2]
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
"""What makes torch leave AVX-512 alone, whose blocks are larger."""
WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}  # two threads would keep both cores busy between layers


class Scaled(nn.Conv2d):
    """Torch's convolution with an addition of its own."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # torch's name
        return super().forward(input) * 2


class Own(nn.Conv2d):
    """A convolution that is computed otherwise."""

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return torch.conv2d(x, weight.relu(), bias, 2)


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of the layers that are shipped: finding them takes longer than trying them."""
    file = tmp_path_factory.mktemp("gradients") / "layers.pickle"
    file.write_bytes(pickle.dumps([*dict.fromkeys(shipped())]))
    return file


@pytest.mark.xdist_group("gradients")  # the layers are found once
@pytest.mark.parametrize("limits", [{}, AVX2], ids=["as it is", "AVX2"])
def test_strided_convolutions_have_the_gradients_of_float64(
    layers: Path, limits: dict[str, str]
) -> None:
    program = [sys.executable, "-X", "faulthandler", "-m", "tests.nn.gradients", str(layers)]
    variables = {**os.environ, **WAITING, **limits}
    ended = subprocess.run(
        program, cwd=ROOT, env=variables, timeout=240, capture_output=True, text=True
    )
    last = ended.stdout.strip().splitlines()[-1:]
    assert ended.returncode == 0, f"{last} ended with {ended.returncode}: {ended.stderr[-2000:]}"


@pytest.mark.parametrize(
    ("conv", "kind"),
    [
        (nn.Conv2d(3, 8, 1, 2), SampledConv),
        (nn.Conv2d(15, 8, 1, (1, 2), dilation=3), SampledConv),
        (nn.Conv2d(3, 8, 1, 2, padding="valid"), SampledConv),
        (nn.Conv2d(3, 8, 1, 2, padding=1), nn.Conv2d),
        (nn.Conv2d(3, 8, 1, 2, padding=(0, 1)), nn.Conv2d),
        (nn.Conv2d(3, 8, 1), nn.Conv2d),
        (nn.Conv2d(16, 8, 1, 2), nn.Conv2d),
        (nn.Conv2d(8, 8, 1, 2, groups=2), nn.Conv2d),
        (nn.Conv2d(8, 8, 1, 2, groups=8), FullPrecisionConv),
        (nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d),
        (nn.Conv2d(8, 8, (3, 1), groups=8), FullPrecisionConv),
        (nn.Conv2d(3, 8, (1, 3), (2, 1)), StridedConv),
    ],
)
def test_a_convolution_is_replaced_by_its_form(conv: nn.Conv2d, kind: type[nn.Conv2d]) -> None:
    assert type(mend(conv)) is kind


def test_nothing_but_the_class_of_a_mended_convolution_is_new() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 1, 2), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1))
    before = dict(network.named_parameters())
    assert mend(network) is network
    assert [type(module) for module in network] == [SampledConv, nn.ReLU, StridedConv]
    after = dict(network.named_parameters())
    assert [*after] == [*before]
    assert all(after[name] is before[name] for name in before)


def test_mending_twice_is_mending_once() -> None:
    assert type(mend(mend(nn.Conv2d(3, 8, 1, 2)))) is SampledConv
    once = mend(Scaled(3, 8, 1, 2))
    assert type(mend(once)).__bases__ == (SampledConv, Scaled)


def test_what_a_function_makes_is_mended() -> None:
    @mended
    def pointwise(channels: int, *, stride: int) -> nn.Conv2d:
        """Return the docstring."""
        return nn.Conv2d(channels, 8, 1, stride)

    assert type(pointwise(3, stride=2)) is SampledConv
    assert pointwise.__doc__ == "Return the docstring."


def test_additions_to_a_convolution_are_kept() -> None:
    x, conv = torch.randn(2, 3, 6, 6), Scaled(3, 8, 1, 2)
    expected = conv(x)
    assert isinstance(mend(conv), SampledConv)
    assert isinstance(conv, Scaled)
    assert torch.allclose(conv(x), expected, atol=1e-6)
    assert torch.equal(copy.deepcopy(conv)(x), conv(x))


def test_a_convolution_with_a_computed_weight_is_mended() -> None:
    x, conv = torch.randn(2, 3, 6, 6), weight_norm(nn.Conv2d(3, 8, 1, 2))
    expected, names = conv(x), [*conv.state_dict()]
    assert isinstance(mend(conv), SampledConv)
    assert torch.allclose(conv(x), expected, atol=1e-6)
    assert [*conv.state_dict()] == names


def test_a_convolution_that_computes_otherwise_is_left_alone() -> None:
    assert type(mend(Own(3, 8, 1, 2))) is Own


def test_what_does_not_learn_is_torch_s_own_convolution() -> None:
    x, conv = torch.randn(2, 3, 6, 6), mend(nn.Conv2d(3, 8, 1, 2))
    assert operations(conv, x) == ["slice", "slice", "convolution"]
    with torch.no_grad():
        assert operations(conv, x) == ["convolution"]
    assert operations(conv.requires_grad_(False), x.requires_grad_()) == ["convolution"]


def operations(module: nn.Module, x: Tensor) -> list[str]:
    """Return what torch runs for a forward pass."""
    found: list[str] = []
    with Names(found):
        module(x)
    return found


class Names(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's class has no types
    """Notes the name of each operation that runs inside."""

    def __init__(self, found: list[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's class has no types
        self.found = found

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.found.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("shape", [(3, 6, 6), (2, 3, 1, 5), (0, 3, 4, 4)])
def test_maps_of_any_size_give_what_torch_s_own_convolution_gives(shape: tuple[int, ...]) -> None:
    plain, x = nn.Conv2d(3, 8, 1, (2, 3)), torch.randn(*shape)
    expected = plain(x)
    assert torch.allclose(mend(plain)(x), expected, atol=1e-6)
