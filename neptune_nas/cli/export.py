"""`neptune-nas export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neptune_nas.cli.allow import Allow
from neptune_nas.cli.console import console
from neptune_nas.cli.pick import Best, MinAccuracy, Pick, TrialNumber
from neptune_nas.cli.source import Source, architecture_of, network_at
from neptune_nas.cli.study import DataDir, Storage
from neptune_nas.cli.terminal import print_line, print_text
from neptune_nas.cli.values import check_known
from neptune_nas.deploy.formats import BY_SUFFIX, FORMATS, Precision, file_kind, files_of
from neptune_nas.errors import OptionError

if TYPE_CHECKING:
    from neptune_nas.models.architecture_file import ExportedArchitecture
    from neptune_nas.models.model import Model

EXAMPLE = "Example: neptune-nas export model.safetensors -o net.tflite"
WEIGHTS = (".safetensors", ".pt")  # suffixes of files of weights


def export(
    source: Source,
    which: Best = None,
    trial: TrialNumber = None,
    min_accuracy: MinAccuracy = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            help="The trained weights of SOURCE: a model.safetensors, or the folder of a training.",
            metavar="PATH",
        ),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help=f"{', '.join(FORMATS)} (default: by the suffix of FILE; without one, json).",
        ),
    ] = None,
    int8: Annotated[
        bool | None,
        typer.Option(
            "--int8/--float32",
            help="The weights' precision (default: int8 for tflite and c, else float32).",
        ),
    ] = None,
    runtime: Annotated[
        str | None,
        typer.Option(
            help="What is to run the file: tflite-micro or litert, whose files have 12 bytes a "
            "channel more and run faster there (default: that of the study's target, else "
            "tflite-micro)."
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="Images to calibrate int8 and to score the file on (default: those that the "
            "network was trained on)."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", help="Where to write (default: stdout, for json only).", metavar="FILE"
        ),
    ] = None,
    data_dir: DataDir = None,
    storage: Storage = None,
    allow: Allow = None,
) -> None:
    """Write a network as a file: its architecture, or a model to run."""
    wanted = Pick(which, trial, min_accuracy)
    form = format_of(form, output)
    if form == "json":
        if weights is not None or int8 is not None or runtime is not None or data is not None:
            raise OptionError(
                "--format json writes an architecture without weights: leave out --weights, "
                "--int8, --float32, --runtime and --data, or name another format."
            )
        write_architecture(source, network_at(source, wanted, storage, allow), output)
        return
    precision: Precision | None = None if int8 is None else "int8" if int8 else "float32"
    kind = file_kind(form, precision, runtime or target_runtime(source, form))
    if output is None:
        raise OptionError(f"--format {form} needs an output file: add -o FILE.")
    check_output(source, files_of(kind, output))
    from neptune_nas.cli.exported import (
        images_of,
        model_of,
        print_record,
        remember,
        say_if_untrained,
    )
    from neptune_nas.deploy.export import export as write

    name, item = network_at(source, wanted, storage, allow)
    model = model_of(item, weights, allow)
    images = images_of(model, kind, data, data_dir, source)
    with console(stderr=True).status(f"Writing and comparing {output} ..."):
        files, record = write(model, kind, output, images)
    say_if_untrained(item, weights)
    for path in files:
        print_line(f"{name}: {path}")
    if record is not None:
        print_record(record)
        remember(record, source, item)


def format_of(form: str | None, output: Path | None) -> str:
    """Return the format that `--format` names, or else the suffix of the output file."""
    suffix = output.suffix.lower() if output else ""
    by_suffix = BY_SUFFIX.get(suffix)
    if form is None:
        if suffix and by_suffix is None:
            *most, last = BY_SUFFIX
            raise OptionError(
                f"-o must end in {', '.join(most)} or {last}, which names the format, but got "
                f"{output}."
            )
        return by_suffix or "json"
    check_known(form, "--format", [*FORMATS])
    if form == "json" and by_suffix not in ("json", None):
        raise OptionError(
            f"--format json needs a file that ends in .json, but got -o {output}: rename it, or "
            f"write --format {by_suffix}."
        )
    return form


def target_runtime(source: Path, form: str) -> str | None:
    """Return the runtime of the device that a study searched for, if files of a format have it."""
    from neptune_nas.study.folder import open_folder, read_settings

    if not source.is_dir():
        return None
    target = read_settings(open_folder(source).settings).question.target
    return target.runtime if target and target.runtime in FORMATS[form].runtimes else None


def check_output(source: Path, written: list[Path]) -> None:
    """Refuse to overwrite the source."""
    for path in written:
        if path.exists() and source.exists() and path.samefile(source):
            raise OptionError(
                f"-o {path} would overwrite {source}, the file to export: choose another name."
            )


def write_architecture(
    source: Path, found: tuple[str, "ExportedArchitecture | Model"], output: Path | None
) -> None:
    """Write the JSON of a network's architecture, or print it."""
    from neptune_nas.files.atomic import write_file
    from neptune_nas.models.architecture_file import dumps

    name, item = found
    if output is not None:
        if output.suffix.lower() in WEIGHTS:
            raise OptionError(
                f"--format json needs a file that ends in .json, but got -o {output}."
            )
        check_output(source, [output])
    remedy = " to write as json: use --format onnx, pt2 or python."
    text = dumps(architecture_of(item, source, remedy))
    if output is None:
        print_text(text)
        return
    write_file(output, text)
    print_line(f"{name}: {output}")
