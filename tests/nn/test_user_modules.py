"""Users' records in the place of an `Architecture`."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from neptune_nas.architecture.records import Architecture, Attention, Conv, Stage, Stem
from neptune_nas.deploy.export import export
from neptune_nas.deploy.formats import file_kind
from neptune_nas.errors import ArchitectureError, OptionError, OwnCodeError
from neptune_nas.evaluators.proxies import last_map
from neptune_nas.evaluators.zero_cost import PROXIES, ZeroCost
from neptune_nas.metrics.counted import CostModel
from neptune_nas.models.architecture_file import without_study
from neptune_nas.models.model import make_untrained
from neptune_nas.nn.builder import build, is_buildable, least_size
from tests.nn import plain
from tests.nn.contract_network import OUTPUTS, SHAPE, NetworkContract
from tests.nn.plain import Faulty, Maps, Plain, Reads

MODEL = CostModel(SHAPE, OUTPUTS)


class TestNeptune(NetworkContract):
    """The family that ships."""

    def record(self) -> Architecture:
        return self.of(8)

    def wider(self) -> Architecture:
        return self.of(16)

    def of(self, width: int) -> Architecture:
        return Architecture(Stem(8), (Stage(width, substages=(Conv(), Attention(2))),))


class TestPlain(NetworkContract):
    """A function of width and depth."""

    allow = (Plain,)

    def record(self) -> Plain:
        return Plain()

    def wider(self) -> Plain:
        return Plain(width=12)


class TestReads(NetworkContract):
    """A record that cannot be built on the meta device, but counted there."""

    allow = (Reads,)

    def record(self) -> Plain:
        return Reads()

    def wider(self) -> Plain:
        return Reads(width=12)


def test_a_network_of_ones_own_is_one_part() -> None:
    assert [name for name, _ in MODEL.breakdown(Plain())] == ["network"]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("divides", r"`Faulty\.build\(\(1, 8, 8\), 10\)` failed in line \d+ of plain\.py: Zero"),
        ("returns a number", r"`Faulty\.build` must return a torch\.nn\.Module, but got 10"),
        ("gives rows", r".*logits \(N, 10\) for N images, .* gave \(1, 1, 64\)\."),
        ("gives a list", r".*logits \(N, 10\) .* it gave a list\."),
        ("runs wrong", r"`Faulty` as it ran failed in line \d+ of plain\.py: AttributeError: "),
    ],
)
def test_what_breaks_the_contract_is_told_with_its_class(how: str, message: str) -> None:
    with pytest.raises(OwnCodeError, match=rf"^network: {message}") as caught:
        MODEL.cost(Faulty(how))
    assert "Faulty" in str(caught.value)


def test_the_line_of_a_users_own_file_is_the_one_that_fails() -> None:
    lines = Path(plain.__file__).read_text().splitlines()
    number = 1 + next(i for i, line in enumerate(lines) if "outputs // 0" in line)
    with pytest.raises(OwnCodeError, match=rf"in line {number} of plain\.py"):
        build(Faulty("divides"), SHAPE, OUTPUTS)


@pytest.mark.parametrize(
    ("record", "shape", "message"),
    [
        (Plain(), (1, 3, 3), "network: `Plain` needs images of at least 4x4 pixels"),
        (Faulty(""), SHAPE, r"network: `Faulty\.build` failed: .*negative dimension"),
    ],
)
def test_images_that_do_not_fit_leave_the_network_out(
    record: Plain, shape: tuple[int, int, int], message: str
) -> None:
    with pytest.raises(ArchitectureError, match=message):
        CostModel(shape, OUTPUTS).cost(record)


@dataclass(frozen=True)
class Recorded:
    """A record of someone else's table."""

    build: int = 3


def test_a_record_that_builds_nothing_is_no_network() -> None:
    assert [is_buildable(each) for each in (Plain(), Recorded(), Conv())] == [True, False, False]
    with pytest.raises(ArchitectureError, match="is a Recorded: a space of other networks can"):
        MODEL.cost(Recorded())  # type: ignore[arg-type]  # the mistake


def test_a_network_of_ones_own_refuses_small_images_itself() -> None:
    assert least_size(Plain()) == 1


@pytest.mark.parametrize("proxy", [each for each in PROXIES if each != "zen-score"])
def test_proxies_look_at_any_network(proxy: str) -> None:
    scores = [ZeroCost(proxy)(record, 0, 1) for record in (Plain(), Plain(width=16))]
    assert [score.failure for score in scores] == [None, None]
    assert scores[0].proxy != scores[1].proxy


def test_a_proxy_that_looks_at_maps_says_what_a_network_lacks() -> None:
    with pytest.raises(OptionError, match=r"`Sequential` has no `forward_features\(images\)`"):
        ZeroCost("zen-score")(Plain(), 0, 1)
    assert ZeroCost("zen-score")(Maps(), 0, 1).failure is None


def test_the_proxy_of_maps_is_that_of_the_last_of_several() -> None:
    architecture = Architecture(Stem(8), (Stage(8), Stage(16)))
    network, images = build(architecture, SHAPE, OUTPUTS, 0).eval(), torch.zeros(1, *SHAPE)
    assert torch.equal(last_map(network, images), network.forward_features(images)[-1])


def test_its_source_is_no_file_that_needs_torch_alone(tmp_path: Path) -> None:
    model = make_untrained(without_study(Plain(), SHAPE, OUTPUTS))
    with pytest.raises(ArchitectureError, match=r"`Plain\.build`, code of your own, .*onnx or pt2"):
        export(model, file_kind("python"), tmp_path / "net.py")
    assert not [*tmp_path.iterdir()]
