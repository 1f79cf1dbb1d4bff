"""A model as one Python file that needs only torch, to be read and kept in another project."""

import ast
import re
import sys
from collections.abc import Mapping
from inspect import getsource, ismodule
from io import BytesIO
from textwrap import fill, indent
from typing import Any

import torch
from torch import nn

from neptune_nas.architecture import records
from neptune_nas.architecture.dense_heads import DETECTION, SEGMENTATION
from neptune_nas.architecture.records import Architecture, Head
from neptune_nas.errors import ArchitectureError
from neptune_nas.files.rules import Number
from neptune_nas.files.schema import fits
from neptune_nas.metrics.registry import COST
from neptune_nas.models.architecture_file import ExportedArchitecture
from neptune_nas.models.export import source
from neptune_nas.models.export.facts import COLOURS
from neptune_nas.models.export.source import call, network_source
from neptune_nas.models.model import Model
from neptune_nas.nn.classifier import Classifier
from neptune_nas.nn.dense_heads import LENGTHS
from neptune_nas.nn.model_zoo import ZOO
from neptune_nas.nn.network import Neptune
from neptune_nas.nn.references import OWN, ReferenceNetwork, is_plain

_FILE = '''"""{title} {classes} classes: network {key} of neptune-nas.

{numbers}

It needs torch alone: what torch lacks is copied from neptune-nas (MIT licence).
It takes {colours} images of {height}x{width} pixels as float tensors (N, {channels}, H, W) in 0..1,
which it normalises itself:

    classifier = load({weights})  # a state dict, as torch.save writes it
{use}
"""

{imports}

{constants}


{definitions}


def build() -> nn.Module:
    """Return the network with fresh weights, for images that are normalised already."""
    return {network}


def load(path: str) -> Classifier:
    """Return the classifier in eval mode, with the weights in the file at `path`."""
    network = build()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return Classifier(network, MEAN, STD).eval()
'''
_TITLES = {
    Head.task: "An image classifier for",
    SEGMENTATION: "An image segmenter for",
    DETECTION: "An object detector for",
}
_USES = {
    Head.task: """\
    logits = classifier(images)  # (N, {classes})
    names = [LABELS[i] for i in logits.argmax(1)]""",
    SEGMENTATION: """\
    logits = classifier(images)  # (N, {classes}, {height}, {width})
    masks = logits.argmax(1)  # (N, {height}, {width}), of places in LABELS""",
    DETECTION: """\
    points = classifier(images)  # (N, P, {columns})
    boxes = find_boxes(points)  # for each image (K, 6); the fifth is a place in LABELS""",
}
_ASIDE = {DETECTION: "find_boxes"}  # what a file has beside its network
_LINE = 100  # characters
_TORCH = ("", "import torch", "from torch import Tensor, nn")
_FUNCTIONAL = "from torch.nn import functional as F"
_EDITS = (  # of copied source
    (r"  # (noqa|type): .*$", ""),  # what only our own linters read
    (r"ArchitectureError", "ValueError"),
    (r"^@mended\n", ""),  # a network of this package alone trains in them
    (r"\n    def accepting\([\s\S]*?(?=\n    def |\Z)", ""),  # for a change of stages
)


def to_python(model: Model, weights: str = "weights.pt") -> str:
    """Return the file's text: labels, the layers that torch lacks, the network, and `load(path)`.

    `weights`: the name of the file with the state dict, for the docstring. Raises
    `ArchitectureError` for a network with a user's code, or torchvision's.
    """
    _check_origin(model)
    with torch.device("meta"):
        network = model.of.build(seed=0)
    call_by_name = f"{model.key}({model.input_shape[0]}, {len(model.labels)})"
    stages, made = network_source(network) if isinstance(network, Neptune) else ([], call_by_name)
    names = {**vars(source), **OWN, "Classifier": Classifier}
    aside = _ASIDE.get(model.task, "Classifier")
    copied = _copies("\n".join(["Classifier", aside, *stages, made]), names).values()
    imports = sorted(text for text in copied if text.startswith("from "))
    definitions = [text for text in copied if text.startswith(("class ", "def "))]
    values = [text for text in copied if text not in imports + definitions]
    code = "\n\n\n".join(definitions + stages)
    functional = [_FUNCTIONAL] if "F." in code else []
    return _FILE.format(
        **_description(model, network),
        weights=_literal(weights).replace("\\", r"\\").replace('"""', r"\"\"\""),
        imports="\n".join((*imports, *_TORCH, *functional)),
        constants="\n".join((*_constants_source(model), *values)),
        definitions=code,
        network=indent(made, "    ").lstrip(),
    )


def _check_origin(model: Model) -> None:
    """Refuse a network with code that is neither the toolkit's nor torch's."""
    of = model.of
    if isinstance(of, ReferenceNetwork):
        is_ours = of.name in OWN or is_plain(of.name)
        foreign = [] if is_ours else [f"torchvision's `{of.name}`"]
    else:
        whole = of.architecture
        stages = whole.stages if isinstance(whole, Architecture) else ()
        parts = [type(part) for part in (whole, *(sub for s in stages for sub in s.substages))]
        foreign = [
            f"`{part.__name__}.build`, code of {'a library' if part in ZOO else 'your own'}"
            for part in parts
            if part.__module__ != records.__name__
        ]
    if foreign:
        raise ArchitectureError(
            f"the network {model.key} is built by {foreign[0]}, so it cannot become a file that "
            f"needs torch alone: use the format onnx or pt2."
        )


def _description(model: Model, network: nn.Module) -> dict[str, Any]:
    """Return the file's facts about its network: images, classes, size and scores."""
    channels, height, width = model.input_shape
    numbers = [f"{sum(weight.numel() for weight in network.parameters()):,} parameters"]
    if isinstance(model.of, ExportedArchitecture):
        costs = model.of.costs
        numbers.append(f"{COST.text(costs[COST.name])} {COST.title} an image")
    for name, value in model.metrics.items():
        if name.isidentifier() and fits(value, Number):
            numbers.append(f"{name.replace('_', ' ')} {value:.4g}")
    sizes = {
        "classes": len(model.labels),
        "height": height,
        "width": width,
        "columns": LENGTHS + len(model.labels),
    }
    return {
        "title": _TITLES[model.task],
        "use": _USES[model.task].format(**sizes),
        "classes": len(model.labels),
        "key": model.key,
        "numbers": fill(", ".join(numbers) + ".", _LINE),
        "colours": COLOURS.get(channels, f"{channels}-channel"),
        "channels": channels,
        "height": height,
        "width": width,
    }


def _constants_source(model: Model) -> tuple[str, str, str]:
    """Return the lines of labels and normalisation."""
    labels = [_literal(label) for label in model.labels]
    value = call("", labels) if len(labels) > 1 else f"({labels[0]},)"
    return f"LABELS = {value}", f"MEAN = {model.mean!r}", f"STD = {model.std!r}"


def _literal(text: str) -> str:
    """Return a text as source, in double quotes if that needs no escapes."""
    return f'"{text}"' if text.isprintable() and not {*text} & {*'"\\'} else repr(text)


def _copies(code: str, names: Mapping[str, Any]) -> dict[str, str]:
    """Return by name the source of all that `code` uses from `names`, dependencies first."""
    found: dict[str, str] = {}
    used = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    for name in sorted(used & names.keys()):
        item, module = names[name], getattr(names[name], "__module__", "")
        if module.startswith("neptune_nas."):
            text = getsource(item).rstrip()
            for pattern, replacement in _EDITS:
                text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
            around = {key: each for key, each in vars(sys.modules[module]).items() if key != name}
            found |= _copies(text, around) | {name: text}
        elif module and module.partition(".")[0] != "torch":
            found[name] = f"from {module} import {name}"
        elif not module and not ismodule(item):
            found[name] = f"{name} = {item!r}"
    return found


def to_state(model: Model) -> bytes:
    """Return the network's state dict as bytes for `torch.load(path, weights_only=True)`."""
    content = BytesIO()
    state = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in model.state.items()
    }
    torch.save(state, content)
    return content.getvalue()
