"""The spaces to start from: every random network of theirs can be built for their images."""

from pathlib import Path
from random import Random
from statistics import median

import pytest
import torch

from neptune_nas import Architecture, Space
from neptune_nas.metrics.counted import CostModel, cost
from neptune_nas.models.fit import is_shape
from neptune_nas.nn.builder import Shape, build, head_task
from neptune_nas.space import find_space, list_spaces
from neptune_nas.tasks.registry import find_task

FOLDER = Path(__file__).parents[2] / "search_spaces"
SHAPES: dict[str, Shape] = {
    "attention": (3, 32, 32),
    "auto": (3, 32, 32),
    "bccd": (3, 60, 80),
    "camvid": (3, 90, 120),
    "cifar10": (3, 32, 32),
    "default": (1, 8, 8),
    "digits-boxes": (1, 48, 48),
    "digits-scenes": (1, 48, 48),
    "imagenet": (3, 224, 224),
    "micro": (3, 32, 32),
    "micro96": (3, 96, 96),
    "mnist": (1, 28, 28),
    "mobile": (3, 32, 32),
    "nasbench-macro": (3, 32, 32),
    "tiny": (1, 8, 8),
}
MODELS = {name: CostModel(shape, 10) for name, shape in SHAPES.items()}


def samples(name: str, count: int) -> list[Architecture]:
    """Half of them uniform over architectures, half uniform at each choice."""
    rng, space = Random(0), find_space(name)
    return [space.sample(rng, by=by) for by in ("architecture", "choice") for _ in range(count)]


def output_shape(architecture: Architecture, name: str) -> tuple[int | None, ...]:
    """Return the shape of what a network for ten classes gives for an image of its space."""
    task = find_task(head_task(architecture) or "")
    return task.output_shape(10, *SHAPES[name][1:])


def test_every_shipped_space_has_its_images_here() -> None:
    assert tuple(SHAPES) == list_spaces()


@pytest.mark.parametrize("name", SHAPES)
def test_the_cost_of_the_parts_is_that_of_the_network(name: str) -> None:
    for architecture in samples(name, 3):
        with torch.device("meta"):
            network = build(architecture, SHAPES[name], 10)
        assert MODELS[name].cost(architecture) == cost(network, SHAPES[name])


@pytest.mark.parametrize("name", [name for name in SHAPES if name != "imagenet"])
def test_a_network_of_every_space_tells_ten_classes_apart(name: str) -> None:
    for architecture in samples(name, 1):
        network = build(architecture, SHAPES[name], 10, seed=0).eval()
        found = network(torch.rand(2, *SHAPES[name]))
        assert is_shape(found, (2, *output_shape(architecture, name)))


@pytest.mark.parametrize("name", SHAPES)
def test_a_network_of_every_space_takes_a_batch_of_no_images(name: str) -> None:
    for architecture in samples(name, 3):
        network = build(architecture, SHAPES[name], 10, seed=0).train()
        shape = (0, *output_shape(architecture, name))
        assert is_shape(network(torch.rand(0, *SHAPES[name])), shape)
        assert is_shape(network.eval()(torch.rand(0, *SHAPES[name])), shape)


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("default", 0.1, 5), ("mnist", 0.3, 3), ("cifar10", 5, 60), ("imagenet", 200, 2_000)],
)
def test_half_of_a_space_is_of_the_size_it_says(name: str, least: float, most: float) -> None:
    flops = [MODELS[name].cost(architecture).flops / 1e6 for architecture in samples(name, 15)]

    assert least < median(flops) < most


@pytest.mark.parametrize("name", SHAPES)
def test_every_architecture_drawn_has_a_neighbor_a_child_and_a_number(name: str) -> None:
    space: Space[Architecture] = find_space(name)
    rng = Random(1)
    a, b = samples(name, 1)

    assert space[space.index(a)] == a
    assert space.distance(a, space.mutate(a, rng)) == 1
    assert space.crossover(a, b, rng) in space
    assert space.decode(space.picks(b)) == b


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.py")), ids=lambda file: file.stem)
def test_the_header_of_a_space_says_where_it_comes_from(file: Path) -> None:
    header = file.read_text().split('"""')[1]

    assert "Ours" in header or "arXiv" in header
