import re

import pytest

from neptune_nas.architecture.records import Architecture, Conv, InvertedResidual, Stage, Stem
from neptune_nas.graphs.graph import Graph
from neptune_nas.graphs.joining import GraphModel
from neptune_nas.graphs.memory_plan import peak, plan, runtime_memory
from neptune_nas.metrics.registry import metric
from neptune_nas.report.memory_map import memory_map

RAM = metric("ram")


@pytest.fixture(scope="module")
def graph() -> Graph:
    stage = Stage(24, InvertedResidual(3, 3), 2, "none", "batch", substages=(Conv(3),))
    return GraphModel((3, 32, 32), 10).graph(Architecture(Stem(16), (stage,)))


def rectangles(svg: str) -> list[tuple[float, ...]]:
    """Return left, top, width and height of each rectangle."""
    form = r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"'
    return [tuple(map(float, found)) for found in re.findall(form, svg)]


def test_each_map_has_a_rectangle_as_long_as_its_life_and_as_high_as_its_bytes(
    graph: Graph,
) -> None:
    found, planned = rectangles(memory_map(graph)), plan(graph)
    assert len(found) == len(planned)
    steps = [
        width / (each.end - each.start + 1)
        for (_, _, width, _), each in zip(found, planned, strict=True)
    ]
    assert max(steps) == pytest.approx(min(steps), rel=0.01)
    scale = max(height for *_, height in found) / max(each.size for each in planned)
    for (*_, height), each in zip(found, planned, strict=True):
        assert height == pytest.approx(each.size * scale, abs=0.1)  # px, written to a tenth


def test_maps_of_the_same_time_do_not_overlap(graph: Graph) -> None:
    found = rectangles(memory_map(graph))
    for i, (x, y, width, height) in enumerate(found):
        for other_x, other_y, other_width, other_height in found[:i]:
            apart = x + width <= other_x + 0.2 or other_x + other_width <= x + 0.2
            assert apart or y + height <= other_y + 0.2 or other_y + other_height <= y + 0.2


def test_it_says_the_peak_and_what_the_runtime_keeps(graph: Graph) -> None:
    svg = memory_map(graph)
    assert f"peak {RAM.text(peak(plan(graph)))}, in operation" in svg
    assert f"keeps {RAM.text(runtime_memory(graph))} more" in svg


def test_the_maps_at_the_peak_are_marked_and_named(graph: Graph) -> None:
    blocks = memory_map(graph).split("<rect")[1:]
    marked = [i for i, block in enumerate(blocks) if 'fill-opacity="0.75"' in block]
    assert sum(plan(graph)[i].size for i in marked) == peak(plan(graph))
    titles = [re.findall("<title>(.*)</title>", blocks[i])[0] for i in marked]
    assert [title.split(",")[0] for title in titles] == ["3x3 convolution", "1x1 convolution"]
    assert all(re.search(r", (16|48) KiB, operations \d+ to \d+$", title) for title in titles)
