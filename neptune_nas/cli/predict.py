"""`neptune-nas predict`."""

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neptune_nas.cli.allow import Allow, allowed
from neptune_nas.cli.terminal import print_line, print_text
from neptune_nas.cli.values import check_known
from neptune_nas.errors import DataError, OptionError
from neptune_nas.files.rules import Size
from neptune_nas.files.schema import check_value
from neptune_nas.text import csv_cell, json_visible

if TYPE_CHECKING:
    from PIL.Image import Image

    from neptune_nas.data.pictures import Picture
    from neptune_nas.models.model import Model
    from neptune_nas.tasks.task import Finding

Labels = tuple["Finding", ...]
"""Labels with their probabilities, or shares of the pixels, the largest first, and boxes."""
Read = tuple[Path, "Picture | DataError"]

EXAMPLE = "Example: neptune-nas predict model.safetensors photo.jpg --top 3"
FORMATS = ("text", "json", "csv")
AT_ONCE = 64  # images read and predicted together: bounds the memory and the wait for a line
_PIXELS = 2**22  # of these images, at most
_OUT = Path("predicted")
_SIDES = ("left", "top", "right", "bottom")


@dataclass(frozen=True, slots=True)
class Prediction:
    """The prediction for an image: labels and, where parts of it have labels, pictures of them.

    `certainty`: the word for the number of a label.
    """

    image: Path
    labels: Labels
    certainty: str
    files: Mapping[str, Path] = field(default_factory=dict)


def predict(
    file: Annotated[Path, typer.Argument(help="A trained model.", metavar="MODEL.safetensors")],
    images: Annotated[
        list[Path], typer.Argument(help="Images, or folders of images.", metavar="IMAGE...")
    ],
    top: Annotated[
        int | None,
        typer.Option(
            help="How many labels to give for each image (default: 1; for segmentation all that "
            "it has pixels of, for detection all boxes)."
        ),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="text, json or csv.")] = "text",
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            help="Where segmentation writes masks, NAME-mask.png, and NAME-overlay.png, which "
            "shows them over the images, and detection NAME-boxes.png (default: predicted).",
            metavar="DIR",
        ),
    ] = None,
    allow: Allow = None,
) -> None:
    """Predict the labels of images, or of parts of them. The exit code is 1 if some are unreadable.

    For segmentation, labels have their share of the pixels; for detection, their boxes: left, top,
    right and bottom in pixels of the image.
    """
    check_value(top, Size | None, "--top")
    check_known(form, "--format", FORMATS)
    from neptune_nas.cli.progress import say
    from neptune_nas.data.pictures import pictures, recoloured_text
    from neptune_nas.models.model import load_model

    model = load_model(file, allowed(allow))
    height, width = model.input_shape[1:]
    at_once = max(1, min(AT_ONCE, _PIXELS // (height * width)))
    whole, recoloured, writer = True, 0, PictureWriter(out or _OUT, is_asked=out is not None)
    rows: list[Prediction] = []
    for group in grouped(pictures(images, model.input_shape, say), at_once):
        recoloured += sum(each.channels != model.input_shape[0] for each in readable(group))
        for found in predicted(model, group, top, writer):
            if isinstance(found, DataError):
                whole = False
                print_line(f"neptune-nas: {found}", stderr=True)
                continue
            if form == "text":
                print_line(f"{found.image}: {', '.join(map(as_text, found.labels)) or 'nothing'}")
            else:
                rows.append(found)
    if form != "text":
        print_text(as_json(rows) if form == "json" else as_csv(rows))
    if writer.used:
        print_line(f"Pictures: {writer.folder}", stderr=form != "text")
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


@dataclass(slots=True)
class PictureWriter:
    """Writes pictures into a folder, each under a name of its own; `is_asked`: by the user."""

    folder: Path
    is_asked: bool
    used: set[str] = field(default_factory=set)

    def write(self, image: Path, pictures: Mapping[str, "Image"]) -> dict[str, Path]:
        """Write the pictures of an image by their kind, and return their files.

        Raises `OptionError` where there are none but a folder for them was asked for, and for the
        folder of the image itself.
        """
        if not pictures:
            if self.is_asked:
                raise OptionError(
                    "--out is for masks and boxes, which a model for classification does not "
                    "predict: leave it out."
                )
            return {}
        if image.parent.resolve() == self.folder.resolve():  # where files of that name may be
            raise OptionError(
                f"--out must be another folder than that of the images, but got {self.folder}."
            )
        from neptune_nas.files.atomic import write_file

        name, number = image.stem, 1
        while name in self.used:
            number += 1
            name = f"{image.stem}-{number}"
        self.used.add(name)
        files = {}
        for kind, picture in pictures.items():
            content = io.BytesIO()
            picture.save(content, "PNG")
            files[kind] = self.folder / f"{name}-{kind}.png"
            write_file(files[kind], content.getvalue())
        return files


def predicted(
    model: "Model", group: Sequence[Read], top: int | None, writer: PictureWriter
) -> Iterator["Prediction | DataError"]:
    """Yield what is predicted for each image, or the error of reading it."""
    import torch

    from neptune_nas.tasks.registry import find_task

    task, pixels = find_task(model.task), [picture.pixels for picture in readable(group)]
    if pixels:
        predictions = model.predict(torch.stack(pixels))
        most = top or task.most_findings or sys.maxsize
        kept, found = task.condense(predictions), task.findings(predictions, model.labels, most)
        answers = zip(kept, found, strict=True)
    for image, read in group:
        if isinstance(read, DataError):
            yield read
            continue
        each, labels = next(answers)
        drawn = task.pictures(read.pixels, each, model.labels)
        yield Prediction(
            image,
            tuple(_in_file(label, read) for label in labels),
            task.certainty,
            writer.write(image, drawn),
        )


def _in_file(found: "Finding", picture: "Picture") -> "Finding":
    """Return a finding with its box in pixels of the image's file."""
    return found if found.box is None else replace(found, box=picture.in_file(found.box))


def as_text(found: "Finding") -> str:
    """Return a finding as a label, its probability, and its box."""
    box = "" if found.box is None else f" ({', '.join(f'{each:.0f}' for each in found.box)})"
    return f"{found.label} {found.probability:.4f}{box}"


def as_json(rows: Sequence[Prediction]) -> str:
    """Return a JSON list with one object per image."""
    content = [
        {
            "image": str(row.image),
            **{kind: str(file) for kind, file in row.files.items()},
            "labels": [
                {
                    "label": each.label,
                    row.certainty: each.probability,
                    **({} if each.box is None else {"box": [*each.box]}),
                }
                for each in row.labels
            ],
        }
        for row in rows
    ]
    return json_visible(json.dumps(content, indent=2, ensure_ascii=False)) + "\n"


def as_csv(rows: Sequence[Prediction]) -> str:
    """Return CSV with one line per image and label, below a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    certainty = rows[0].certainty if rows else "probability"
    has_boxes = any(each.box for row in rows for each in row.labels)
    writer.writerow(("image", "place", "label", certainty, *(_SIDES if has_boxes else ())))
    for row in rows:
        for place, each in enumerate(row.labels, start=1):
            cells = (str(row.image), place, each.label, each.probability, *(each.box or ()))
            writer.writerow(map(csv_cell, cells))
    return text.getvalue()
