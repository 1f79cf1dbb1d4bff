import re
from dataclasses import replace

import pytest

from neptune_nas.architecture.dense_heads import LrasppHead
from neptune_nas.deploy.c_source import c_source, identifier
from neptune_nas.deploy.model_graph import int8_graph_of
from neptune_nas.deploy.quantised_graph import QuantisedGraph
from neptune_nas.deploy.tflite import int8_file
from neptune_nas.models.model import Model
from tests.deploy.builders import ARCHITECTURE, CLASSES, SHAPE, pictures
from tests.models.export.forms import random_model

LABELS = ('a "cat"', "back\\slash", "Größe", "what??/", "*/ x")


@pytest.fixture(scope="module")
def model() -> Model:
    return replace(random_model(ARCHITECTURE, SHAPE), labels=LABELS)


@pytest.fixture(scope="module")
def quantised(model: Model) -> QuantisedGraph:
    return int8_graph_of(model, [pictures(8)])


@pytest.fixture(scope="module")
def source(model: Model, quantised: QuantisedGraph) -> str:
    return c_source(model, quantised, int8_file(quantised), 34_567, "my-net.h")


def test_the_array_is_the_file(source: str, quantised: QuantisedGraph) -> None:
    assert "alignas(16) static const unsigned char my_net[] = {" in source
    array = source.partition("my_net[] = {")[2].partition("}")[0]
    assert bytes(int(byte, 16) for byte in re.findall("0x..", array)) == int8_file(quantised)


def test_scales_and_the_arena_are_constants(source: str, quantised: QuantisedGraph) -> None:
    constants = dict(re.findall(r"^#define (MY_NET_\w+) (.+)$", source, re.MULTILINE))
    output = quantised.scales[quantised.graph.output]
    assert float(constants["MY_NET_INPUT_SCALE"].rstrip("f")) == pytest.approx(1 / 255)
    assert constants["MY_NET_INPUT_ZERO_POINT"] == "(-128)"
    assert float(constants["MY_NET_OUTPUT_SCALE"].rstrip("f")) == pytest.approx(output.step)
    assert constants["MY_NET_OUTPUT_ZERO_POINT"] == f"({output.zero_point})"
    assert constants["MY_NET_ARENA"] == "34567"


def test_the_comment_registers_the_kernels_of_the_file_and_no_others(source: str) -> None:
    kernels = re.findall(r"ops\.Add(\w+)\(\);", source)
    assert sorted(kernels) == [
        *("AveragePool2D", "Concatenation", "Conv2D", "DepthwiseConv2D", "FullyConnected"),
    ]
    assert f"MicroMutableOpResolver<{len(kernels)}>" in source
    comment, _, rest = source.partition("*/")
    assert comment.count("\n") < 45
    assert rest.lstrip().startswith("#ifndef MY_NET_H_")


def test_labels_are_the_same_bytes_in_c(source: str) -> None:
    inside = source.partition("my_net_labels[5] = {")[2].partition("};")[0]
    octal = re.compile(rb"\\(\d{3})")
    found = [
        octal.sub(lambda match: bytes([int(match[1], 8)]), line.strip()[1:-2].encode())
        for line in inside.strip().splitlines()
    ]
    assert found == [label.encode() for label in LABELS]


@pytest.mark.parametrize("name", ["int", "8x8", "Größe", "__", "a b.c"])
def test_any_name_becomes_one_that_c_takes(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]+", identifier(name))


@pytest.mark.parametrize("name", ["float", "default", "static-cast", "main", "arena"])
def test_a_name_that_c_or_the_example_takes_gets_a_prefix(name: str) -> None:
    assert identifier(name) == f"net_{name.replace('-', '_')}"


def test_the_comment_shows_how_to_fill_a_mask_where_each_pixel_has_a_label() -> None:
    dense = random_model(replace(ARCHITECTURE, head=LrasppHead(6)), SHAPE)
    found = int8_graph_of(replace(dense, task="segmentation"), [pictures(8)])
    source = c_source(dense, found, int8_file(found), 34_567, "segment.h")
    assert "bool segment(const uint8_t* pixels, uint8_t* mask) {" in source
    assert f"for (int p = 0; p < {SHAPE[1] * SHAPE[2]}; ++p, logits += {CLASSES})" in source
    assert "ops.AddResizeBilinear();" in source
    assert "net_segment_labels[" in source
    assert "classify" not in source
