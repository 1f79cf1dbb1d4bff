"""The export formats, and the writing of their files."""

from pathlib import Path

from neptune_nas.errors import OptionError, one_of
from neptune_nas.files.atomic import write_file
from neptune_nas.models.export.onnx import to_onnx
from neptune_nas.models.export.pt2 import to_pt2
from neptune_nas.models.export.python import to_python, to_state
from neptune_nas.models.model import Model

BINARY = {"onnx": to_onnx, "pt2": to_pt2}
SUFFIXES = {"onnx": ".onnx", "pt2": ".pt2", "python": ".py"}
FORMATS = tuple(SUFFIXES)


def write(model: Model, form: str, path: str | Path) -> list[Path]:
    """Write `model` as "onnx", "pt2" or "python", and return the files written.

    The suffix of `path` is that of the format: `.onnx`, `.pt2` or `.py`. A Python file has its
    weights beside it, as `.pt` under the same name. Raises `NeptuneError` for another suffix,
    weights that would replace another file's, a missing library, or a network that the format
    cannot hold.
    """
    files = files_of(form, Path(path))
    if form != "python":
        write_file(files[0], BINARY[form](model))
        return files
    source, weights = files
    text = to_python(model, weights.name)
    write_file(weights, to_state(model))
    write_file(source, text)
    return files


def files_of(form: str, path: Path) -> list[Path]:
    """Return the files that a model is written to; refuse those that belong to something else."""
    if form not in FORMATS:
        raise OptionError(f"the format '{form}' is unknown: {one_of(FORMATS, form)}")
    if path.suffix != SUFFIXES[form]:
        raise OptionError(
            f"the format {form} needs a file that ends in {SUFFIXES[form]}, but got {path}."
        )
    if form != "python":
        return [path]
    weights = path.with_suffix(".pt")
    if weights.exists() and not path.exists():
        raise OptionError(
            f"the format python would write its weights to {weights}, but that file exists and "
            f"{path} does not, so it belongs to something else: choose another name."
        )
    return [path, weights]
