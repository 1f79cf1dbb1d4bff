"""`neptune-nas draw` and `neptune-nas show`: drawings of an architecture."""

from pathlib import Path
from typing import Annotated

import typer

from neptune_nas.cli.allow import Allow, allowed
from neptune_nas.cli.terminal import print_line, print_text
from neptune_nas.text import counted

DRAW_EXAMPLE = "Example: neptune-nas draw best.json -o best.svg"
SHOW_EXAMPLE = "Example: neptune-nas show best.json"

File = Annotated[Path, typer.Argument(help="An exported architecture.", metavar="FILE.json")]


def draw(
    file: File,
    output: Annotated[
        Path | None, typer.Option("-o", "--out", help="Where to write (default: stdout).")
    ] = None,
    allow: Allow = None,
) -> None:
    """Draw an architecture as SVG, with widths and cost shares."""
    from neptune_nas.files.atomic import write_file
    from neptune_nas.models.architecture_file import load
    from neptune_nas.report.drawing import model_for
    from neptune_nas.report.svg import draw_svg

    item = load(file, allowed(allow))
    model = model_for(item.input_shape, item.classes)
    svg = draw_svg(item.architecture, model, standalone=True)
    if output is None:
        print_text(f"{svg}\n")
    else:
        write_file(output, svg)


def show(file: File, allow: Allow = None) -> None:
    """Show an architecture in the terminal, with costs and scores."""
    from neptune_nas.cli.console import console
    from neptune_nas.cli.progress import score_text
    from neptune_nas.metrics.registry import metric
    from neptune_nas.models.architecture_file import load
    from neptune_nas.report.drawing import draw_text, model_for

    item = load(file, allowed(allow))
    console().print(draw_text(item.architecture, model_for(item.input_shape, item.classes)))
    costs = (f"{value:,.10g} {metric(name).title}" for name, value in item.costs.items())
    print_line(", ".join(costs))
    for score in item.scores:
        if score.ok:
            print_line(
                f"{score_text(score)} after {counted(score.fidelity, 'epoch')}, seed {score.seed}"
            )
