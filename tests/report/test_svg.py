from dataclasses import dataclass
from xml.etree import ElementTree

from torch import nn

from neptune_nas.architecture.fields import UnknownRecord
from neptune_nas.architecture.records import Architecture, Conv, Stage
from neptune_nas.metrics.counted import CostModel
from neptune_nas.report.svg import draw_svg
from tests.nn.plain import Plain
from tests.report.fixtures import MODEL, make_results

NAMESPACE = {"svg": "http://www.w3.org/2000/svg"}


@dataclass(frozen=True)
class Own:
    """A user's SubStage, with a field that HTML would act on."""

    kind: str = "<b>&"

    def build(self, width: int) -> nn.Module:
        return nn.Conv2d(width, width, 1)


def drawn(architecture: Architecture) -> ElementTree.Element:
    return ElementTree.fromstring(draw_svg(architecture, MODEL))


def test_a_drawing_has_a_box_a_stage_and_a_node_a_row() -> None:
    for trial in make_results(5).trials:
        root, stages = drawn(trial.architecture), trial.architecture.stages
        texts = [text.text for text in root.findall("svg:text", NAMESPACE)]
        rows = 3 + sum(1 + len(stage.substages) for stage in stages)
        assert len(root.findall("svg:circle", NAMESPACE)) == rows
        assert [t for t in texts if t and t.startswith("Stage ")] == [
            f"Stage {i + 1}" for i in range(len(stages))
        ]


def test_a_drawing_states_widths_resolutions_and_shares() -> None:
    text = draw_svg(Architecture(stages=(Stage(24, substages=(Conv(5),)),)), MODEL)
    assert "24 \N{MULTIPLICATION SIGN} 4 \N{MULTIPLICATION SIGN} 4" in text
    assert "conv 5x5" in text
    assert "%</text>" in text
    assert text.count(">share of MACs<") == 1


def test_a_drawing_without_counts_shows_no_shares() -> None:
    architecture = Architecture(stages=(Stage(24, substages=(Conv(5),)),))
    text = draw_svg(architecture, MODEL, counted=False)
    assert "conv 5x5" in text
    assert "%" not in text
    assert "share of MACs" not in text


def test_wiring_changes_the_drawing() -> None:
    substages = (Conv(), Conv(), Conv())
    pictures = {
        draw_svg(Architecture(stages=(Stage(8, connections=wiring, substages=substages),)), MODEL)
        for wiring in ("chain", "residual", "sparse", "dense")
    }
    assert len(pictures) == 4


def test_everything_is_inside_the_picture() -> None:
    root = drawn(make_results(5).trials[0].architecture)
    height = int(root.attrib["viewBox"].split()[3])
    for shape in root.findall("svg:rect", NAMESPACE):
        assert float(shape.attrib["y"]) >= 0
        assert float(shape.attrib["y"]) + float(shape.attrib["height"]) <= height
    assert all(float(t.attrib["y"]) < height for t in root.findall("svg:text", NAMESPACE))
    assert all(float(c.attrib["cy"]) < height for c in root.findall("svg:circle", NAMESPACE))


def test_a_users_own_substage_is_drawn_and_escaped() -> None:
    architecture = Architecture(stages=(Stage(8, substages=(Own(),)),))
    text = draw_svg(architecture, CostModel((1, 8, 8), 10))
    assert "Own, kind &lt;b&gt;&amp;" in text
    assert "<b>" not in text


def test_a_file_of_its_own_brings_its_colours() -> None:
    architecture = make_results(5).trials[0].architecture
    assert "prefers-color-scheme:dark" in draw_svg(architecture, MODEL, standalone=True)
    assert "<style" not in draw_svg(architecture, MODEL)


def test_a_network_whose_parts_are_not_known_has_no_shares() -> None:
    text = draw_svg(Plain(8, 3), CostModel((1, 8, 8), 10))
    root = ElementTree.fromstring(text)
    texts = [each.text for each in root.findall("svg:text", NAMESPACE)]
    assert texts[-2:] == ["width 8", "depth 3"]
    assert root.attrib["aria-label"] == "network Plain"
    assert not root.findall("svg:rect", NAMESPACE)
    assert "share of MACs" not in text


def test_a_record_of_unknown_class_is_drawn_without_shares_and_escaped() -> None:
    part = UnknownRecord("shop:Scale", (("text", "<script>"),))
    for network in (part, Architecture(stages=(Stage(8, substages=(part,)),))):
        svg = draw_svg(network, MODEL, standalone=True)  # type: ignore[arg-type]  # it builds nothing
        ElementTree.fromstring(svg)
        assert "&lt;script&gt;" in svg
        assert "%" not in svg
        assert "share of MACs" not in svg
