"""`neptune-nas predict`."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neptune_nas.cli.allow import Allow, allowed
from neptune_nas.cli.terminal import print_line, print_text
from neptune_nas.cli.values import check_known
from neptune_nas.errors import DataError
from neptune_nas.files.rules import Size
from neptune_nas.files.schema import check_value
from neptune_nas.text import csv_cell, json_visible

if TYPE_CHECKING:
    from neptune_nas.data.pictures import Picture
    from neptune_nas.models.model import Model
    from neptune_nas.tasks.task import Finding

Labels = tuple["Finding", ...]
"""Labels with their probabilities, the most probable first."""
Row = tuple[Path, Labels]
Read = tuple[Path, "Picture | DataError"]

EXAMPLE = "Example: neptune-nas predict model.safetensors photo.jpg --top 3"
FORMATS = ("text", "json", "csv")
AT_ONCE = 64  # images read and predicted together: bounds the memory and the wait for a line
COLUMNS = ("image", "place", "label", "probability")


def predict(
    file: Annotated[Path, typer.Argument(help="A trained model.", metavar="MODEL.safetensors")],
    images: Annotated[
        list[Path], typer.Argument(help="Images, or folders of images.", metavar="IMAGE...")
    ],
    top: Annotated[int, typer.Option(help="How many labels to give for each image.")] = 1,
    form: Annotated[str, typer.Option("--format", help="text, json or csv.")] = "text",
    allow: Allow = None,
) -> None:
    """Predict the labels of images. The exit code is 1 if some cannot be read."""
    check_value(top, Size, "--top")
    check_known(form, "--format", FORMATS)
    from neptune_nas.cli.progress import say
    from neptune_nas.data.pictures import pictures, recoloured_text
    from neptune_nas.models.model import load_model

    model = load_model(file, allowed(allow))
    whole, recoloured = True, 0
    rows: list[Row] = []
    for group in grouped(pictures(images, model.input_shape, say), AT_ONCE):
        recoloured += sum(each.channels != model.input_shape[0] for each in readable(group))
        for image, found in predicted(model, group, top):
            if isinstance(found, DataError):
                whole = False
                print_line(f"neptune-nas: {found}", stderr=True)
                continue
            if form == "text":
                labels = (f"{each.label} {each.probability:.4f}" for each in found)
                print_line(f"{image}: {', '.join(labels)}")
            else:
                rows.append((image, found))
    if form != "text":
        print_text(as_json(rows) if form == "json" else as_csv(rows))
    if recoloured:
        print_line(recoloured_text(recoloured, model.input_shape[0]), stderr=True)
    if not whole:
        raise typer.Exit(1)


def grouped(items: Iterator[Read], size: int) -> Iterator[list[Read]]:
    """Yield lists of `size` items, the last one possibly shorter."""
    while group := [*islice(items, size)]:
        yield group


def readable(group: Sequence[Read]) -> list["Picture"]:
    """Return the images that could be read."""
    return [found for _, found in group if not isinstance(found, DataError)]


def predicted(
    model: "Model", group: Sequence[Read], top: int
) -> Iterator[tuple[Path, "Labels | DataError"]]:
    """Yield each image's path with its most probable labels, or with the error of reading it."""
    import torch

    pixels = [picture.pixels for picture in readable(group)]
    answers = iter(model.findings(torch.stack(pixels), top) if pixels else ())
    for image, found in group:
        yield image, found if isinstance(found, DataError) else next(answers)


def as_json(rows: Sequence[Row]) -> str:
    """Return a JSON list with one object per image."""
    content = [
        {"image": str(image), "labels": [asdict(each) for each in found]} for image, found in rows
    ]
    return json_visible(json.dumps(content, indent=2, ensure_ascii=False)) + "\n"


def as_csv(rows: Sequence[Row]) -> str:
    """Return CSV with one line per image and label, below a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for image, found in rows:
        rows_of = ([str(image), i, *astuple(label)] for i, label in enumerate(found, start=1))
        writer.writerows(map(csv_cell, row) for row in rows_of)
    return text.getvalue()
