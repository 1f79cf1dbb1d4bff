"""Closed forms of what the parts of a Neptune network cost, as the counter counts them.

The counter in `metrics.counted` remains the reference: a test holds every form to it. The counter
takes a few milliseconds a part, a form a few microseconds.
"""

from math import gcd

from neptune_nas.architecture import dense_heads, records
from neptune_nas.nn.builder import DensePlace, EntryPart, NetworkPart, Shape, SubStagePlace
from neptune_nas.nn.norms import SHIFTLESS, cell_sizes, inner_norm
from neptune_nas.nn.substages import squeezed_width

Counts = tuple[int, int, int]
"""MACs, parameters and activations."""

_LARGE = 2**40  # beyond it torch may refuse a tensor, which only the counter can tell
_GRID = 4  # cells a side of an LRN
_SCALED = frozenset({"batch", "layer", "group", "instance", "lrn", "mln"})  # and shifted


def part_counts(part: NetworkPart) -> Counts | None:
    """Return what a part costs; None for one without a closed form, which has to be counted."""
    terms = _terms(part)
    if terms is None:
        return None
    macs, params, activations = zip(*terms, strict=True)
    found = sum(macs), sum(params), sum(activations)
    return found if max(found) < _LARGE else None


def part_params(part: NetworkPart) -> int | None:
    """Return the parameters of a part; None for one without a closed form."""
    counts = part_counts(part)
    return counts and counts[1]


def _terms(part: NetworkPart) -> list[Counts] | None:
    """Return what each layer of a part costs; None if that is unknown, or it cannot be built."""
    channels, height, width = part.shape
    match part.what:
        case records.Stem(wide, kernel, stride):
            pixels = -(-height // stride) * -(-width // stride)
            return [_conv(channels, wide, pixels, kernel), (0, 2 * wide, 0)]
        case records.Head(wide):
            hidden = [_conv(channels, wide, height * width), (0, 2 * wide, 0)] if wide else []
            return [*hidden, _conv(wide or channels, part.outputs, 1, bias=True)]
        case DensePlace(dense_heads.LrasppHead(wide), maps):
            return _of_lraspp(wide, maps, part.outputs)
        case DensePlace(dense_heads.DecoderHead() as head, maps):
            return _of_decoder(head, maps, part.outputs)
        case DensePlace(dense_heads.DetectionHead() as head, maps):
            return _of_detector(head, maps, part.outputs)
        case EntryPart() as entry:
            return _of_entry(entry, part.shape)
        case SubStagePlace() as place:
            return _of_place(place, part.shape)
    return None


def _of_entry(entry: EntryPart, shape: Shape) -> list[Counts] | None:
    """Return the terms of an entry, its pooling and its norm."""
    channels, bias = shape[0], entry.norm in SHIFTLESS
    height, width = (-(-side // entry.stride) for side in shape[1:])
    match entry.entry:
        case records.Conv(kernel, groups):
            number = gcd(channels, entry.width) if groups == "depthwise" else groups
            if channels % number or entry.width % number:
                return None
            terms = [_conv(channels, entry.width, height * width, kernel, number, bias)]
        case records.InvertedResidual() as block:
            terms = _inverted(block, entry, shape)
        case records.Identity():
            changes = channels != entry.width or entry.stride > 1
            terms = [_conv(channels, entry.width, height * width, bias=bias)] if changes else []
        case _:
            return None
    if entry.pool != "none":
        height, width = height // 2, width // 2
    if entry.pool == "conv":
        terms.append(_conv(entry.width, entry.width, height * width, 2, bias=bias))
    return [*terms, _norm(entry.norm, (entry.width, height, width))]


def _of_place(place: SubStagePlace, shape: Shape) -> list[Counts] | None:
    """Return the terms of a SubStage: the projection of its sources, its operation, its norm."""
    channels, height, width = shape
    pixels, bias = height * width, place.norm in SHIFTLESS
    project = [_conv(place.sources * channels, channels, pixels, bias=bias)]
    joined = project if place.sources > 1 else []
    match place.substage:
        case records.Conv(kernel, groups):
            number = channels if groups == "depthwise" else groups
            if channels % number:
                return None
            terms = [_conv(channels, channels, pixels, kernel, number, bias)]
        case records.InvertedResidual() as block:
            same = EntryPart(channels, block, 1, "none", place.norm)
            terms = _inverted(block, same, shape)
        case records.Attention() as attention:
            if channels % attention.heads:
                return None
            terms = _attention(attention, shape, bias)
        case records.FeedForward(expansion):
            inner = channels * expansion
            terms = [
                _conv(channels, inner, pixels, bias=bias),
                _conv(inner, channels, pixels, bias=bias),
            ]
        case records.Identity():
            return [*joined, (0, 0, 0)]
        case _:
            return None
    return [*joined, *terms, _norm(place.norm, shape, place.layers)]


def _of_lraspp(wide: int, maps: tuple[Shape, ...], outputs: int) -> list[Counts]:
    """Return the terms of an LR-ASPP head."""
    (channels, *small), (others, *large) = maps
    pixels = large[0] * large[1]
    return [
        *_normalised(channels, wide, small[0] * small[1]),
        _conv(channels, wide, 1),
        _conv(wide, outputs, pixels, bias=True),
        _conv(others, outputs, pixels, bias=True),
    ]


def _of_decoder(
    head: dense_heads.DecoderHead, maps: tuple[Shape, ...], outputs: int
) -> list[Counts]:
    """Return the terms of a decoder: lateral convolutions, those after each merging, the last."""
    merged = head.width * (2 if head.merge == "concat" else 1)
    terms = []
    for i, (channels, height, width) in enumerate(maps):
        pixels = height * width
        terms += _normalised(channels, head.width, pixels)
        terms += _filter(head, merged, pixels) if i else []
    _, height, width = maps[-1]
    return [*terms, _conv(head.width, outputs, height * width, bias=True)]


def _of_detector(
    head: dense_heads.DetectionHead, maps: tuple[Shape, ...], outputs: int
) -> list[Counts]:
    """Return the terms of a detector: its pyramid, and what each level predicts with."""
    terms = []
    for i, (channels, height, width) in enumerate(maps):
        pixels = height * width
        terms += _normalised(channels, head.width, pixels)
        terms += _filter(head, head.width, pixels) * (head.depth + min(i, 1))
        terms.append(_conv(head.width, 4 + outputs, pixels, bias=True))  # sides of a box first
    return terms


def _filter(
    head: dense_heads.DecoderHead | dense_heads.DetectionHead, channels: int, pixels: int
) -> list[Counts]:
    """Return the terms of a head's convolution, which may be separable."""
    if head.groups == "depthwise":
        return [
            *_normalised(channels, channels, pixels, head.kernel, channels),
            *_normalised(channels, head.width, pixels),
        ]
    return _normalised(channels, head.width, pixels, head.kernel)


def _normalised(
    channels: int, width: int, pixels: int, kernel: int = 1, groups: int = 1
) -> list[Counts]:
    """Return the terms of a convolution and its batch norm."""
    return [_conv(channels, width, pixels, kernel, groups), (0, 2 * width, 0)]


def _conv(
    channels: int, width: int, pixels: int, kernel: int = 1, groups: int = 1, bias: bool = False
) -> Counts:
    """Return the cost of a convolution that puts out `pixels` pixels of `width` channels."""
    weights = channels // groups * kernel**2 * width
    return weights * pixels, weights + bias * width, width * pixels


def _inverted(block: records.InvertedResidual, entry: EntryPart, shape: Shape) -> list[Counts]:
    """Return the terms of an inverted residual in the place of an entry."""
    channels, height, width = shape
    inner, bias = channels * block.expansion, entry.norm in SHIFTLESS
    pixels = -(-height // entry.stride) * -(-width // entry.stride)
    norm = _norm(inner_norm(entry.norm), (inner, height, width))
    expand = [_conv(channels, inner, height * width, bias=bias), norm]
    hidden = squeezed_width(inner, block.squeeze) if block.squeeze else 0
    squeeze = [_conv(inner, hidden, 1, bias=True), _conv(hidden, inner, 1, bias=True)]
    return [
        *(expand if block.expansion > 1 else ()),
        _conv(inner, inner, pixels, block.kernel, inner, bias),
        norm,
        *(squeeze if hidden else ()),
        _conv(inner, entry.width, pixels, bias=bias),
    ]


def _attention(attention: records.Attention, shape: Shape, bias: bool) -> list[Counts]:
    """Return the terms of self-attention on the whole map or in windows."""
    channels, *sides = shape
    window = attention.window
    windows = 1
    if 0 < window < max(sides):
        windows = -(-sides[0] // window) * -(-sides[1] // window)
        sides = [window, window]
    queries = sides[0] * sides[1]
    keys = -(-sides[0] // attention.stride) * -(-sides[1] // attention.stride)
    pairs = windows * queries * keys
    return [
        _conv(channels, channels, windows * queries, bias=bias),
        _conv(channels, 2 * channels, windows * keys, bias=bias),
        (2 * channels * pairs, 0, attention.heads * pairs + channels * windows * queries),
        _conv(channels, channels, shape[1] * shape[2], bias=bias),
    ]


def _norm(kind: records.Norm | str, shape: Shape, layers: int = 1) -> Counts:
    """Return the cost of a norm on maps of `shape`; an MLN mixes `layers` layers."""
    channels, height, width = shape
    if kind == "lrn":
        dim = max(4, channels // 8)
        params = 2 * channels * (1 + dim)
        if height == width == 1:
            return 0, params, 0
        keys = len(cell_sizes(height, _GRID)) * len(cell_sizes(width, _GRID))
        macs = 2 * channels * keys * (dim + keys) + keys**2 * dim
        return macs, params, keys * (2 * dim + keys + 2 * channels)
    if kind == "rms":
        return 0, channels, 0
    mixture = layers if kind == "mln" and layers > 1 else 0
    return 0, 2 * channels * (kind in _SCALED) + mixture, 0
