"""`neptune-nas draw` and `neptune-nas show`: drawings of an architecture."""

from pathlib import Path
from typing import Annotated

import typer

from neptune_nas.cli.allow import Allow
from neptune_nas.cli.pick import Best, MinAccuracy, Pick, TrialNumber
from neptune_nas.cli.source import Source, architecture_at
from neptune_nas.cli.study import Storage
from neptune_nas.cli.terminal import print_line, print_text
from neptune_nas.text import counted

DRAW_EXAMPLE = "Example: neptune-nas draw studies/default-digits --best knee -o knee.svg"
SHOW_EXAMPLE = "Example: neptune-nas show studies/default-digits --trial 3"


def draw(
    source: Source,
    which: Best = None,
    trial: TrialNumber = None,
    min_accuracy: MinAccuracy = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--out", help="Where to write (default: stdout).")
    ] = None,
    storage: Storage = None,
    allow: Allow = None,
) -> None:
    """Draw an architecture as SVG, with widths and cost shares."""
    wanted = Pick(which, trial, min_accuracy)
    from neptune_nas.files.atomic import write_file
    from neptune_nas.report.drawing import model_for
    from neptune_nas.report.svg import draw_svg

    name, item = architecture_at(source, wanted, storage, allow)
    model = model_for(item.input_shape, item.classes)
    svg = draw_svg(item.architecture, model, standalone=True)
    if output is None:
        print_text(f"{svg}\n")
    else:
        write_file(output, svg)
        print_line(f"{name}: {output}")


def show(
    source: Source,
    which: Best = None,
    trial: TrialNumber = None,
    min_accuracy: MinAccuracy = None,
    storage: Storage = None,
    allow: Allow = None,
) -> None:
    """Show an architecture in the terminal, with costs and scores."""
    wanted = Pick(which, trial, min_accuracy)
    from neptune_nas.cli.console import console
    from neptune_nas.cli.progress import score_text
    from neptune_nas.metrics.registry import metric
    from neptune_nas.report.drawing import draw_text, model_for

    name, item = architecture_at(source, wanted, storage, allow)
    if source.is_dir():
        print_line(f"{name} of {source}")
    console().print(draw_text(item.architecture, model_for(item.input_shape, item.classes)))
    costs = (f"{value:,.10g} {metric(name).title}" for name, value in item.costs.items())
    print_line(", ".join(costs))
    for score in item.scores:
        if score.ok:
            print_line(
                f"{score_text(score)} after {counted(score.fidelity, 'epoch')}, seed {score.seed}"
            )
