from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from neptune_nas.deploy.execution import run_int8
from neptune_nas.deploy.int8_model import quantised_of, with_int8
from neptune_nas.deploy.quantisation import quantise
from neptune_nas.deploy.quantised_graph import QuantisedGraph
from neptune_nas.deploy.tflite import int8_file
from neptune_nas.errors import FileFormatError
from neptune_nas.models.architecture_file import without_study
from neptune_nas.models.model import Model, load_model, make_untrained, save_model
from tests.deploy.builders import ARCHITECTURE, CLASSES, SHAPE, graph_of, pictures

MODEL = make_untrained(without_study(ARCHITECTURE, SHAPE, CLASSES))
QUANTISED = quantise(graph_of(MODEL.classifier()), [pictures(8)])
WHOLE = with_int8(MODEL, QUANTISED)


def part_of(model: Model) -> QuantisedGraph:
    found = quantised_of(model)
    assert found is not None
    return found


def test_a_file_keeps_the_network_in_int8(tmp_path: Path) -> None:
    save_model(tmp_path / "m.safetensors", WHOLE)
    read = load_model(tmp_path / "m.safetensors")
    found, images = part_of(read), pictures(4, 1)
    assert torch.equal(run_int8(found, images), run_int8(QUANTISED, images))
    assert int8_file(found) == int8_file(QUANTISED)
    torch.testing.assert_close(read.classifier()(images), MODEL.classifier()(images))


def test_an_architecture_takes_the_float_weights_of_such_a_file(tmp_path: Path) -> None:
    save_model(tmp_path / "m.safetensors", WHOLE)
    network = without_study(ARCHITECTURE, SHAPE, CLASSES).build(weights=tmp_path / "m.safetensors")
    for name, value in network.state_dict().items():
        assert torch.equal(value, MODEL.state[name])


def test_a_model_without_the_part_has_no_network_in_int8() -> None:
    assert quantised_of(MODEL) is None


def changed(**tensors: Tensor | None) -> Model:
    int8: dict[str, Any] = {**WHOLE.int8, **tensors}
    return replace(WHOLE, int8={n: value for n, value in int8.items() if value is not None})


WEIGHT = next(name for name in WHOLE.int8 if name.endswith(".weight"))
STEPS = WEIGHT.replace("weight", "steps")


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({WEIGHT: None}, rf"`{WEIGHT}` must be torch.int8 .*, but is missing: train it again"),
        ({WEIGHT: torch.zeros(1)}, rf"`{WEIGHT}` must be torch.int8 .*, but is torch.float32 "),
        ({"steps": torch.zeros(3)}, "`steps` must be torch.float64"),
        ({"steps": torch.zeros_like(WHOLE.int8["steps"])}, "must be above 0 and finite"),
        ({"steps": WHOLE.int8["steps"] * torch.nan}, "must be above 0 and finite"),
        ({"steps": WHOLE.int8["steps"] * 1e-60}, "must be above 0 and finite"),
        ({STEPS: -WHOLE.int8[STEPS]}, f"`int8.{STEPS}` of a model must be above 0 and finite"),
        ({STEPS: WHOLE.int8[STEPS] * 1e60}, f"`int8.{STEPS}` of a model must be above 0 and fin"),
        ({"99.weight": torch.zeros(1)}, "`99.weight` is not in it"),
    ],
)
def test_a_part_that_does_not_fit_is_refused(
    tensors: dict[str, Tensor | None], message: str
) -> None:
    with pytest.raises(FileFormatError, match=message):
        quantised_of(changed(**tensors))
