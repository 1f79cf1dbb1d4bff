"""A figure as a file of its own: a page that can be explored, or a picture by kaleido."""

from importlib.util import find_spec
from pathlib import Path

import plotly.graph_objects as go

from neptune_nas.errors import NeptuneError, OptionError, one_of

FORMATS = ("html", "pdf", "png", "svg", "webp")
WIDTH, SCALE = 900, 2  # px, and pixels a px


def image(fig: go.Figure, path: Path) -> bytes:
    """The figure in the format that the name of `path` ends in; nothing is written.

    A page (`.html`) needs nothing else. Raises `OptionError` for an ending that is no format, and
    `NeptuneError` without kaleido or its browser.
    """
    form = path.suffix.lstrip(".").lower()
    if form not in FORMATS:
        raise OptionError(f"figure {path} must end in one of {', '.join(FORMATS)}, {hint(form)}")
    fig = go.Figure(fig).update_layout(paper_bgcolor="#ffffff", plot_bgcolor="#ffffff")
    if form == "html":
        return str(fig.to_html()).encode()
    if find_spec("kaleido") is None:
        raise NeptuneError(
            f"figure {path} needs kaleido to become a {form} file, but it is not installed: "
            f"pip install 'neptune-nas[image]'."
        )
    try:
        content: bytes = fig.to_image(format=form, width=WIDTH, scale=SCALE)
    except (RuntimeError, ValueError) as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), "no reason given")
        raise NeptuneError(
            f"figure {path} could not be drawn by kaleido ({reason.strip()}): it needs Chrome or "
            f"Chromium; set BROWSER_PATH to one, or open the report and save the figure there."
        ) from error
    return content


def hint(form: str) -> str:
    """What to say about an unknown format."""
    return f"but got '{form}': {one_of(FORMATS, form)}" if form else "but its name has no ending."
