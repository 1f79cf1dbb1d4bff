"""`neptune-nas evaluate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neptune_nas.cli.allow import Allow, allowed
from neptune_nas.cli.study import DataDir, Device
from neptune_nas.cli.terminal import print_line
from neptune_nas.cli.values import check_known
from neptune_nas.errors import OptionError
from neptune_nas.files.rules import Count
from neptune_nas.files.schema import check_value
from neptune_nas.text import counted

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from neptune_nas.data.labelled_images import LabelledImages
    from neptune_nas.tasks.evaluation import Evaluation

EXAMPLE = "Example: neptune-nas evaluate model.safetensors folder:labelled -o page.html"
_ENDLESS = 10_000  # columns of a terminal in which any matrix that is tried fits


def evaluate(
    file: Annotated[Path, typer.Argument(help="A trained model.", metavar="MODEL.safetensors")],
    data: Annotated[
        str,
        typer.Argument(
            help="Labelled images: folder:PATH with a folder per class, or any data of search.",
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
        Path | None, typer.Option("-o", "--out", help="Write a page.", metavar="FILE.html")
    ] = None,
    numbers: Annotated[
        Path | None, typer.Option("--json", help="Write the numbers.", metavar="FILE.json")
    ] = None,
    data_dir: DataDir = None,
    device: Device = "auto",
    allow: Allow = None,
) -> None:
    """Measure a trained model on labelled images: in all, by class, and where it is wrong."""
    check_value(worst, Count, "--worst")
    _check_suffix(output, "--out", ".html")
    _check_suffix(numbers, "--json", ".json")
    from neptune_nas.cli.console import console
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
    """Refuse a file of another kind, which may be one to be kept, such as the model."""
    if file is not None and file.suffix.lower() != suffix:
        raise OptionError(f"{option} must name a file that ends in {suffix}, but got {file}.")


def print_evaluation(found: "Evaluation", images: "LabelledImages", worst: int) -> None:
    """Print the score, and tables of the classes, their confusion, and the surest mistakes."""
    from neptune_nas.cli.console import console
    from neptune_nas.report.evaluation import chance_text, score_text

    print_line(f"{score_text(found)}, on {counted(found.images, 'image')}: {images.what}.")
    print_line(chance_text(found))
    terminal = console()
    terminal.print(classes_table(found))
    if found.mistakes:
        terminal.print(confusion_table(found, terminal))
    if found.mistakes[:worst]:
        print_line(f"The surest of {counted(len(found.mistakes), 'mistake')}:")
        terminal.print(mistakes_table(found, images, worst))


def _table() -> "Table":
    from rich.box import SIMPLE
    from rich.table import Table

    return Table(box=SIMPLE)


def classes_table(found: "Evaluation") -> "Table":
    """Return the table of the classes, numbered as in the table of their confusion."""
    from neptune_nas.report.evaluation import share_cells, share_names

    table = _table()
    table.add_column("", justify="right")
    table.add_column("class", overflow="fold")
    for head in (*share_names(found), "images"):
        table.add_column(head, justify="right", no_wrap=True)
    for number, each in enumerate(found.classes, start=1):
        table.add_row(str(number), each.label, *share_cells(each), f"{each.images:,}")
    return table


def confusion_table(found: "Evaluation", terminal: "Console") -> "Table":
    """Return the matrix of classes if it fits into the terminal, else the most frequent pairs."""
    from neptune_nas.report.evaluation import matrix

    counts = matrix(found, terminal.width // 4)
    if counts is not None:
        table, endless = _matrix_table(counts), terminal.options.update(width=_ENDLESS)
        if terminal.measure(table, options=endless).maximum <= terminal.width:
            return table
    return _pairs_table(found)


def _matrix_table(counts: list[list[int]]) -> "Table":
    table = _table()
    table.add_column("predicted as:", justify="right", no_wrap=True)
    for number in range(1, len(counts) + 1):
        table.add_column(str(number), justify="right", no_wrap=True)
    for number, row in enumerate(counts, start=1):
        table.add_row(f"class {number}", *(f"{count:,}" if count else "" for count in row))
    return table


def _pairs_table(found: "Evaluation") -> "Table":
    from neptune_nas.report.evaluation import PAIRS

    table = _table()
    for head in ("class", "predicted"):
        table.add_column(head, overflow="fold")
    table.add_column("images", justify="right", no_wrap=True)
    for label, predicted, count in found.confused[:PAIRS]:
        table.add_row(label, predicted, f"{count:,}")
    return table


def mistakes_table(found: "Evaluation", images: "LabelledImages", worst: int) -> "Table":
    """Return the table of the surest mistakes."""
    from neptune_nas.report.evaluation import image_name

    table = _table()
    table.add_column("image", overflow="fold")
    for head in ("class", "predicted"):
        table.add_column(head, overflow="fold")
    table.add_column("probability", justify="right", no_wrap=True)
    for each in found.mistakes[:worst]:
        name, probability = image_name(each, images.files), f"{each.probability:.4f}"
        table.add_row(name, each.label, each.predicted, probability)
    return table
