"""`neptune-nas plot`."""

from pathlib import Path
from typing import Annotated

import typer

from neptune_nas.cli.allow import Allow
from neptune_nas.cli.study import Force, Storage, Studies, study_at
from neptune_nas.cli.terminal import print_line

EXAMPLE = "Example: neptune-nas plot pareto studies/default-digits -o front.html"


def plot(
    figure: Annotated[
        str,
        typer.Argument(
            help="pareto, hypervolume, hypervolume-seconds, timeline, rungs, importance, effects.",
            metavar="FIGURE",
        ),
    ],
    studies: Studies,
    output: Annotated[
        Path, typer.Option("-o", "--out", help="A .html, .png, .svg, .pdf or .webp file.")
    ],
    force: Force = False,
    storage: Storage = None,
    allow: Allow = None,
) -> None:
    """Write one figure of the report. Formats other than .html need neptune-nas[image]."""
    from neptune_nas.files.atomic import write_file
    from neptune_nas.report import figures
    from neptune_nas.report.comparison import check_comparable

    results = [study_at(path, storage, allow) for path in studies]
    check_comparable(results, force)
    write_file(output, figures.image(figures.plot(figure, results), output))
    print_line(f"Figure: {output}")
