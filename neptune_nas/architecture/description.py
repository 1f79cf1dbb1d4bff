"""Short descriptions of architectures, for tables and drawings."""

from dataclasses import fields
from typing import Any

from neptune_nas.architecture.dense_heads import DecoderHead, DenseHead, DetectionHead, LrasppHead
from neptune_nas.architecture.fields import UnknownRecord, class_name, values_of
from neptune_nas.architecture.records import (
    Architecture,
    Attention,
    Conv,
    FeedForward,
    Head,
    Identity,
    InvertedResidual,
    Stage,
)
from neptune_nas.text import counted, visible

LEGEND = (
    "Architectures: the stem's width, then after each | a stage: its width, stride (/2), pooling "
    "and norm, and after the colon its SubStages (conv5: 5x5 convolution, dw5: depthwise, mb5x6: "
    "inverted residual with expansion 6, se4: with squeeze-and-excitation by 4, attn2: attention "
    "with 2 heads, ffn4: feed-forward, id: identity). A head for segmentation or detection "
    "comes last (lraspp64: LR-ASPP of width 64; fpn32x2, unet32x2: a decoder of width 32 that adds "
    "or concatenates 2 larger maps, then its convolution; fcos32x2d1: a detector of width 32 on 2 "
    "levels with 1 convolution each before it predicts)."
)
"""The key to the lines that `describe` returns of Neptune architectures."""


def describe(architecture: Any) -> str:
    """Return the network on one line: the stem's width, then each stage with its SubStages.

    `LEGEND` says how to read it. Anything but an `Architecture`, such as an entry of a table, is
    shown as `str` shows it.

    >>> describe(Architecture(stages=(Stage(24, substages=(Conv(5), Attention(2))),)))
    '16 | 24 max lrn: conv5 attn2'
    """
    if not isinstance(architecture, Architecture):
        return visible(str(architecture))
    stages = map(_describe_stage, architecture.stages)
    heads = [] if isinstance(architecture.head, Head) else [_describe_head(architecture.head)]
    return visible(" | ".join([str(architecture.stem.width), *stages, *heads]))


def _describe_head(head: DenseHead) -> str:
    """Return a head for segmentation or detection in one or two words.

    >>> _describe_head(DecoderHead(width=24, merge="concat"))
    'unet24x2 dw3'
    """
    match head:
        case LrasppHead(width):
            return f"lraspp{width}"
        case DecoderHead(width, skips, merge, kernel, groups):
            kind = {"add": "fpn", "concat": "unet"}[merge]
            return f"{kind}{width}x{skips} {short_name(Conv(kernel, groups))}"
        case DetectionHead(width, levels, depth, kernel, groups):
            return f"fcos{width}x{levels}d{depth} {short_name(Conv(kernel, groups))}"


def head_caption(head: DenseHead) -> str:
    """Return the caption of a head for segmentation or detection in a drawing.

    >>> head_caption(DecoderHead(width=24, skips=2))
    'FPN 24, 2 skips, depthwise 3x3'
    """
    match head:
        case LrasppHead(width):
            return f"LR-ASPP of width {width}"
        case DecoderHead(width, skips, merge, kernel, groups):
            kind = {"add": "FPN", "concat": "U-Net"}[merge]
            return f"{kind} {width}, {counted(skips, 'skip')}, {caption(Conv(kernel, groups))}"
        case DetectionHead(width, levels, depth, kernel, groups):
            return (
                f"FCOS {width}, {counted(levels, 'level')}, depth {depth}, "
                f"{caption(Conv(kernel, groups))}"
            )


def _describe_stage(stage: Stage) -> str:
    """Return a stage's width, its settings other than the simplest, and its SubStages."""
    words = [str(stage.width)]
    words += [] if stage.entry == Conv() else [f"{short_name(stage.entry)} entry"]
    words += [] if stage.stride == 1 else [f"/{stage.stride}"]
    words += [word for word in (stage.pool, stage.norm) if word != "none"]
    if stage.substages and stage.connections != "residual":
        words.append(stage.connections if isinstance(stage.connections, str) else "wired")
    inner = " ".join(map(short_name, stage.substages))
    return " ".join(words) + (f": {inner}" if inner else "")


def short_name(substage: Any) -> str:
    """Return a SubStage in one word.

    >>> short_name(Conv(kernel=5, groups="depthwise"))
    'dw5'
    """
    match substage:
        case Conv(kernel, groups):
            kind = {1: "conv", "depthwise": "dw"}.get(groups, f"g{groups}conv")
            return f"{kind}{kernel}"
        case InvertedResidual(kernel, expansion, squeeze):
            return f"mb{kernel}x{expansion}" + f"se{squeeze}" * bool(squeeze)
        case Attention(heads, window, stride):
            return f"attn{heads}" + f"w{window}" * bool(window) + f"/{stride}" * (stride > 1)
        case FeedForward(expansion):
            return f"ffn{expansion}"
        case Identity():
            return "id"
    return class_name(substage) + _own_fields(substage)


def _own_fields(substage: Any) -> str:
    """Return the fields of a user's SubStage that differ from their defaults, or else all fields.

    The defaults of an unknown class are not known.
    """
    values, usual = values_of(substage), {}
    if not isinstance(substage, UnknownRecord):
        usual = {each.name: each.default for each in fields(substage)}
    unusual = {n: value for n, value in values.items() if n not in usual or value != usual[n]}
    shown = ",".join(f"{name}={value}" for name, value in (unusual or values).items())
    return f"({shown})" if shown else ""


def caption(substage: Any) -> str:
    """Return the caption of a SubStage in a drawing.

    >>> caption(Attention(heads=4, window=7))
    'attention, 4 heads, window 7'
    """
    match substage:
        case Conv(kernel, groups):
            kind = {1: "conv", "depthwise": "depthwise"}.get(groups, f"conv in {groups} groups")
            return f"{kind} {kernel}x{kernel}"
        case InvertedResidual(kernel, expansion, squeeze):
            extra = f", squeeze {squeeze}" * bool(squeeze)
            return f"inverted residual {kernel}x{kernel}, expansion {expansion}{extra}"
        case Attention(heads, window, stride):
            extra = f", window {window}" * bool(window) + f", stride {stride}" * (stride > 1)
            return f"attention, {heads} heads{extra}"
        case FeedForward(expansion):
            return f"feed-forward, expansion {expansion}"
        case Identity():
            return "identity"
    own = ", ".join(f"{name} {value}" for name, value in values_of(substage).items())
    return visible(class_name(substage) + (f", {own}" if own else ""))
