"""Every form that a model can be written in, written and opened again."""

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

import neptune_nas
from neptune_nas.architecture.records import Architecture
from neptune_nas.models.architecture_file import ExportedArchitecture, dumps, without_study
from neptune_nas.models.export.onnx import run_onnx, serialise
from neptune_nas.models.export.pt2 import to_pt2
from neptune_nas.models.export.python import to_python, to_state
from neptune_nas.models.model import Model, load_model, make_untrained, save_model
from neptune_nas.nn.builder import Shape, seeded
from neptune_nas.nn.classifier import Classifier

CLASSES = 5
NOISE = 0.05
SEEN = 16  # images that batch norms take their statistics from

Form = Callable[[Model, ExportedProgram, Tensor, Path], Tensor]
"""From a model, its graph, images and an empty folder to the logits of what was written there."""


def random_model(architecture: Architecture, shape: Shape, seed: int = 0) -> Model:
    """Return the architecture with weights, statistics and preprocessing unlike the first ones."""
    model, rng = make_untrained(without_study(architecture, shape, CLASSES)), Random(seed)
    mean, std = (tuple(rng.uniform(0.2, 0.6) for _ in range(shape[0])) for _ in range(2))
    with seeded(seed):
        state = shaken(model.of.build(), shape).state_dict()
    labels = tuple(f"class {i}" for i in range(CLASSES))
    return replace(model, labels=labels, mean=mean, std=std, state=state)


def shaken(network: nn.Module, shape: Shape) -> nn.Module:
    """Return the network with noise on all weights and statistics of its own maps."""
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn_like(weight), alpha=NOISE)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None  # statistics are then those of all images seen
        network.train()(torch.randn(SEEN, *shape))
    return network


def json_and_safetensors(model: Model, _: ExportedProgram, images: Tensor, folder: Path) -> Tensor:
    """Return the architecture's JSON with the weights of the model's file."""
    assert isinstance(model.of, ExportedArchitecture)
    (folder / "best.json").write_text(dumps(model.of))
    save_model(folder / "model.safetensors", model)
    network = neptune_nas.load(folder / "best.json").build(weights=folder / "model.safetensors")
    stored = load_model(folder / "model.safetensors")
    return run(Classifier(network, stored.mean, stored.std), images)


def pt2(model: Model, program: ExportedProgram, images: Tensor, _: Path) -> Tensor:
    """Return the file of `torch.export`."""
    return run(torch.export.load(BytesIO(to_pt2(model, program))).module(), images)


def onnx(model: Model, program: ExportedProgram, images: Tensor, _: Path) -> Tensor:
    """Return the ONNX file."""
    return run_onnx(serialise(model, program), images)


def python(model: Model, _: ExportedProgram, images: Tensor, folder: Path) -> Tensor:
    """Return the standalone Python file."""
    (folder / "model.pt").write_bytes(to_state(model))
    names: dict[str, Any] = {"__name__": "model"}
    exec(compile(to_python(model), "model.py", "exec"), names)
    return run(names["load"](folder / "model.pt"), images)


FORMS: dict[str, Form] = {
    "json + safetensors": json_and_safetensors,
    "pt2": pt2,
    "onnx": onnx,
    "python": python,
}


def run(network: nn.Module, images: Tensor) -> Tensor:
    """Return the logits `(N, classes)` of images in 0..1."""
    with torch.inference_mode():
        logits: Tensor = network(images)
    return logits
