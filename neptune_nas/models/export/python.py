"""A model as one Python file that needs torch alone, to be read and kept in another project."""

from io import BytesIO

import torch

from neptune_nas.models.architecture_file import ExportedArchitecture
from neptune_nas.models.export.constructor import Call, constructor, render
from neptune_nas.models.export.facts import COLOURS
from neptune_nas.models.export.source import Name, import_lines, reach, source_of
from neptune_nas.models.model import Model
from neptune_nas.nn.classifier import Classifier

MODULE = '''"""An image classifier for {classes} classes, written by neptune-nas from network {key}.

It needs torch and nothing else. Its layers are those of neptune-nas (MIT licence).

It takes {colours} images of {height}x{width} pixels as float tensors (N, {channels}, H, W) in
0..1, which it normalises itself:

    classifier = load("{weights}")  # a state dict, as torch.save writes it
    logits = classifier(images)  # (N, {classes})
    names = [LABELS[i] for i in logits.argmax(1)]
"""

{imports}

{constants}


{definitions}


def build() -> {network}:
    """The network, freshly initialised; it takes images that are normalised already."""
{constructor}


def load(path: str) -> Classifier:
    """The classifier in eval mode, with the weights in the file at `path`."""
    network = build()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return Classifier(network, MEAN, STD).eval()
'''


def to_python(model: Model, weights: str = "weights.pt") -> str:
    """The file's text: the layers that the network uses, its constructor, labels, `load(path)`.

    `weights`: the name of the file with the state dict, as its docstring gives it. Raises
    `ArchitectureError` for a network with code of the user's own, or torchvision's.
    """
    call = constructor(model.of)
    channels, height, width = model.input_shape
    tables = {"KINDS": norms(model)}
    reached = reach(roots(call), tables)
    constants = {"LABELS": model.labels, "MEAN": model.mean, "STD": model.std}
    return MODULE.format(
        classes=len(model.labels),
        key=model.key,
        colours=COLOURS.get(channels, f"{channels}-channel"),
        channels=channels,
        height=height,
        width=width,
        weights=weights,
        imports=import_lines({*reached.outside, ("torch", ("torch", ""))}),
        constants="\n".join(render(value, 0, f"{n} = ") for n, value in constants.items()),
        definitions=source_of(reached, tables),
        network=type(model.of.build(seed=0)).__name__,
        constructor=render(call, 4, "return "),
    )


def roots(call: Call) -> list[Name]:
    """What the constructor and the file's end name."""
    makers = {each.make for each in call.calls()} | {Classifier}
    return [(make.__module__, make.__name__) for make in makers]


def norms(model: Model) -> frozenset[str]:
    """The kinds of norms in the network; "batch" and "none" also stand inside other layers."""
    stages = model.of.architecture.stages if isinstance(model.of, ExportedArchitecture) else ()
    return frozenset({"batch", "none", *(stage.norm for stage in stages)})


def to_state(model: Model) -> bytes:
    """The network's state dict, as `torch.load(path, weights_only=True)` reads it."""
    content = BytesIO()
    state = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in model.state.items()
    }
    torch.save(state, content)
    return content.getvalue()
