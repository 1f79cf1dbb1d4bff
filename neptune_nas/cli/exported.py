"""The input and output of `neptune-nas export`: weights, images, and what a file measures."""

from dataclasses import replace
from pathlib import Path

from rich.box import SIMPLE
from rich.table import Table

from neptune_nas.architecture.fields import record_classes
from neptune_nas.cli.allow import allowed
from neptune_nas.cli.console import console
from neptune_nas.cli.progress import say
from neptune_nas.cli.terminal import print_line
from neptune_nas.data.images import ImageData
from neptune_nas.data.load import refuse_download
from neptune_nas.data.names import reading_note
from neptune_nas.deploy.export import data_for, data_name
from neptune_nas.deploy.exported_file import ExportedFile
from neptune_nas.deploy.formats import FileKind
from neptune_nas.errors import DataError, NeptuneError, OptionError
from neptune_nas.metrics.registry import METRICS, Metric
from neptune_nas.models.architecture_file import ExportedArchitecture
from neptune_nas.models.model import Model, load_model, make_untrained
from neptune_nas.retrain.folder import TrainFolder
from neptune_nas.retrain.metrics import load_metrics
from neptune_nas.study.exports import Export, add_export
from neptune_nas.study.folder import open_folder
from neptune_nas.text import counted


def model_of(
    item: ExportedArchitecture | Model, weights: Path | None, allow: list[str] | None
) -> Model:
    """Return a network with weights: its own, those of `--weights`, or fresh ones."""
    if isinstance(item, ExportedArchitecture) and weights is not None:
        return _trained(item, weights, allow)
    if weights is not None:
        raise OptionError(
            "--weights belongs to a study or an architecture, but SOURCE is a trained model: leave "
            "it out."
        )
    if isinstance(item, Model):
        return item
    return make_untrained(item)


def say_if_untrained(item: ExportedArchitecture | Model, weights: Path | None) -> None:
    """Say that the weights are random where an architecture was exported without any."""
    if isinstance(item, ExportedArchitecture) and weights is None:
        say(
            "Note: the exported model has random weights, since this network is untrained. For a "
            "trained model, run neptune-nas train, then export its model.safetensors."
        )


def _trained(item: ExportedArchitecture, place: Path, allow: list[str] | None) -> Model:
    """Return an architecture with the weights of a file, or of the best seed of a training."""
    file = place
    if place.is_dir():
        folder = TrainFolder(place)
        file = folder.seed(load_metrics(folder.metrics).best.seed).model
    model = load_model(file, (*allowed(allow), *record_classes(item.architecture)))
    if model.key != item.key:
        raise OptionError(
            f"--weights must be of network {item.key}, but {file} is of {model.key}: name a model "
            f"that was trained from SOURCE."
        )
    is_alike = (model.of.input_shape, model.of.classes) == (item.input_shape, item.classes)
    return replace(model, of=item) if is_alike else model


def images_of(
    model: Model, kind: FileKind, data: str | None, data_dir: str | None, source: Path
) -> ImageData | None:
    """Return the images to calibrate and score a file on; None where it needs or has none.

    Images that only `source` names are not downloaded.

    Says where the file will not hold the int8 part that the model was trained with.
    """
    if kind.quantises_anew and model.int8:
        say(
            f"Note: {kind.runtime} quantises the weights in float32 anew, so the file is not the "
            f"int8 network of the training, and may score less: --format tflite or c holds that."
        )
    name = data or data_name(model)
    if not kind.is_checked or not model.is_trained or name is None:
        return None
    try:
        if data is None:
            refuse_download(name, data_dir, source)
        found = data_for(model, name, data_dir)
    except DataError as error:
        if data or kind.precision == "int8":
            raise
        say(f"Note: the file is compared on random images. {error}")
        return None
    if data is None and (note := reading_note(name, source)):
        say(note)
    if found.fingerprint != model.provenance.get("data_fingerprint", found.fingerprint):
        say(f"Note: the images of {name} are not those that the network was trained on.")
    return found


def print_record(record: ExportedFile) -> None:
    """Print what a file measures, beside what was promised."""
    rows = [each for each in METRICS if each.name in {*record.measured, *record.promised}]
    if rows:
        table = Table(box=SIMPLE)
        table.add_column("metric")
        for title in ("promised", "file"):
            table.add_column(title, justify="right")
        for metric in rows:
            values = (found.get(metric.name) for found in (record.promised, record.measured))
            table.add_row(metric.title, *(_value_text(metric, value) for value in values))
        console().print(table)
    where = counted(record.images, "validation image") if record.images else "random images"
    far = f"differ by at most {record.difference:.2g} from" if record.difference else "equal"
    print_line(
        f"The file has {record.size:,} bytes. On {record.runtime} and {where}, its logits {far} "
        f"those of {record.reference}."
    )


def _value_text(metric: Metric, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f} bytes" if metric.unit == "bytes" else metric.text(value)


def remember(record: ExportedFile, source: Path, item: ExportedArchitecture | Model) -> None:
    """Add the record to the study that the network was taken from, for its report."""
    if isinstance(item, ExportedArchitecture) and source.is_dir():
        try:
            add_export(open_folder(source), Export(item.provenance["trial"], record))
        except NeptuneError as error:
            say(f"Note: the report will not show this file. {error}")
