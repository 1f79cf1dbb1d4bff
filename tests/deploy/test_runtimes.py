import os
import sys

import pytest
import torch

from neptune_nas.deploy.runtime_registry import RUNTIMES
from neptune_nas.deploy.runtimes import (
    OPENERS,
    check_runtime,
    open_file,
    predict,
    recorded_arena,
)
from neptune_nas.deploy.tflite import float_file
from neptune_nas.errors import NeptuneError
from neptune_nas.graphs.graph import Graph, Operation, Weights

WIDE = 64


def one_convolution(side: int) -> bytes:
    """Return the file of a network of one convolution and a mean."""
    weights = Weights(torch.ones(WIDE, 3, 1, 1), torch.zeros(WIDE))
    shapes = {0: (side, side, 3), 1: (side, side, WIDE), 2: (1, 1, WIDE)}
    conv = Operation("conv", (0,), 1, constant=weights)
    mean = Operation("average_pool", (1,), 2, kernel=(side, side), stride=(side, side))
    return float_file(Graph(shapes, (conv, mean), (0,), 2))


def test_an_arena_is_at_least_its_maps_whatever_the_size_of_the_file() -> None:
    small, large = one_convolution(8), one_convolution(128)
    assert len(large) == len(small)
    arena = recorded_arena(large)
    maps = 4 * 128 * 128 * (WIDE + 3)
    assert maps < arena < maps + 10_000


@pytest.mark.parametrize("runtime", ["tflite-micro", "litert"])
def test_images_keep_their_order_and_channels(runtime: str) -> None:
    images = torch.rand(3, 3, 8, 8)
    found = open_file(one_convolution(8), runtime).predict(images)
    expected = images.sum(1).mean((1, 2))[:, None].expand(3, WIDE)
    torch.testing.assert_close(found.flatten(1), expected)


@pytest.mark.parametrize("runtime", ["litert", "onnxruntime"])
def test_a_file_of_another_kind_is_refused(runtime: str) -> None:
    with pytest.raises(NeptuneError, match=rf"the runtime {runtime} cannot open the file \(.+\)"):
        open_file(b"no file", runtime)


@pytest.mark.parametrize("runtime", ["tflite-micro", "litert"])
def test_a_file_that_cannot_be_run_is_refused(runtime: str) -> None:
    runner = open_file(one_convolution(8), runtime)
    with pytest.raises(NeptuneError, match=rf"the runtime {runtime} cannot run the file \(.+\)"):
        predict(runner, torch.rand(1, 3, 9, 9), runtime)


@pytest.mark.parametrize("runtime", [*OPENERS])
def test_a_runtime_that_is_not_installed_is_named_with_its_extra(
    runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = RUNTIMES[runtime]
    monkeypatch.setitem(sys.modules, found.library, None)
    with pytest.raises(NeptuneError, match=rf"{found.library}, .*'neptune-nas\[{found.extra}\]'"):
        check_runtime(runtime)


def test_what_libraries_print_is_held_back_and_stderr_given_back(
    capfd: pytest.CaptureFixture[str],
) -> None:
    recorded_arena(one_convolution(8))
    os.write(2, b"seen")
    assert capfd.readouterr().err == "seen"
