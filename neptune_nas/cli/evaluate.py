"""`neptune-nas evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from neptune_nas.cli.allow import Allow, allowed
from neptune_nas.cli.study import DataDir, Device
from neptune_nas.cli.terminal import print_line
from neptune_nas.cli.values import check_known
from neptune_nas.errors import OptionError
from neptune_nas.files.rules import Count
from neptune_nas.files.schema import check_value
from neptune_nas.text import counted

EXAMPLE = "Example: neptune-nas evaluate model.safetensors folder:labelled -o page.html"


def evaluate(
    file: Annotated[Path, typer.Argument(help="A trained model.", metavar="MODEL.safetensors")],
    data: Annotated[
        str,
        typer.Argument(
            help="Labelled images: folder:PATH with a folder per class, or data as in search.",
            metavar="DATA",
        ),
    ],
    split: Annotated[
        str | None,
        typer.Option(
            help="train, validation, test or all (default: test; all of a folder without splits)."
        ),
    ] = None,
    skip_unknown: Annotated[
        bool, typer.Option("--skip-unknown", help="Leave out classes the model does not know.")
    ] = False,
    worst: Annotated[int, typer.Option(help="How many of the surest mistakes to show.")] = 12,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Write a page to this file.", metavar="FILE.html"),
    ] = None,
    numbers: Annotated[
        Path | None,
        typer.Option("--json", help="Write the numbers to this file.", metavar="FILE.json"),
    ] = None,
    data_dir: DataDir = None,
    device: Device = "auto",
    allow: Allow = None,
) -> None:
    """Measure a trained model on labelled images: overall, by class, and where it is wrong."""
    check_value(worst, Count, "--worst")
    _check_suffix(output, "--out", ".html")
    _check_suffix(numbers, "--json", ".json")
    from neptune_nas.cli.console import console
    from neptune_nas.cli.evaluation_tables import print_evaluation
    from neptune_nas.cli.progress import say
    from neptune_nas.data.labelled_images import SPLITS, labelled_images
    from neptune_nas.devices.device import pick_device
    from neptune_nas.files.atomic import write_file
    from neptune_nas.models.evaluation import evaluate as evaluation_of
    from neptune_nas.models.evaluation import trained_on
    from neptune_nas.models.model import load_model
    from neptune_nas.report.evaluation import (
        evaluation_json,
        notes_on_evaluation,
        render_evaluation,
    )

    if split is not None:
        check_known(split, "--split", SPLITS)
    where = pick_device(device)
    model = load_model(file, allowed(allow))
    with console(stderr=True).status("Reading the images ..."):
        images = labelled_images(data, trained_on(model), split, skip_unknown, data_dir)
    with console(stderr=True).status(f"Predicting {counted(len(images.split), 'image')} ..."):
        found = evaluation_of(model, images.split, where)
    for note in notes_on_evaluation(found, images):
        say(note)
    print_evaluation(found, images, worst)
    for target, written, render in (
        ("Page", output, render_evaluation),
        ("JSON", numbers, evaluation_json),
    ):
        if written:
            write_file(written, render(str(file), found, images, worst))
            print_line(f"{target}: {written}")


def _check_suffix(file: Path | None, option: str, suffix: str) -> None:
    """Refuse a file of another kind, which may be one to keep, such as the model."""
    if file is not None and file.suffix.lower() != suffix:
        raise OptionError(f"{option} must name a file that ends in {suffix}, but got {file}.")
