"""The output of an evaluation in the terminal: the score, and a table for each question."""

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from neptune_nas.cli.console import console
from neptune_nas.cli.terminal import print_line
from neptune_nas.data.labelled_images import LabelledImages
from neptune_nas.report.evaluation import (
    PAIRS,
    chance_text,
    image_name,
    matrix,
    score_text,
    share_cells,
    share_names,
)
from neptune_nas.tasks.evaluation import NOTHING, Evaluation
from neptune_nas.text import counted

_ENDLESS = 10_000  # columns of a terminal that has room for any matrix that is tried


def print_evaluation(found: Evaluation, images: LabelledImages, worst: int) -> None:
    """Print the score, and tables of the classes, their confusion, and the surest mistakes."""
    print_line(f"{score_text(found)}, on {counted(found.images, 'image')}: {images.what}.")
    print_line(chance_text(found))
    terminal = console()
    terminal.print(classes_table(found))
    if found.mistakes:
        terminal.print(confusion_table(found, terminal))
    if found.mistakes[:worst]:
        words = found.words
        count = counted(len(found.mistakes), words.mistake, words.mistakes)
        print_line(f"The {words.most} of {count}:")
        terminal.print(mistakes_table(found, images, worst))


def classes_table(found: Evaluation) -> Table:
    """Return the table of the classes, numbered as in the table of their confusion."""
    table = Table(box=SIMPLE)
    table.add_column("", justify="right")
    table.add_column("class", overflow="fold")
    for head in (*share_names(found), "images"):
        table.add_column(head, justify="right", no_wrap=True)
    for number, each in enumerate(found.classes, start=1):
        table.add_row(str(number), each.label, *share_cells(each), f"{each.images:,}")
    return table


def confusion_table(found: Evaluation, terminal: Console) -> Table:
    """Return the matrix of classes if it fits into the terminal, else the most frequent pairs."""
    counts = matrix(found, terminal.width // 4)
    if counts is not None:
        table, endless = _matrix_table(found, counts), terminal.options.update(width=_ENDLESS)
        if terminal.measure(table, options=endless).maximum <= terminal.width:
            return table
    return _pairs_table(found)


def _matrix_table(found: Evaluation, counts: list[list[int]]) -> Table:
    table = Table(box=SIMPLE)
    table.add_column("predicted as:", justify="right", no_wrap=True)
    for place in found.places:
        head = found.label(place) if place == NOTHING else str(place + 1)
        table.add_column(head, justify="right", no_wrap=True)
    for place, row in zip(found.places, counts, strict=True):
        head = found.label(place) if place == NOTHING else f"class {place + 1}"
        table.add_row(head, *(f"{count:,}" if count else "" for count in row))
    return table


def _pairs_table(found: Evaluation) -> Table:
    table = Table(box=SIMPLE)
    for head in ("class", "predicted"):
        table.add_column(head, overflow="fold")
    table.add_column(found.words.units, justify="right", no_wrap=True)
    for label, predicted, count in found.confused[:PAIRS]:
        table.add_row(label, predicted, f"{count:,}")
    return table


def mistakes_table(found: Evaluation, images: LabelledImages, worst: int) -> Table:
    """Return the table of the surest mistakes."""
    table = Table(box=SIMPLE)
    table.add_column("image", overflow="fold")
    for head in ("class", "predicted"):
        table.add_column(head, overflow="fold")
    table.add_column(found.words.number, justify="right", no_wrap=True)
    for each in found.mistakes[:worst]:
        name, probability = image_name(each, images.files), f"{each.probability:.4f}"
        table.add_row(name, each.label, each.predicted, probability)
    return table
