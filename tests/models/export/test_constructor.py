from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from neptune_nas.architecture.records import Architecture, Stage
from neptune_nas.errors import ArchitectureError
from neptune_nas.models.architecture_file import bare
from neptune_nas.models.export.constructor import LINE, Call, constructor, render
from neptune_nas.nn.network import Neptune
from neptune_nas.nn.references import REFERENCES, ReferenceNetwork
from tests.strategies import architectures

SHAPE = (2, 16, 16)


@dataclass(frozen=True)
class Own:
    def build(self, width: int) -> nn.Module:
        return nn.Conv2d(width, width, 1)


def made(call: Call) -> nn.Module:
    """What the call's text makes, with nothing in reach but what it calls."""
    names: dict[str, Any] = {each.make.__name__: each.make for each in call.calls()}
    network: nn.Module = eval(render(call, indent=0), names)
    return network


@settings(max_examples=40)
@given(architectures())
def test_the_text_makes_the_network_that_is_built_from_the_architecture(
    architecture: Architecture,
) -> None:
    item = bare(architecture, SHAPE, 3)
    built, network = item.build(seed=0).eval(), made(constructor(item)).eval()
    network.load_state_dict(built.state_dict())
    images = torch.rand(2, *SHAPE)
    with torch.inference_mode():
        assert torch.equal(network(images), built(images))
    assert str(network) == str(built)


@settings(max_examples=40)
@given(architectures())
def test_every_line_fits_and_none_says_what_goes_without_saying(architecture: Architecture) -> None:
    lines = render(constructor(bare(architecture, SHAPE, 3)), 4, "return ").splitlines()
    assert max(map(len, lines)) <= LINE
    assert not any("stride=1" in line or "bias=False" in line for line in lines)


@pytest.mark.parametrize("name", ["resnet8", "resnet20"])
def test_a_small_residual_network_is_one_call(name: str) -> None:
    call = constructor(ReferenceNetwork(name, (1, 8, 8), 3))
    assert render(call) == f"{name}(1, 3)"
    assert len(made(call).state_dict()) > 0


@pytest.mark.parametrize("name", [name for name in REFERENCES if not name.startswith("resnet")])
def test_torchvisions_networks_are_refused(name: str) -> None:
    with pytest.raises(ArchitectureError, match=f"'{name}' is torchvision's.*onnx or pt2"):
        constructor(ReferenceNetwork(name, (3, 32, 32), 3))


def test_a_users_own_record_is_refused_by_name() -> None:
    item = bare(Architecture(stages=(Stage(substages=(Own(),)),)), (1, 8, 8), 3)
    with pytest.raises(ArchitectureError, match=r"Own\(\) is a record of your own.*onnx, pt2"):
        constructor(item)


@given(st.lists(st.text()).map(tuple))
def test_any_labels_can_be_read_again(labels: tuple[str, ...]) -> None:
    assert eval(render(labels, 0, "")) == labels


def test_what_fits_stays_on_one_line_and_what_does_not_has_one_an_item() -> None:
    assert render(("a", 1), 0, "X = ") == 'X = ("a", 1)'
    long = render(("a" * 60, "b" * 60), 0, "X = ")
    assert long.splitlines() == ["X = (", f'    "{"a" * 60}",', f'    "{"b" * 60}",', ")"]


def test_options_at_their_default_are_left_out() -> None:
    call = Call(Neptune, (3,), {"num_stages": 3, "classes": 7})
    assert render(call) == "Neptune(3, classes=7)"
