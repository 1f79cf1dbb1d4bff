"""The figures of a report by name, and their export as files."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import plotly.graph_objects as go

from neptune_nas.errors import NeptuneError, OptionError, one_of
from neptune_nas.report.effects import require_effects
from neptune_nas.report.effects_figures import effects_figure, importance_figure
from neptune_nas.report.pareto_figure import pareto_figure
from neptune_nas.report.progress_figures import hypervolume_figure, rungs_figure, timeline_figure
from neptune_nas.study.notebook import in_notebook
from neptune_nas.study.study import Study

_FORMATS = ("html", "pdf", "png", "svg", "webp")
_WIDTH, _SCALE = 900, 2  # px, and pixels a px
_HAS_KALEIDO = find_spec("kaleido") is not None
_HAS_NBFORMAT = find_spec("nbformat") is not None


def plot(name: str, studies: Sequence[Study], nbformat: bool = _HAS_NBFORMAT) -> go.Figure:
    """Return a figure of the report as a plotly figure, by the name that `neptune-nas plot` takes.

    `nbformat`: whether the library of that name is installed, which notebooks need. Raises
    `OptionError` for an unknown name, `StudyError` for studies that have too few results, and
    `NeptuneError` in a notebook without nbformat.
    """
    if name not in FIGURES:
        raise OptionError(f"figure '{name}' is unknown: {one_of(FIGURES, name)}")
    if in_notebook() and not nbformat:
        raise NeptuneError(
            "a figure in a notebook needs nbformat, but it is not installed: "
            "pip install 'neptune-nas[notebook]'."
        )
    white = {"paper_bgcolor": "#ffffff", "plot_bgcolor": "#ffffff"}  # its text is dark
    return FIGURES[name](studies).update_layout(white)


def image(fig: go.Figure, path: Path, kaleido: bool = _HAS_KALEIDO) -> bytes:
    """Return the figure in the format of `path`'s ending, without writing it.

    A page (`.html`) needs nothing else; a picture needs kaleido. Raises `OptionError` for an
    ending that is no format, and `NeptuneError` without kaleido or its browser.
    """
    form = path.suffix.lstrip(".").lower()
    if form not in _FORMATS:
        raise OptionError(f"figure {path} must end in one of {', '.join(_FORMATS)}, {_hint(form)}")
    if form == "html":
        return str(fig.to_html()).encode(errors="backslashreplace")
    if not kaleido:
        raise NeptuneError(
            f"figure {path} needs kaleido to become a {form} file, but it is not installed: "
            f"pip install 'neptune-nas[image]'."
        )
    try:
        content: bytes = fig.to_image(format=form, width=_WIDTH, scale=_SCALE)
    except (RuntimeError, ValueError) as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), "no reason given")
        raise NeptuneError(
            f"figure {path} could not be drawn by kaleido ({reason.strip()}): it needs Chrome or "
            f"Chromium; set BROWSER_PATH to one, or open the report and save the figure there."
        ) from error
    return content


def _hint(form: str) -> str:
    """Return the remedy for an unknown format."""
    return f"but got '{form}': {one_of(_FORMATS, form)}" if form else "but its name has no ending."


FIGURES: dict[str, Callable[[Sequence[Study]], go.Figure]] = {
    "pareto": pareto_figure,
    "hypervolume": hypervolume_figure,
    "hypervolume-seconds": lambda studies: hypervolume_figure(studies, over="seconds"),
    "timeline": timeline_figure,
    "rungs": rungs_figure,
    "importance": lambda studies: importance_figure(studies[0], require_effects(studies)),
    "effects": lambda studies: effects_figure(studies[0], require_effects(studies)),
}
