import pytest
import torch

from neptune_nas.data.load import load_once
from neptune_nas.deploy.execution import run_int8
from neptune_nas.deploy.int8_accuracy import (
    CALIBRATION,
    Calibration,
    calibration_batches,
    measure_int8,
    quantised_network,
)
from neptune_nas.errors import OptionError
from neptune_nas.graphs.lowering import UnsupportedOperationError
from neptune_nas.nn.references import ReferenceNetwork
from neptune_nas.tasks.registry import task_of

DATA = load_once("digits#200", None, 0)
NETWORK = ReferenceNetwork("resnet8", DATA.input_shape, 10)


def test_calibration_takes_training_images_of_every_class() -> None:
    images = torch.cat([*calibration_batches(DATA, Calibration(20))])
    known = {image.float().div(255).numpy().tobytes() for image in DATA.train.images}
    assert len(images) == 20
    assert {image.numpy().tobytes() for image in images} <= known
    again = torch.cat([*calibration_batches(DATA, Calibration(20))])
    other = torch.cat([*calibration_batches(DATA, Calibration(20, seed=1))])
    assert torch.equal(images, again)
    assert not torch.equal(images, other)


def test_calibration_takes_all_images_where_there_are_fewer() -> None:
    assert sum(map(len, calibration_batches(DATA, CALIBRATION))) == 200


def test_calibration_needs_an_image() -> None:
    with pytest.raises(OptionError, match="`images` must be a whole number of at least 1"):
        Calibration(0)


def test_int8_is_measured_by_the_task_over_the_whole_split() -> None:
    quantised = quantised_network(NETWORK.build(0), DATA, Calibration(20))
    seen: list[torch.Tensor] = []
    values = measure_int8(quantised, DATA.validation, task_of(DATA), watch=seen.append)
    outputs, targets = torch.cat(seen), DATA.validation.targets
    right = int((outputs.argmax(1) == targets).sum())
    assert values["accuracy"] == right / len(targets)
    assert values.keys() == {*task_of(DATA).metrics}
    whole = run_int8(quantised, DATA.validation.images.float() / 255)
    torch.testing.assert_close(outputs, whole)


def test_quantising_changes_no_weight() -> None:
    network = NETWORK.build(0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    quantised_network(network, DATA, Calibration(10))
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_an_operation_without_an_int8_kernel_is_named() -> None:
    published = ReferenceNetwork("mobilenet_v3_small", DATA.input_shape, 10)
    with pytest.raises(UnsupportedOperationError, match="hardsigmoid"):
        quantised_network(published.build(0), DATA)
