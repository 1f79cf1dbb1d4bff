"""An architecture as an SVG: stages as boxes, SubStages as rows, connections as lines.

`web/drawing.js` draws the same in the browser for any trial that is clicked; a test holds the two
to each other, so a change here is a change there.
"""

from collections.abc import Iterable
from html import escape

from neptune_nas.architecture.records import Architecture, Network
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
    architecture: Architecture | Network, model: CostModel, standalone: bool = False
) -> str:
    """Return the drawing of an architecture on the model's images, with each part's share of MACs.

    In a page it takes the colour of the text around it; `standalone` adds colours of its own, for
    a file. A network whose parts are not known is drawn as the fields of its record. Raises
    `ArchitectureError` if the images are too small for the architecture.
    """
    return svg_of(rows(architecture, model), standalone)


def svg_of(found: tuple[Row, ...], standalone: bool = False) -> str:
    """The drawing of rows."""
    middles, boxes, height = layout(found)
    percent = shares(found)
    body = "".join(
        [
            *boxes,
            *(wires(found[i], i, middles) for i in range(len(found))),
            *(line(found[i], middles[i], percent[i], max(percent)) for i in range(len(found))),
            foot(height) if any(map(has_share, found)) else "",
        ]
    )
    count = sum(map(has_share, found))
    text = escape(f"network of {count} parts" if count else f"network {found[1].label}")
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


def line(row: Row, middle: int, percent: int, most: int) -> str:
    """A row's node, its label, and its share of the MACs; the largest fills its bar."""
    label = row.label if len(row.label) <= LABEL else row.label[: LABEL - 1] + "…"
    name = {"image": "image", "stem": f"stem {label}", "head": f"head {label}"}.get(row.kind, label)
    parts = [
        "" if row.kind == "field" else f'<circle cx="{SPINE}" cy="{middle}" r="3.5"/>',
        f'<text x="{TEXT}" y="{middle + 4}">{escape(name, quote=False)}</text>',
    ]
    if row.kind == "field":
        return "".join(parts)
    if not has_share(row):
        parts.append(
            f'<text x="{WIDTH - 10}" y="{middle + 4}" text-anchor="end" fill-opacity="0.65">'
            f"{shape_text(row.shape)}</text>"
        )
        return "".join(parts)
    filled = max(BAR_WIDTH * percent // max(most, 1), 1)
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


def has_share(row: Row) -> bool:
    """Return whether a row is one part among others, whose shares of the cost differ."""
    return row.kind not in ("image", "network", "field")


def foot(top: int) -> str:
    """Say what the bars and percentages are."""
    return (
        f'<text x="{WIDTH - 10}" y="{top + 12}" text-anchor="end" fill-opacity="0.65">'
        f"share of MACs</text>"
    )


def shape_text(shape: Iterable[object]) -> str:
    """Channels, height and width, as a drawing shows them."""
    return f" {TIMES} ".join(map(str, shape))
