"""RAM and flash of what a device runs, as costs of a search."""

from random import Random
from typing import Any

import pytest
from torch import nn

from neptune_nas.architecture.records import Architecture, Conv, Stage, Stem
from neptune_nas.errors import ArchitectureError, OptionError, OwnCodeError
from neptune_nas.graphs.file_size import file_size
from neptune_nas.graphs.lowering import UnsupportedOperationError
from neptune_nas.graphs.memory_plan import arena
from neptune_nas.metrics.constraints import parse_constraint
from neptune_nas.metrics.costs import Costs
from neptune_nas.metrics.counted import CostModel, device_values
from neptune_nas.metrics.survey import survey
from neptune_nas.nn.references import ReferenceNetwork, plain_network
from neptune_nas.space import Space, choice
from tests.graphs.networks import Gated, Perceptron, lowered
from tests.graphs.test_lowering import Op

SHAPE = (3, 16, 16)
STAGE = Stage(8, Conv(3), pool="none", norm="batch", substages=(Gated(), Conv(3)))
PLAIN = Architecture(Stem(8), (STAGE,))
ATTENTIVE = Architecture(Stem(8), (Stage(8, Conv(3), norm="lrn"),))


def named(*names: str, limits: tuple[str, ...] = ()) -> Costs:
    """Return costs that use these metrics."""
    return Costs(CostModel(SHAPE, 5), frozenset(names), [*map(parse_constraint, limits)])


@pytest.mark.parametrize("architecture", [PLAIN, Perceptron()])
def test_ram_and_flash_are_those_of_the_built_networks_graph(architecture: Any) -> None:
    model, graph = CostModel(SHAPE, 5), lowered(architecture, SHAPE, 5)
    assert model.value("ram", architecture) == arena(graph)
    assert model.value("flash", architecture) == file_size(graph)
    found = model.values(architecture, ["flash", "ram"])
    assert (found["ram"], found["flash"]) == (arena(graph), file_size(graph))
    assert {"ram", "flash"}.isdisjoint(model.values(architecture))


def test_an_architecture_without_int8_kernels_has_neither_but_all_other_costs() -> None:
    model = CostModel(SHAPE, 5)
    assert model.values(ATTENTIVE)["macs"] > 0
    with pytest.raises(UnsupportedOperationError, match=r"stages\.0\.entry: .* norm 'lrn'"):
        model.value("ram", ATTENTIVE)


def test_it_is_infeasible_where_ram_is_limited_or_an_objective() -> None:
    assert named().feasible(ATTENTIVE)
    for costs in (named("ram"), named("ram", limits=("ram<=1MiB",)), named(limits=("flash<1GB",))):
        assert costs.feasible(PLAIN)
        assert not costs.fits(ATTENTIVE)
        assert str(costs.obstacle(ATTENTIVE)).startswith(
            "it cannot be built, or has no cost: stages.0.entry: Conv, pool 'max' and norm 'lrn'"
        )


def test_a_broken_limit_is_said_in_the_units_of_devices() -> None:
    costs = named("ram", limits=("ram<=2KiB",))
    value = costs.value("ram", PLAIN) / 1024
    assert costs.obstacle(PLAIN) == f"it breaks ram <= 2 KiB with {value:.4g} KiB"


def test_a_survey_leaves_out_what_a_device_cannot_run() -> None:
    space: Space[Architecture] = Space(
        "mixed",
        Architecture(Stem(8), (Stage(choice(8, 16), Conv(3), norm=choice("batch", "lrn")),)),
    )
    model = CostModel(SHAPE, 5)
    limits = [parse_constraint("ram<=1MiB")]
    found = survey(space, model.value, limits, Random(0), samples=100)
    assert 0.3 < found.share < 0.7
    assert "norm 'lrn'" in found.unbuildable
    needed = survey(space, model.value, [], Random(0), samples=100, needed=("flops", "flash"))
    assert needed.share == found.share


def test_a_limit_that_nothing_meets_is_refused_with_the_least_ram() -> None:
    space: Space[Architecture] = Space(
        "wide", Architecture(Stem(choice(8, 16)), (Stage(8, Conv(3), norm="batch"),))
    )
    model = CostModel(SHAPE, 5)
    least = min(model.value("ram", each) for each in space) / 1024
    found = survey(space, model.value, [parse_constraint("ram<=1.5KiB")], Random(0), samples=50)
    message = rf"meets ram <= 1\.5 KiB, .* on images: ram {least:.4g} KiB; loosen"
    with pytest.raises(OptionError, match=message):
        found.require_example("images")


class Failing(Perceptron):
    """A user's network that fails as it runs."""

    def build(self, *_: Any) -> nn.Module:
        """Return a module that fails."""
        return Op(lambda _: next(iter(())))


def test_code_that_fails_is_the_users_mistake_and_not_an_operation_without_a_kernel() -> None:
    with pytest.raises(OwnCodeError, match=r"network: `Failing` as it ran failed.*StopIteration"):
        CostModel(SHAPE, 5).value("ram", Failing())


def test_images_that_are_too_small_are_refused() -> None:
    deep = Architecture(Stem(8), (Stage(8, Conv(3), norm="batch"),) * 5)
    with pytest.raises(ArchitectureError, match="needs images of at least 32x32 pixels"):
        CostModel(SHAPE, 5).value("flash", deep)


def test_a_reference_network_needs_what_its_architecture_does() -> None:
    needed = device_values(ReferenceNetwork("plain-8", SHAPE, 5))
    model = CostModel(SHAPE, 5)
    assert needed == {name: model.value(name, plain_network(8, SHAPE)) for name in needed}
    assert needed.keys() == {"ram", "flash"}


def test_a_reference_network_that_no_device_runs_needs_nothing_known() -> None:
    assert device_values(ReferenceNetwork("shufflenet_v2_x0_5", SHAPE, 5)) == {}
