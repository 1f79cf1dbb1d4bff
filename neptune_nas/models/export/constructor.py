"""The call that makes a network, as a literal text: `Neptune(stem=Stem(3, 16), stages=[...])`."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

from torch import nn

from neptune_nas.architecture import records
from neptune_nas.architecture.records import Architecture, resolve_connections
from neptune_nas.errors import ArchitectureError
from neptune_nas.models.architecture_file import ExportedArchitecture
from neptune_nas.nn.heads import ClassificationHead, Stem
from neptune_nas.nn.network import Neptune
from neptune_nas.nn.norms import SHIFTLESS
from neptune_nas.nn.references import OWN, ReferenceNetwork
from neptune_nas.nn.stage import Stage
from neptune_nas.nn.substages import (
    Convolution,
    FeedForward,
    InvertedResidual,
    Projection,
    SelfAttention,
)

LINE = 100  # characters


@dataclass(frozen=True, slots=True)
class Call:
    """A call still to be made: what, with which arguments, and with which by name."""

    make: Callable[..., nn.Module]
    arguments: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def texts(self) -> list[tuple[str, Any]]:
        """What stands before each argument, and its value; options at their default are left out.

        >>> Call(Stem, (3, 16), {"kernel": 3, "stride": 2}).texts()
        [('', 3), ('', 16), ('stride=', 2)]
        """
        known = signature(self.make).parameters
        named = [(f"{n}=", v) for n, v in self.options.items() if v != known[n].default]
        return [("", value) for value in self.arguments] + named

    def calls(self) -> Iterator["Call"]:
        """The call itself, and all calls inside it."""
        yield self
        for value in (*self.arguments, *self.options.values()):
            for inner in value if isinstance(value, list) else [value]:
                if isinstance(inner, Call):
                    yield from inner.calls()


def constructor(of: ExportedArchitecture | ReferenceNetwork) -> Call:
    """The call that makes the network. Raises `ArchitectureError` where it needs other code."""
    if isinstance(of, ExportedArchitecture):
        return neptune(of.architecture, of.input_shape[0], of.classes)
    if of.name in OWN:
        return Call(OWN[of.name], (of.input_shape[0], of.classes))
    raise ArchitectureError(
        f"the reference network '{of.name}' is torchvision's, so it cannot become a file that "
        f"needs torch alone: use the format onnx or pt2."
    )


def neptune(architecture: Architecture, channels: int, classes: int) -> Call:
    """The whole network for images of `channels`."""
    stem, head = architecture.stem, architecture.head
    widths = [stem.width, *(stage.width for stage in architecture.stages)]
    return Call(
        Neptune,
        options={
            "stem": Call(
                Stem, (channels, stem.width), {"kernel": stem.kernel, "stride": stem.stride}
            ),
            "stages": [
                stage_call(stage, width)
                for stage, width in zip(architecture.stages, widths, strict=False)
            ],
            "head": Call(
                ClassificationHead,
                (widths[-1], classes),
                {"width": head.width, "dropout": head.dropout},
            ),
        },
    )


def stage_call(stage: records.Stage, in_channels: int) -> Call:
    """A stage for maps of `in_channels`."""
    sources = resolve_connections(stage)
    chain = tuple((i,) for i in range(len(sources)))
    return Call(
        Stage,
        (in_channels, stage.width),
        {
            "entry": entry_call(stage, in_channels),
            "stride": stage.stride,
            "pool": stage.pool,
            "norm": stage.norm,
            "substages": [substage_call(sub, stage.width, stage.norm) for sub in stage.substages],
            "sources": None if sources == chain else list(sources),
            "residual": stage.connections == "residual",
        },
    )


def entry_call(stage: records.Stage, channels: int) -> Call:
    """What maps `channels` to the stage's width with its stride."""
    widths, options = (channels, stage.width), {"stride": stage.stride}
    match stage.entry:
        case records.Identity():
            return Call(Projection, widths, {**options, "bias": stage.norm in SHIFTLESS})
        case entry:
            return operation_call(entry, widths, stage.norm, options)


def substage_call(substage: Any, width: int, norm: str) -> Call | None:
    """The operation of a SubStage on maps of `width` channels; None for an identity."""
    bias = {"bias": norm in SHIFTLESS}
    match substage:
        case records.Identity():
            return None
        case records.Attention(heads, window, stride):
            return Call(SelfAttention, (width, heads), {"window": window, "stride": stride, **bias})
        case records.FeedForward(expansion):
            return Call(FeedForward, (width,), {"expansion": expansion, **bias})
        case operation:
            return operation_call(operation, (width, width), norm, {})


def operation_call(
    record: Any, widths: tuple[int, int], norm: str, options: Mapping[str, Any]
) -> Call:
    """What may stand at a stage's entry and among its SubStages."""
    match record:
        case records.Conv(kernel, groups):
            own: dict[str, Any] = {"groups": groups, "bias": norm in SHIFTLESS}
            return Call(Convolution, (*widths, kernel), {**options, **own})
        case records.InvertedResidual(kernel, expansion):
            own = {"expansion": expansion, "norm": norm}
            return Call(InvertedResidual, (*widths, kernel), {**options, **own})
    raise ArchitectureError(
        f"{record!r} is a record of your own, whose code is not the toolkit's, so its network "
        f"cannot become a file that needs torch alone: use the format onnx, pt2 or json."
    )


def render(value: Any, indent: int = 0, before: str = "", after: str = "") -> str:
    """The source of a value on one line, or, where that is too long, one line an item.

    `indent`: columns before the text. `before`, `after`: what stands around it on its first and
    last line.

    >>> render(Call(Stem, (3, 16), {"stride": 2}))
    'Stem(3, 16, stride=2)'
    """
    flat = before + one_line(value) + after
    if indent + len(flat) <= LINE or not isinstance(value, Call | list | tuple):
        return " " * indent + flat
    opening, items, closing = pieces(value)
    inside = [render(item, indent + 4, name, ",") for name, item in items]
    first, last = " " * indent + before + opening, " " * indent + closing + after
    return "\n".join([first, *inside, last])


def one_line(value: Any) -> str:
    """The source of a value on one line, with double quotes where that needs no escapes."""
    if isinstance(value, str):
        return f'"{value}"' if value.isprintable() and not {*value} & {*'"\\'} else repr(value)
    if not isinstance(value, Call | list | tuple):
        return repr(value)
    opening, items, closing = pieces(value)
    comma = "," if isinstance(value, tuple) and len(value) == 1 else ""
    return opening + ", ".join(name + one_line(item) for name, item in items) + comma + closing


def pieces(value: Call | list[Any] | tuple[Any, ...]) -> tuple[str, list[tuple[str, Any]], str]:
    """What a call, list or tuple opens with, its named items, and what closes it."""
    if isinstance(value, Call):
        return f"{value.make.__name__}(", value.texts(), ")"
    brackets = "[]" if isinstance(value, list) else "()"
    return brackets[0], [("", item) for item in value], brackets[1]
