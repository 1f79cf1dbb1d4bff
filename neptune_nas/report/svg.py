"""An architecture as an SVG: stages as boxes, SubStages as rows, connections as lines."""

from collections.abc import Iterable
from functools import partial
from html import escape

from neptune_nas.architecture.records import Architecture
from neptune_nas.metrics.counted import CostModel
from neptune_nas.report.drawing import Row, Shape, rows, shares

WIDTH, LINE, HEAD, GAP = 380, 24, 26, 10  # px
SPINE, TEXT, BAR, BAR_WIDTH = 30, 46, 300, 36
FOOT = 18  # px below, for what the percentages are of
TIMES = "\N{MULTIPLICATION SIGN}"
LABEL = 36  # characters that fit, in a wide font
STYLE = (
    "<style>.net{color-scheme:light dark;color:#24292f;font-family:system-ui,sans-serif}"
    "@media(prefers-color-scheme:dark){.net{color:#e6edf3}}</style>"
)
ACCENT_INK = "var(--accent,#2a7ab9)"


def draw_svg(
    architecture: Architecture, model: CostModel, *, counted: bool = True, standalone: bool = False
) -> str:
    """Return the drawing of an architecture on the model's images.

    It has the share of MACs of each part unless `counted` is false, which is quicker. In a page it
    takes the colour of the text around it; `standalone` adds colours of its own, for a file. Raises
    `ArchitectureError` if the images are too small for the architecture.
    """
    found = rows(architecture, model, counted)
    middles, boxes, height = layout(found)
    percent = shares(found) if counted else (None,) * len(found)
    most = max((share for share in percent if share), default=1)
    body = "".join(
        [
            *boxes,
            *(wires(row, i, middles) for i, row in enumerate(found)),
            *map(partial(line, most=most), found, middles, percent),
            foot(height) if counted else "",
        ]
    )
    text = escape(f"network of {len(found) - 1} parts")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="net" '
        f'viewBox="0 0 {WIDTH} {height + FOOT}" '
        f'role="img" aria-label="{text}" font-size="12" fill="currentColor">'
        f"{STYLE if standalone else ''}{body}</svg>\n"
    )


def layout(found: tuple[Row, ...]) -> tuple[list[int], list[str], int]:
    """The middle of each row, the boxes of the stages, and the height of it all."""
    middles: list[int] = []
    boxes: list[str] = []
    y = stage = 0
    for i, row in enumerate(found):
        if row.kind == "entry":
            stage += 1
            count = 1 + next(
                (k for k, r in enumerate(found[i + 1 :]) if r.kind != "substage"),
                len(found) - i - 1,
            )
            y += GAP
            boxes.append(box(y, HEAD + LINE * count + 4, f"Stage {stage}", row.shape))
            y += HEAD
        middles.append(y + LINE // 2)
        y += LINE
        if i + 1 < len(found) and row.kind in ("entry", "substage"):
            y += 4 if found[i + 1].kind != "substage" else 0
        if row.kind in ("entry", "substage") and i + 1 < len(found) and found[i + 1].kind == "head":
            y += GAP
    return middles, boxes, y


def box(top: int, height: int, name: str, shape: Shape) -> str:
    """The box of a stage, with its name and the maps inside it."""
    return (
        f'<rect x="0.5" y="{top}.5" width="{WIDTH - 1}" height="{height - 1}" rx="8" '
        f'fill-opacity="0.04" stroke="currentColor" stroke-opacity="0.14"/>'
        f'<text x="{TEXT}" y="{top + 18}" font-weight="600">{name}</text>'
        f'<text x="{WIDTH - 10}" y="{top + 18}" text-anchor="end" fill-opacity="0.65">'
        f"{shape_text(shape)}</text>"
    )


def wires(row: Row, i: int, middles: list[int]) -> str:
    """The lines from the rows that this one reads, and the shortcut around it."""
    paths = [wire(middles[i - up], middles[i], up, "0.5") for up in row.reads]
    if row.shortcut:
        paths.append(wire(middles[i - 1], middles[i], 2, "1"))
    return "".join(paths)


def wire(start: int, end: int, up: int, opacity: str) -> str:
    """A straight line to the next row, an arc past others; shortcuts in the accent."""
    ink = ACCENT_INK if opacity == "1" else "currentColor"
    out = SPINE - min(6 + 6 * up, 28)
    path = f"V{end}" if up == 1 else f"C{out} {start} {out} {end} {SPINE} {end}"
    return (
        f'<path d="M{SPINE} {start}{path}" fill="none" stroke="{ink}" '
        f'stroke-opacity="{opacity}" stroke-width="1.5"/>'
    )


def line(row: Row, middle: int, percent: int | None, most: int) -> str:
    """Return a row's node, its label, and its share of the MACs, if known; `most` fills its bar."""
    label = row.label if len(row.label) <= LABEL else row.label[: LABEL - 1] + "…"
    name = {"image": "image", "stem": f"stem {label}", "head": f"head {label}"}.get(row.kind, label)
    parts = [
        f'<circle cx="{SPINE}" cy="{middle}" r="3.5"/>',
        f'<text x="{TEXT}" y="{middle + 4}">{escape(name, quote=False)}</text>',
    ]
    if row.kind == "image":
        parts.append(
            f'<text x="{WIDTH - 10}" y="{middle + 4}" text-anchor="end" fill-opacity="0.65">'
            f"{shape_text(row.shape)}</text>"
        )
        return "".join(parts)
    if percent is None:
        return "".join(parts)
    filled = max(BAR_WIDTH * percent // most, 1)
    return "".join(
        [
            *parts,
            f'<rect x="{BAR}" y="{middle - 4}" width="{BAR_WIDTH}" height="8" rx="2" '
            f'fill-opacity="0.1"/>',
            f'<rect x="{BAR}" y="{middle - 4}" width="{filled}" height="8" rx="2" '
            f'fill="{ACCENT_INK}"/>',
            f'<text x="{WIDTH - 10}" y="{middle + 4}" text-anchor="end">{percent}%</text>',
        ]
    )


def foot(top: int) -> str:
    """What the bars and percentages are."""
    return (
        f'<text x="{WIDTH - 10}" y="{top + 12}" text-anchor="end" fill-opacity="0.65">'
        f"share of MACs</text>"
    )


def shape_text(shape: Iterable[object]) -> str:
    """Channels, height and width, as a drawing shows them."""
    return f" {TIMES} ".join(map(str, shape))
