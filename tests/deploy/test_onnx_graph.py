"""Graphs that are written to be timed compute what their networks do."""

from random import Random

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from neptune_nas.deploy.onnx_graph import onnx_file
from neptune_nas.graphs.lowering import UnsupportedOperationError
from neptune_nas.nn.builder import build
from neptune_nas.nn.norms import make_norm
from neptune_nas.space import find_space


def outputs(content: bytes, images: torch.Tensor) -> np.ndarray:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(None, {"images": images.numpy()})[0]
    return found


@pytest.mark.parametrize("norm", ["batch", "layer", "group", "instance", "rms", "lrn", "none"])
def test_each_norm_is_written(norm: str) -> None:
    network = nn.Sequential(nn.Conv2d(3, 16, 3), make_norm(norm, 16)).eval()
    images = torch.rand(1, 3, 9, 9)
    with torch.no_grad():
        expected = network(images).numpy()
    np.testing.assert_allclose(
        outputs(onnx_file(network, (3, 9, 9)), images), expected, rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("seed", [0, 1])
def test_networks_of_a_space_are_written(seed: int) -> None:
    network = build(find_space("cifar10").sample(Random(seed)), (3, 32, 32), 10, seed).eval()
    images = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        expected = network(images).numpy()
    np.testing.assert_allclose(
        outputs(onnx_file(network, (3, 32, 32)), images), expected, rtol=1e-3, atol=1e-4
    )


class Running(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.cumsum(1)


def test_an_operation_that_is_not_in_the_table_is_refused() -> None:
    with pytest.raises(UnsupportedOperationError, match=r"the table has no 'aten\.cumsum'"):
        onnx_file(Running(), (3, 4, 4))
