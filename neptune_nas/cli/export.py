"""`neptune-nas export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neptune_nas.cli.allow import Allow
from neptune_nas.cli.pick import Best, MinAccuracy, Pick, TrialNumber
from neptune_nas.cli.source import Source, architecture_of, network_at
from neptune_nas.cli.study import Storage
from neptune_nas.cli.terminal import print_line, print_text
from neptune_nas.cli.values import check_known
from neptune_nas.errors import OptionError

if TYPE_CHECKING:
    from neptune_nas.models.architecture_file import ExportedArchitecture
    from neptune_nas.models.model import Model

EXAMPLE = "Example: neptune-nas export studies/default-digits --best knee -o knee.json"
FORMATS = ("json", "onnx", "pt2", "python")
SUFFIXES = {".json": "json", ".onnx": "onnx", ".pt2": "pt2", ".py": "python"}
WEIGHTS = (".safetensors", ".pt")  # suffixes of files of weights


def export(
    source: Source,
    which: Best = None,
    trial: TrialNumber = None,
    min_accuracy: MinAccuracy = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="json, onnx, pt2 or python (default: by the suffix of FILE; without one, json).",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", help="Where to write (default: stdout, for json only).", metavar="FILE"
        ),
    ] = None,
    storage: Storage = None,
    allow: Allow = None,
) -> None:
    """Write a network as a file: its architecture, or a model to run."""
    wanted = Pick(which, trial, min_accuracy)
    form = format_of(form, output)
    if form != "json" and output is None:
        raise OptionError(f"--format {form} needs an output file: add -o FILE.")
    if output is not None:
        check_output(source, form, output)
    name, item = network_at(source, wanted, storage, allow)
    if output is None:
        print_text(architecture_text(item, source))
    elif form == "json":
        from neptune_nas.files.atomic import write_file

        write_file(output, architecture_text(item, source))
        print_line(f"{name}: {output}")
    else:
        for path in write_model(item, form, output):
            print_line(f"{name}: {path}")


def format_of(form: str | None, output: Path | None) -> str:
    """Return the format that `--format` names, or else the suffix of the output file."""
    suffix = output.suffix.lower() if output else ""
    by_suffix = SUFFIXES.get(suffix)
    if form is None:
        if suffix and by_suffix is None:
            *most, last = SUFFIXES
            raise OptionError(
                f"-o must end in {', '.join(most)} or {last}, which names the format, but got "
                f"{output}."
            )
        return by_suffix or "json"
    check_known(form, "--format", FORMATS)
    if form == "json" and by_suffix not in ("json", None):
        raise OptionError(
            f"--format json needs a file that ends in .json, but got -o {output}: rename it, or "
            f"write --format {by_suffix}."
        )
    return form


def check_output(source: Path, form: str, output: Path) -> None:
    """Refuse to overwrite the source or a file of weights."""
    if form != "json":
        from neptune_nas.models.export.formats import files_of

        written = files_of(form, output)
    elif output.suffix.lower() in WEIGHTS:
        raise OptionError(f"--format json needs a file that ends in .json, but got -o {output}.")
    else:
        written = [output]
    for path in written:
        if path.exists() and source.exists() and path.samefile(source):
            raise OptionError(
                f"-o {output} would overwrite {path}, the file to export: choose another name."
            )


def architecture_text(item: "ExportedArchitecture | Model", source: Path) -> str:
    """Return the JSON of a network's architecture."""
    from neptune_nas.models.architecture_file import dumps

    remedy = " to write as json: use --format onnx, pt2 or python."
    return dumps(architecture_of(item, source, remedy))


def write_model(item: "ExportedArchitecture | Model", form: str, output: Path) -> list[Path]:
    """Write a model to run, with a warning if it is untrained; return the files."""
    from neptune_nas.models.architecture_file import ExportedArchitecture
    from neptune_nas.models.export.formats import write
    from neptune_nas.models.model import make_untrained

    if not isinstance(item, ExportedArchitecture):
        return write(item, form, output)
    untrained = make_untrained(item)
    print_line(
        "Note: the exported model has random weights, since this network is untrained. For a "
        "trained model, run neptune-nas train, then export its model.safetensors.",
        stderr=True,
    )
    return write(untrained, form, output)
