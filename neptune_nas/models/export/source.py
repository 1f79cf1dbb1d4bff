"""A built network as Python source: one class per stage, one call per layer."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from textwrap import indent
from typing import Any

import torch
from torch import Tensor, nn

from neptune_nas.errors import ArchitectureError
from neptune_nas.nn.dense_heads import DecoderBlock, DenseHead, DetectionBlock, LrasppBlock
from neptune_nas.nn.heads import ClassificationHead, StemBlock
from neptune_nas.nn.network import Neptune, level_places
from neptune_nas.nn.norms import (
    LRN,
    MLN,
    GroupNorm,
    InstanceNorm,
    LocalResponseNorm,
    NoNorm,
    RMSNorm,
)
from neptune_nas.nn.stage import Cell, StageBlock
from neptune_nas.nn.substages import (
    Convolution,
    FeedForwardBlock,
    InvertedResidualBlock,
    Projection,
    SelfAttention,
    SqueezeExcitation,
)

_FLAT = 72  # characters: a longer call has one argument per line
_NOTHING = "nn.Identity()"
_ORDER: dict[type[nn.Module], str] = {  # the order in which a module calls its parts and functions
    StemBlock: "conv norm relu",
    ClassificationHead: "conv norm relu pool flatten drop linear",
    Projection: "conv",
    Convolution: "relu conv",
    InvertedResidualBlock: "expand depthwise norm relu squeeze project",
    FeedForwardBlock: "expand gelu project",
    Cell: "project op norm",
}
_FUNCTIONS = {
    "relu": "nn.ReLU()",
    "gelu": "nn.GELU()",
    "pool": "nn.AdaptiveAvgPool2d(1)",
    "flatten": "nn.Flatten()",
}
_STAGE = '''class Stage{number}(nn.Module):
    """`(N, {stage.in_channels}, H, W)` to `(N, {stage.out_channels}, {size})`."""

    def __init__(self) -> None:
        super().__init__()
        self.entry = {entry}
        self.pool = {pool}
        self.norm = {norm}
        self.substages = {substages}

    def forward(self, x: Tensor) -> Tensor:
        {steps}'''


def chain(**layers: nn.Module) -> nn.Sequential:
    """Return a sequence of named layers."""
    return nn.Sequential(OrderedDict(layers))


def inverted_residual(
    in_channels: int, hidden: int, out_channels: int, kernel: int, stride: int = 1
) -> nn.Sequential:
    """Expand to `hidden` channels, filter each, project (MobileNetV2, arXiv 1801.04381)."""
    expand = nn.Conv2d(in_channels, hidden, 1, bias=False)
    padding = kernel // 2
    return chain(
        expand=nn.Sequential(expand, nn.BatchNorm2d(hidden), nn.ReLU()),
        depthwise=nn.Conv2d(hidden, hidden, kernel, stride, padding, groups=hidden, bias=False),
        norm=nn.BatchNorm2d(hidden),
        relu=nn.ReLU(),
        project=nn.Conv2d(hidden, out_channels, 1, bias=False),
    )


class DenseNetwork(nn.Module):
    """A network whose head reads the maps at some `places`: 0 is the stem's, then the stages'."""

    def __init__(
        self, stem: nn.Module, stages: nn.Module, head: DenseHead, places: Sequence[int]
    ) -> None:
        super().__init__()
        self.stem, self.stages, self.head, self.places = stem, stages, head, places

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images `(N, C, H, W)` to what the head gives."""
        maps, x = [], self.stem(images)
        for place, stage in enumerate([nn.Identity(), *self.stages.children()]):
            x = stage(x)
            if place in self.places:
                maps.append(x)
        return self.head.fitted(self.head(maps[::-1]), images)


def find_boxes(points: Tensor, least: float = 0.4, overlap: float = 0.6) -> list[Tensor]:
    """Return the boxes in each image, `(K, 6)`: left, top, right, bottom, class, probability.

    `points`: `(N, P, 6 + classes)`. Of boxes of a class that overlap by an IoU above `overlap`, the
    most probable is kept, if its probability is `least` or more.
    """
    found = []
    for each in points:
        point, less, more, logits = each.split((2, 2, 2, each.shape[1] - 6), 1)
        probability, label = logits.sigmoid().max(1)
        boxes = torch.cat((point - less, point + more, label[:, None], probability[:, None]), 1)
        kept: list[list[float]] = []
        for box in sorted(boxes[probability >= least].tolist(), key=lambda box: -box[5]):
            if all(box[4] != other[4] or iou(box, other) <= overlap for other in kept):
                kept.append(box)
        found.append(torch.tensor(kept).view(-1, 6))
    return found


def iou(box: Sequence[float], other: Sequence[float]) -> float:
    """Return the area that two boxes share, divided by the area of both together."""
    width = max(0.0, min(box[2], other[2]) - max(box[0], other[0]))
    height = max(0.0, min(box[3], other[3]) - max(box[1], other[1]))
    areas = [(each[2] - each[0]) * (each[3] - each[1]) for each in (box, other)]
    return width * height / max(sum(areas) - width * height, 1e-9)


def network_source(network: Neptune) -> tuple[list[str], str]:
    """Return the stages' classes, and the call that makes the network."""
    stages = [stage for stage in network.stages if isinstance(stage, StageBlock)]
    names = [f"Stage{i}()" for i in range(len(stages))]
    classes = [*map(_stage_source, range(len(stages)), stages)]
    parts = {"stem": layer(network.stem), "stages": call("nn.Sequential", names)}
    parts["head"] = layer(network.head)
    if not isinstance(network.head, DenseHead):
        return classes, _chain_call(parts)
    places = level_places(network.stages)[: len(network.head.in_channels)]
    return classes, call("DenseNetwork", [*parts.values(), str(places)])


def _stage_source(number: int, stage: StageBlock) -> str:
    """Return the class of a stage, with its forward pass written out."""
    scale = stage.stride * (2 if stage.halves else 1)
    size = "H, W" if scale == 1 else f"H / {scale}, W / {scale}"
    cells = [layer(cell) for cell in stage.substages]
    parts = {name: layer(getattr(stage, name)) for name in ("entry", "pool", "norm")}
    parts |= {
        "substages": call("nn.ModuleList", cells, ("([", "])")),
        "steps": "\n".join(_steps(stage)),
    }
    within = {name: indent(text, " " * 8).lstrip() for name, text in parts.items()}
    return _STAGE.format(number=number, stage=stage, size=size, **within)


def _steps(stage: StageBlock) -> Iterator[str]:
    """Yield the lines of a stage's forward pass.

    `y0` is the entry's output, `y1` the first SubStage's, and so on; `raw0`, ... are the outputs
    before their norms, if an MLN reads them.
    """
    raw, raws = "self.pool(self.entry(x))", ["raw0"]
    if stage.mixes:
        yield f"raw0 = {raw}"
    yield f"y0 = {'x + ' * stage.shortcut}self.norm({'raw0' if stage.mixes else raw})"
    for i, (cell, sources) in enumerate(zip(stage.substages, stage.sources, strict=True)):
        assert isinstance(cell, Cell)
        this, read = f"self.substages[{i}]", ", ".join(f"y{source}" for source in sources)
        x = read if cell.project is None else f"torch.cat(({read}), 1)"
        shortcut = f"{x} + " * (cell.residual and cell.op is not None)
        if stage.mixes and cell.op is not None:
            yield f"raw{i + 1} = {this}.op({x if cell.project is None else f'{this}.project({x})'})"
            yield f"y{i + 1} = {shortcut}{this}.norm(raw{i + 1}, [{', '.join(raws)}])"
            raws.append(f"raw{i + 1}")
        else:
            yield f"y{i + 1} = {shortcut}{this}({x})"
    yield f"return y{len(stage.substages)}"


def layer(module: Any) -> str:
    """Return the call that makes a layer, using torch's own layers where they are equivalent."""
    match module:
        case nn.Conv2d(kernel_size=(kernel, _), stride=(stride, _), padding=(padding, _)):
            extra = f", stride={stride}" * (stride > 1) + f", padding={padding}" * (padding > 0)
            extra += f", groups={module.groups}" * (module.groups > 1)
            extra += ", bias=False" * (module.bias is None)
            return f"nn.Conv2d({module.in_channels}, {module.out_channels}, {kernel}{extra})"
        case nn.Linear():
            return f"nn.Linear({module.in_features}, {module.out_features})"
        case nn.MaxPool2d() | nn.AvgPool2d() | nn.ReLU():
            return f"nn.{type(module).__name__}({getattr(module, 'kernel_size', '')})"
        case nn.BatchNorm2d():
            return f"nn.BatchNorm2d({module.num_features})"
        case GroupNorm() if len(module.weight) > module.groups:  # torch's refuses a single value
            return f"nn.GroupNorm({module.groups}, {len(module.weight)})"
        case LocalResponseNorm():
            return "nn.LocalResponseNorm(5)"
        case MLN(mixture=nn.Parameter() as mixture):
            return f"MLN({len(module.weight)}, layers={len(mixture)})"
        case MLN() | LRN() | InstanceNorm() | RMSNorm() | GroupNorm():
            return f"{type(module).__name__}({len(module.weight)})"
        case SelfAttention(query=query, heads=heads, window=window, stride=stride):
            extra = f", window={window}" * (window > 0) + f", stride={stride}" * (stride > 1)
            extra += ", bias=True" * (query.bias is not None)
            return f"SelfAttention({query.in_channels}, heads={heads}{extra})"
        case SqueezeExcitation(squeeze=squeeze):
            return f"SqueezeExcitation({squeeze.in_channels}, {squeeze.out_channels})"
        case InvertedResidualBlock(
            kind="batch", expand=nn.Sequential(), squeeze=nn.Identity(), depthwise=conv
        ):
            sizes = module.in_channels, conv.in_channels, module.project.out_channels
            extra = f", stride={conv.stride[0]}" * (conv.stride[0] > 1)
            return f"inverted_residual({', '.join(map(str, sizes))}, {conv.kernel_size[0]}{extra})"
        case LrasppBlock():
            return f"LrasppBlock({module.in_channels}, {module.outputs}, {module.width})"
        case DecoderBlock():
            extra = f", concat={module.concat}, separable={module.separable}"
            return f"DecoderBlock({_sizes(module)}{extra})"
        case DetectionBlock():
            extra = f", depth={module.depth}, separable={module.separable}"
            return f"DetectionBlock({_sizes(module)}{extra})"
        case nn.Sequential():
            return call("nn.Sequential", [*map(layer, module)])
        case NoNorm() | nn.Identity():
            return _NOTHING
        case _ if type(module) in _ORDER:
            texts = _FUNCTIONS | {name: layer(part) for name, part in module.named_children()}
            if getattr(module, "dropout", 0):
                texts["drop"] = f"nn.Dropout({module.dropout})"
            order = _ORDER[type(module)].split()
            return _chain_call({name: texts.get(name, _NOTHING) for name in order})
    raise ArchitectureError(f"the layer `{type(module).__name__}` cannot be written as Python.")


def _sizes(head: DecoderBlock | DetectionBlock) -> str:
    """Return the first arguments of a head's class."""
    return f"{head.in_channels}, {head.outputs}, {head.width}, {head.kernel}"


def _chain_call(parts: dict[str, str]) -> str:
    """Return a call of `chain` with all parts that do something."""
    inside = [f"{name}={text}" for name, text in parts.items() if text != _NOTHING]
    return call("chain", inside) if inside else _NOTHING


def call(name: str, parts: Sequence[str], brackets: tuple[str, str] = ("(", ")")) -> str:
    """Return a call as source, on one line or, if that is too long, with one argument a line."""
    flat = f"{name}{brackets[0]}{', '.join(parts)}{brackets[1]}"
    if len(flat) <= _FLAT and "\n" not in flat:
        return flat
    inside = indent("".join(f"{part},\n" for part in parts), "    ")
    return f"{name}{brackets[0]}\n{inside}{brackets[1]}"
