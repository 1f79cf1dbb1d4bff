"""`neptune-nas predict`."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
    from torch import Tensor

    from neptune_nas.data.pictures import Picture
    from neptune_nas.models.model import Model
    from neptune_nas.tasks.task import Finding

Labels = tuple["Finding", ...]
"""Labels with their probabilities, or shares of the pixels, the largest first."""
Read = tuple[Path, "Picture | DataError"]

EXAMPLE = "Example: neptune-nas predict model.safetensors photo.jpg --top 3"
FORMATS = ("text", "json", "csv")
AT_ONCE = 64  # images read and predicted together: bounds the memory and the wait for a line
_PIXELS = 2**22  # of these images, at most
_OUT = Path("predicted")


@dataclass(frozen=True, slots=True)
class Prediction:
    """The prediction for an image: labels and, for segmentation, the files of its mask."""

    image: Path
    labels: Labels
    files: Mapping[str, Path] = field(default_factory=dict)

    @property
    def number(self) -> str:
        """The word for the number of a label: a probability, or a share of the pixels."""
        return "share" if self.files else "probability"


def predict(
    file: Annotated[Path, typer.Argument(help="A trained model.", metavar="MODEL.safetensors")],
    images: Annotated[
        list[Path], typer.Argument(help="Images, or folders of images.", metavar="IMAGE...")
    ],
    top: Annotated[
        int | None,
        typer.Option(
            help="How many labels to give for each image (default: 1; for segmentation all that "
            "it has pixels of)."
        ),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="text, json or csv.")] = "text",
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            help="Where segmentation writes masks, NAME-mask.png, and NAME-overlay.png, which "
            "shows them over the images (default: predicted).",
            metavar="DIR",
        ),
    ] = None,
    allow: Allow = None,
) -> None:
    """Predict the labels of images, or of their pixels. The exit code is 1 if some are unreadable.

    For segmentation, labels have their share of the pixels.
    """
    check_value(top, Size | None, "--top")
    check_known(form, "--format", FORMATS)
    from neptune_nas.cli.progress import say
    from neptune_nas.data.pictures import pictures, recoloured_text
    from neptune_nas.models.model import load_model

    model = load_model(file, allowed(allow))
    height, width = model.input_shape[1:]
    at_once = max(1, min(AT_ONCE, _PIXELS // (height * width)))
    whole, recoloured, writer = True, 0, MaskWriter(out or _OUT, is_asked=out is not None)
    rows: list[Prediction] = []
    for group in grouped(pictures(images, model.input_shape, say), at_once):
        recoloured += sum(each.channels != model.input_shape[0] for each in readable(group))
        for found in predicted(model, group, top, writer):
            if isinstance(found, DataError):
                whole = False
                print_line(f"neptune-nas: {found}", stderr=True)
                continue
            if form == "text":
                labels = (f"{each.label} {each.probability:.4f}" for each in found.labels)
                print_line(f"{found.image}: {', '.join(labels)}")
            else:
                rows.append(found)
    if form != "text":
        print_text(as_json(rows) if form == "json" else as_csv(rows))
    if writer.used:
        print_line(f"Masks and overlays: {writer.folder}", stderr=form != "text")
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
class MaskWriter:
    """Writes masks into a folder, each under a name of its own; `is_asked`: by the user."""

    folder: Path
    is_asked: bool
    used: set[str] = field(default_factory=set)

    def write(self, image: Path, pixels: "Tensor", found: "Tensor") -> dict[str, Path]:
        """Write an image's mask and overlay, and return their files.

        `found`: what the task keeps of a prediction; without a class for each pixel, nothing is
        written. Raises `OptionError` where a folder for it was asked for, and for the folder of the
        image itself.
        """
        if found.shape != pixels.shape[1:]:
            if self.is_asked:
                raise OptionError(
                    "--out is for masks, which only a model for segmentation predicts: leave it "
                    "out."
                )
            return {}
        if image.parent.resolve() == self.folder.resolve():  # where masks of that name may be
            raise OptionError(
                f"--out must be another folder than that of the images, but got {self.folder}."
            )
        from neptune_nas.data.mask_pictures import mask_picture, overlay
        from neptune_nas.files.atomic import write_file

        name, number = image.stem, 1
        while name in self.used:
            number += 1
            name = f"{image.stem}-{number}"
        self.used.add(name)
        files = {}
        for kind, picture in (("mask", mask_picture(found)), ("overlay", overlay(pixels, found))):
            content = io.BytesIO()
            picture.save(content, "PNG")
            files[kind] = self.folder / f"{name}-{kind}.png"
            write_file(files[kind], content.getvalue())
        return files


def predicted(
    model: "Model", group: Sequence[Read], top: int | None, writer: MaskWriter
) -> Iterator["Prediction | DataError"]:
    """Yield what is predicted for each image, or the error of reading it."""
    import torch

    from neptune_nas.tasks.registry import find_task

    pixels = [picture.pixels for picture in readable(group)]
    if pixels:
        task = find_task(model.task)
        predictions = model.predict(torch.stack(pixels))
        kept = task.condense(predictions)
        most = top or (1 if kept.ndim == 2 else len(model.labels))
        answers = zip(pixels, kept, task.findings(predictions, model.labels, most), strict=True)
    for image, read in group:
        if isinstance(read, DataError):
            yield read
            continue
        each, found, labels = next(answers)
        yield Prediction(image, labels, writer.write(image, each, found))


def as_json(rows: Sequence[Prediction]) -> str:
    """Return a JSON list with one object per image."""
    content = [
        {
            "image": str(row.image),
            **{kind: str(file) for kind, file in row.files.items()},
            "labels": [{"label": each.label, row.number: each.probability} for each in row.labels],
        }
        for row in rows
    ]
    return json_visible(json.dumps(content, indent=2, ensure_ascii=False)) + "\n"


def as_csv(rows: Sequence[Prediction]) -> str:
    """Return CSV with one line per image and label, below a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    number = rows[0].number if rows else "probability"
    writer.writerow(("image", "place", "label", number))
    for row in rows:
        for place, each in enumerate(row.labels, start=1):
            cells = (str(row.image), place, each.label, each.probability)
            writer.writerow(map(csv_cell, cells))
    return text.getvalue()
