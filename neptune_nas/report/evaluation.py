"""The evaluation of a model on labelled images: one HTML file that works offline, and JSON."""

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from neptune_nas.data.labelled_images import LabelledImages
from neptune_nas.data.layout import short_list
from neptune_nas.data.mask_pictures import picture_of, side_by_side
from neptune_nas.data.pictures import thumbnail
from neptune_nas.errors import DataError
from neptune_nas.files.atomic import write_file
from neptune_nas.metrics.registry import metric
from neptune_nas.report.document import document
from neptune_nas.tasks.evaluation import ClassResult, Evaluation, Mistake, Words
from neptune_nas.tasks.registry import find_task
from neptune_nas.text import counted, json_visible, plural, visible

FORMAT, VERSION = "neptune-nas/evaluation", 1
WORST = 12
"""The default number of mistakes shown at most."""
PAIRS = 20
"""The most pairs of classes to list where a matrix would be too large."""
_MATRIX = 30  # classes, beyond which a matrix is too large to be read
_SIDE = 192  # pixels of a thumbnail, shown at half that size for fine screens
_TINY_STRIP = 3 * 65  # the same, of three images side by side
_TINY = 64  # pixels, up to which a thumbnail stays lossless, and is enlarged without smoothing


def write_evaluation(
    page: Path, numbers: Path, title: str, evaluation: Evaluation, images: LabelledImages
) -> None:
    """Write the page and the JSON of an evaluation."""
    write_file(page, render_evaluation(title, evaluation, images))
    write_file(numbers, evaluation_json(title, evaluation, images))


def score_text(evaluation: Evaluation) -> str:
    """Return the value of the main metric with its interval.

    For example "accuracy 0.7680, 95% interval 0.7408 to 0.7931".
    """
    name, value = evaluation.main
    return f"{metric(name).title} {metric(name).text(value)}, {interval_text(evaluation.interval)}"


def interval_text(interval: tuple[float, float]) -> str:
    """Return a 95% interval in words.

    >>> interval_text((0.5, 0.75))
    '95% interval 0.5000 to 0.7500'
    """
    return "95% interval {:.4f} to {:.4f}".format(*interval)


def chance_text(evaluation: Evaluation) -> str:
    """Return a sentence on the score of chance, to compare with."""
    value = metric(evaluation.main[0]).text(evaluation.chance)
    return f"Chance, the score of the best constant answer, is {value}."


def notes_on_evaluation(evaluation: Evaluation, images: LabelledImages) -> Iterator[str]:
    """Yield sentences on what was left out or not measured."""
    yield from images.notes
    if absent := evaluation.absent:
        yield (
            f"{len(absent):,} of {counted(len(evaluation.classes), 'class', 'classes')} "
            f"{plural(len(absent), 'has', 'have')} no image here, so "
            f"{plural(len(absent), 'it is', 'they are')} not measured: {short_list([*absent])}."
        )


def share_names(evaluation: Evaluation) -> tuple[str, ...]:
    """Return the names of what is measured of each class."""
    return tuple(evaluation.classes[0].shares)


def share_cells(result: ClassResult) -> list[str]:
    """Return the shares of a class, as text."""
    return ["-" if share is None else f"{share:.4f}" for share in result.shares.values()]


def matrix(evaluation: Evaluation, largest: int) -> list[list[int]] | None:
    """Return the counts by true class and then predicted class; None for more than `largest`."""
    places = evaluation.places
    if len(places) > largest:
        return None
    return [[evaluation.confusion.get((row, column), 0) for column in places] for row in places]


def evaluation_json(
    title: str, evaluation: Evaluation, images: LabelledImages, worst: int = WORST
) -> str:
    """Return an evaluation as a JSON object."""
    words = evaluation.words
    content = {
        "format": FORMAT,
        "version": VERSION,
        "model": title,
        "data": images.name,
        "split": images.part,
        "images": evaluation.images,
        **evaluation.values,
        "interval": [*evaluation.interval],
        "chance": evaluation.chance,
        "classes": [
            {"label": each.label, "images": each.images, **each.shares}
            for each in evaluation.classes
        ],
        "confusion": [
            {
                "label": evaluation.label(true),
                "predicted": evaluation.label(found),
                words.units: count,
            }
            for (true, found), count in sorted(evaluation.confusion.items())
        ],
        "worst": [_mistake_json(each, images.files, words) for each in evaluation.mistakes[:worst]],
        "notes": [*notes_on_evaluation(evaluation, images)],
    }
    return json_visible(json.dumps(content, indent=2, ensure_ascii=False)) + "\n"


def _mistake_json(mistake: Mistake, files: Sequence[Path], words: Words) -> dict[str, Any]:
    shares = mistake.probability, mistake.true_probability
    return {
        "image": str(files[mistake.row]) if files else mistake.row,
        "label": mistake.label,
        "predicted": mistake.predicted,
        **dict(zip(words.keys, shares, strict=True)),
    }


def image_name(mistake: Mistake, files: Sequence[Path]) -> str:
    """Return the file of a wrongly predicted image, or else its number in its split."""
    return str(files[mistake.row]) if files else f"image {mistake.row:,}"


def render_evaluation(
    title: str, evaluation: Evaluation, images: LabelledImages, worst: int = WORST
) -> str:
    """Return the page of an evaluation, with at most `worst` thumbnails."""
    name, value = evaluation.main
    main = metric(name)
    labels = [visible(evaluation.label(place)) for place in evaluation.places]
    counts = matrix(evaluation, _MATRIX)
    context: dict[str, Any] = {
        "value": main.text(value),
        "metric": main.title,
        "interval": interval_text(evaluation.interval),
        "lead": visible(
            f"On {counted(evaluation.images, 'image')}: {images.what}. {chance_text(evaluation)}"
        ),
        "notes": [visible(note) for note in notes_on_evaluation(evaluation, images)],
        "labels": labels,
        "shares": share_names(evaluation),
        "words": evaluation.words,
        "classes": [
            (visible(each.label), *share_cells(each), f"{each.images:,}")
            for each in evaluation.classes
        ],
        "bars": [f"{next(iter(each.shares.values())) or 0:.3f}" for each in evaluation.classes],
        "matrix": counts and [*zip(labels, map(_shaded, counts), strict=True)],
        "pairs": [
            (visible(label), visible(predicted), f"{count:,}")
            for label, predicted, count in evaluation.confused[:PAIRS]
        ],
        "wrong": f"{len(evaluation.mistakes):,}",
        "worst": [_tile(each, images, evaluation) for each in evaluation.mistakes[:worst]],
    }
    sections = {"classes": "Classes", "confusion": "Confusion", "worst": "Mistakes"}
    return document("evaluation", visible(title), sections, None, context)


@dataclass(frozen=True, slots=True)
class _Cell:
    """A count of the matrix, and its share, 0..1, of its row."""

    text: str
    share: str


def _shaded(counts: Sequence[int]) -> list[_Cell]:
    """Return the cells of a row of the matrix; those of 0 are empty."""
    total = sum(counts) or 1
    return [_Cell(f"{each:,}" if each else "", f"{each / total:.3f}") for each in counts]


@dataclass(frozen=True, slots=True)
class _Tile:
    """A wrongly predicted image on the page."""

    source: str
    is_tiny: bool
    label: str
    predicted: str
    probability: str
    file: str


def _tile(mistake: Mistake, images: LabelledImages, evaluation: Evaluation) -> _Tile:
    picture = _picture(mistake, images, evaluation)
    is_tiny = max(picture.size) <= (_TINY if mistake.found is None else _TINY_STRIP)
    return _Tile(
        source=_data_uri(picture, "PNG" if is_tiny else "JPEG"),
        is_tiny=is_tiny,
        label=visible(mistake.label),
        predicted=visible(mistake.predicted),
        probability=f"{mistake.probability:.4f}",
        file=visible(image_name(mistake, images.files)),
    )


def _picture(mistake: Mistake, images: LabelledImages, evaluation: Evaluation) -> Image.Image:
    """Return an image as its file has it, else as the network sees it.

    Where parts of it have classes, return it as the network sees it, with those that are true and
    those predicted beside it.
    """
    if mistake.found is not None:
        task, labels = find_task(evaluation.task), [each.label for each in evaluation.classes]
        pixels, true = (each[mistake.row] for each in (images.split.images, images.split.targets))
        drawn = [
            [*task.pictures(pixels, each, labels).values()][-1] for each in (true, mistake.found)
        ]
        whole = side_by_side(picture_of(pixels).resize(drawn[0].size, 0), *drawn)
        whole.thumbnail((3 * _SIDE, 3 * _SIDE))
        return whole
    if images.files:
        with suppress(DataError):  # it was removed after it had been read
            return thumbnail(images.files[mistake.row], _SIDE)
    picture = picture_of(images.split.images[mistake.row])
    picture.thumbnail((_SIDE, _SIDE))
    return picture


def _data_uri(picture: Image.Image, form: str) -> str:
    """Return an image as text, encoded as PNG or JPEG."""
    content = BytesIO()
    picture.save(content, form, quality=85)
    return f"data:image/{form.lower()};base64,{base64.b64encode(content.getvalue()).decode()}"
