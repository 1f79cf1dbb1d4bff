"""Heads for segmentation and detection: levels, sizes, costs, and when stages change."""

import weakref

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neptune_nas import DecoderHead, DetectionHead, LrasppHead, Space, build, choice
from neptune_nas.architecture.codec import from_json, key, to_json
from neptune_nas.architecture.dense_heads import DETECTION, SEGMENTATION, DenseHead, Merge
from neptune_nas.architecture.description import LEGEND, describe
from neptune_nas.architecture.records import Architecture, Conv, Head, Stage, Stem, level_places
from neptune_nas.errors import ArchitectureError, SpaceError
from neptune_nas.graphs.joining import GraphModel
from neptune_nas.graphs.lowering import UnsupportedOperationError
from neptune_nas.metrics.counted import CostModel, cost, count_part
from neptune_nas.metrics.part_costs import part_counts
from neptune_nas.models.architecture_file import without_study
from neptune_nas.models.export.facts import facts
from neptune_nas.models.model import make_untrained
from neptune_nas.nn import network as networks
from neptune_nas.nn.builder import DensePlace, head_task, parts
from neptune_nas.nn.dense_heads import DISTANCES, LENGTHS, POINT, LrasppBlock
from neptune_nas.nn.inheritance import inherit
from neptune_nas.report.drawing import rows

STAGES = (
    Stage(6, pool="none", norm="batch", substages=(Conv(),)),
    Stage(8, pool="none", stride=2, norm="batch"),
    Stage(12, pool="max", norm="lrn"),
    Stage(16, pool="none", stride=2, norm="mln", substages=(Conv(1),)),
)
HEADS: tuple[DenseHead, ...] = (
    LrasppHead(8),
    DecoderHead(6, 1),
    DecoderHead(6, 3, "concat", 5, 1),
    DecoderHead(4, 2, "concat"),
    DecoderHead(4, 2, groups=1),
    DetectionHead(6),
    DetectionHead(4, 3, 2, groups=1),
    DetectionHead(4, 1, 0, 5),
)
heads = st.one_of(
    st.builds(LrasppHead, st.integers(1, 9)),
    st.builds(
        DecoderHead,
        width=st.integers(1, 9),
        skips=st.integers(1, 3),
        merge=st.sampled_from(("add", "concat")),
        kernel=st.sampled_from((1, 3, 5)),
        groups=st.sampled_from((1, "depthwise")),
    ),
    st.builds(
        DetectionHead,
        width=st.integers(1, 9),
        levels=st.integers(1, 4),
        depth=st.integers(0, 2),
        kernel=st.sampled_from((1, 3, 5)),
        groups=st.sampled_from((1, "depthwise")),
    ),
)
SIDES = st.integers(9, 40)


def with_head(head: DenseHead | Head) -> Architecture:
    """Return a network of four resolutions: the stem's, and three of its stages."""
    return Architecture(Stem(4), STAGES, head)


@given(heads, SIDES, SIDES, st.integers(1, 6))
@settings(deadline=None, max_examples=40)
def test_outputs_cover_the_image_and_parts_cost_what_the_network_does(
    head: DenseHead, height: int, width: int, outputs: int
) -> None:
    shape = (2, height, width)
    network = build(with_head(head), shape, outputs, seed=0).eval()
    found = network(torch.rand(2, *shape))
    if head.task == SEGMENTATION:
        assert found.shape == (2, outputs, height, width)
    else:
        place = parts(with_head(head), shape, outputs)[-1].what
        assert isinstance(place, DensePlace)
        points = sum(high * wide for _, high, wide in place.maps)
        assert found.shape == (2, points, LENGTHS + outputs)
    assert CostModel(shape, outputs).cost(with_head(head)) == cost(network, shape)
    for part in parts(with_head(head), shape, outputs):
        counted = count_part(part)
        assert part_counts(part) == (counted.macs, counted.params, counted.activations)


@pytest.mark.parametrize("head", HEADS, ids=str)
def test_every_weight_of_a_head_is_trained(head: DenseHead) -> None:
    network = build(with_head(head), (1, 16, 16), 3, seed=0).train()
    network(torch.rand(3, 1, 16, 16)).square().sum().backward()
    gradients = {name: p.grad for name, p in network.head.named_parameters()}
    assert all(each is not None and bool(each.abs().sum() > 0) for each in gradients.values())


def test_a_head_reads_the_last_map_of_each_resolution_from_the_smallest() -> None:
    assert level_places(with_head(HEADS[0])) == (4, 3, 2, 1)
    plain = Architecture(Stem(4), (Stage(8), Stage(8, pool="none"), Stage(8, stride=2, pool="avg")))
    assert level_places(plain) == (3, 2, 0)


@pytest.mark.parametrize("head", [HEADS[0], HEADS[2]], ids=str)
def test_modules_have_the_levels_of_their_records(head: DenseHead) -> None:
    found = build(with_head(head), (1, 16, 16), 3)
    assert networks.level_places(found.stages) == level_places(with_head(head))


@pytest.mark.parametrize("head", HEADS, ids=str)
def test_json_and_key_survive(head: DenseHead) -> None:
    architecture = with_head(head)
    assert from_json(to_json(architecture)) == architecture
    assert key(architecture) != key(with_head(Head()))


def test_more_resolutions_than_there_are_are_refused_with_the_number() -> None:
    with pytest.raises(
        ArchitectureError, match="reads maps of 3 resolutions, but there are 2, one"
    ):
        Architecture(stages=(Stage(8),), head=DecoderHead(skips=2))
    with pytest.raises(ArchitectureError, match="maps of 2 resolutions, but there are 1"):
        Architecture(stages=(Stage(8, pool="none"),), head=LrasppHead())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"width": 0}, r"`DecoderHead\.width` must be a whole number"),
        ({"skips": 0}, r"`DecoderHead\.skips` must be a whole number"),
        ({"merge": "sum"}, r"`DecoderHead\.merge` must be one of"),
        ({"kernel": 2}, r"`DecoderHead\.kernel` must be"),
        ({"groups": 2}, r"`DecoderHead\.groups` must be"),
    ],
)
def test_a_field_out_of_its_range_is_named(change: dict[str, int], told: str) -> None:
    with pytest.raises(ArchitectureError, match=told):
        DecoderHead(**change)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"levels": 0}, r"`DetectionHead\.levels` must be a whole number"),
        ({"depth": -1}, r"`DetectionHead\.depth` must be a whole number"),
        ({"kernel": 4}, r"`DetectionHead\.kernel` must be"),
        ({"groups": 4}, r"`DetectionHead\.groups` must be"),
    ],
)
def test_a_field_of_a_detector_out_of_its_range_is_named(change: dict[str, int], told: str) -> None:
    with pytest.raises(ArchitectureError, match=told):
        DetectionHead(**change)  # type: ignore[arg-type]  # wrong on purpose


def test_the_fields_of_a_head_are_open_to_a_space() -> None:
    merge: Merge = choice("add", "concat")
    head = choice(LrasppHead(choice(8, 16)), DecoderHead(choice(4, 8, 12), choice(1, 2), merge))
    space = Space("heads", Architecture(Stem(4), STAGES, head))
    assert space.size == 2 + 3 * 2 * 2
    assert len({key(space[i]) for i in range(14)}) == 14
    assert {head_task(space[i]) for i in range(14)} == {SEGMENTATION}


def test_a_space_with_too_few_resolutions_for_a_head_names_it() -> None:
    space = Space("few", Architecture(stages=(Stage(8),), head=DecoderHead(skips=choice(1, 2))))
    with pytest.raises(SpaceError, match=r"reads maps of 3 resolutions.* Rule it out with `where"):
        [space[i] for i in range(2)]


@pytest.mark.parametrize("head", ["mean", None, Conv(), LrasppHead])
def test_what_is_no_head_is_refused(head: object) -> None:
    with pytest.raises(ArchitectureError, match=r"`Architecture\.head` must be a Head, an Lraspp"):
        Architecture(head=head)


def test_what_a_head_is_for() -> None:
    assert head_task(with_head(Head())) == "classification"
    assert head_task(object()) is None


@pytest.mark.parametrize(
    ("head", "line"),
    [
        (HEADS[0], "lraspp8"),
        (HEADS[2], "unet6x3 conv5"),
        (HEADS[1], "fpn6x1 dw3"),
        (DetectionHead(8, 2, 1), "fcos8x2d1 dw3"),
    ],
)
def test_the_line_of_an_architecture_ends_with_its_head(head: DenseHead, line: str) -> None:
    assert describe(with_head(head)).endswith(f" | {line}")
    assert all(word in LEGEND for word in ("lraspp", "fpn", "unet", "fcos"))


def test_a_drawing_shows_the_head_and_the_size_of_its_logits() -> None:
    *_, last = rows(with_head(HEADS[1]), CostModel((1, 16, 16), 3))
    assert last.label == "FPN 6, 1 skip, depthwise 3x3"
    assert last.shape == (3, 4, 4)


def test_a_stage_can_be_taken_out_from_under_a_head() -> None:
    network = build(with_head(LrasppHead(8)), (1, 16, 16), 3, seed=0)
    less = network.without_stage(3)
    assert isinstance(less.head, LrasppBlock)
    assert less.head.in_channels == (12, 8)
    assert less(torch.rand(2, 1, 16, 16)).shape == (2, 3, 16, 16)
    assert torch.equal(less.head.conv.weight, network.head.conv.weight[:, :12])  # type: ignore[union-attr, index]  # the same class


def test_stages_without_the_resolutions_that_a_head_reads_are_refused() -> None:
    network = build(with_head(DecoderHead(4, 3)), (1, 16, 16), 3)
    with pytest.raises(ArchitectureError, match="maps of 4 resolutions, but these stages have 3"):
        network.without_stage(3)


def test_all_but_the_last_layers_of_a_head_are_inherited_for_other_classes() -> None:
    trained, other = (build(with_head(DecoderHead(4, 1)), (1, 16, 16), n, n) for n in (3, 5))
    assert 0.9 < inherit(other, trained, classifier=False) < 1
    ours, theirs = other.head.state_dict(), trained.head.state_dict()
    assert torch.equal(ours["laterals.0.filter.weight"], theirs["laterals.0.filter.weight"])
    assert not torch.equal(ours["classify.weight"][:3], theirs["classify.weight"])


def test_ram_and_flash_of_a_detector_are_refused_with_a_remedy() -> None:
    with pytest.raises(UnsupportedOperationError, match="DetectionHead: detection in int8 is not"):
        GraphModel((1, 16, 16), 3).graph(with_head(DetectionHead()))


def test_a_map_that_the_head_does_not_read_is_not_kept() -> None:
    architecture = with_head(DecoderHead(4, 1))
    network = build(architecture, (1, 16, 16), 3, seed=0).eval()
    alive: list[weakref.ref[torch.Tensor]] = []
    network.stem.register_forward_hook(lambda *call: alive.append(weakref.ref(call[2])))
    gone: list[bool] = []
    network.head.register_forward_pre_hook(lambda *_: gone.append(alive[0]() is None))
    with torch.no_grad():
        network(torch.rand(1, 1, 16, 16))
    assert gone == [True]


def test_points_are_the_centres_of_the_cells_from_the_smallest_map() -> None:
    network = build(with_head(DetectionHead(4, 2)), (1, 16, 24), 3, seed=0).eval()
    found = network(torch.rand(1, 1, 16, 24))[0, :, POINT].tolist()
    assert found[:6] == [[4, 4], [12, 4], [20, 4], [4, 12], [12, 12], [20, 12]]
    assert found[6:9] == [[2, 2], [6, 2], [10, 2]]
    assert len(found) == 2 * 3 + 4 * 6


def test_points_of_odd_images_stay_inside_them() -> None:
    network = build(with_head(DetectionHead(4, 4)), (1, 13, 19), 3, seed=0).eval()
    points = network(torch.rand(1, 1, 13, 19))[0, :, POINT]
    assert bool(((points > 0) & (points < torch.tensor([19, 13]))).all())


def test_a_fresh_detector_finds_boxes_of_two_cells_and_is_sure_of_none() -> None:
    network = build(with_head(DetectionHead(4, 1)), (1, 16, 16), 3, seed=0).eval()
    found = network(torch.zeros(1, 1, 16, 16))
    torch.testing.assert_close(found[..., DISTANCES], torch.full((1, 4, 4), 8.0))
    torch.testing.assert_close(found[..., LENGTHS:].sigmoid(), torch.full((1, 4, 3), 0.01))


def test_distances_stay_finite_whatever_a_level_says() -> None:
    network = build(with_head(DetectionHead(4, 1)), (1, 16, 16), 3, seed=0).eval()
    torch.nn.init.constant_(network.head.predictors[0].bias, 1e4)  # type: ignore[union-attr, index]  # the head of the record
    assert bool(network(torch.zeros(1, 1, 16, 16)).isfinite().all())


def test_a_detector_exports_with_any_number_of_images() -> None:
    network = build(with_head(DetectionHead(4, 2)), (1, 16, 24), 3, seed=0).eval()
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(
        network, (torch.rand(2, 1, 16, 24),), dynamic_shapes=({0: batch},)
    )
    images = torch.rand(5, 1, 16, 24)
    torch.testing.assert_close(program.module()(images), network(images))


def test_exported_facts_say_that_each_pixel_has_logits() -> None:
    model = make_untrained(without_study(with_head(HEADS[0]), (1, 16, 16), 3))
    assert model.task == SEGMENTATION
    assert facts(model)["output"]["values"].startswith("one logit a label and pixel")


def test_exported_facts_say_what_a_point_is() -> None:
    model = make_untrained(without_study(with_head(DetectionHead()), (1, 16, 16), 3))
    assert (model.task, len(model.labels)) == (DETECTION, 3)
    assert facts(model)["output"]["values"].startswith("points: x, y, distances to left, top")
