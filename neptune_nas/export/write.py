"""A model in any of the forms, on disk."""

from pathlib import Path

from neptune_nas.errors import OptionError, one_of
from neptune_nas.export.onnx import to_onnx
from neptune_nas.export.pt2 import to_pt2
from neptune_nas.export.python import to_python, to_state
from neptune_nas.files import write_file
from neptune_nas.model import Model

BINARY = {"onnx": to_onnx, "pt2": to_pt2}
FORMS = (*BINARY, "python")


def write(model: Model, form: str, path: str | Path) -> list[Path]:
    """Write `model` as "onnx", "pt2" or "python"; the files written.

    A Python file has the weights beside it, as `.pt` under the same name. Raises `NeptuneError`
    where a library is missing, or the network cannot become such a file.
    """
    path = Path(path)
    if form not in FORMS:
        raise OptionError(f"the format '{form}' is unknown: {one_of(FORMS, form)}")
    if form != "python":
        write_file(path, BINARY[form](model))
        return [path]
    if path.suffix != ".py":
        raise OptionError(f"the format python needs a file that ends in .py, but got {path}.")
    weights = path.with_suffix(".pt")
    text = to_python(model, weights.name)
    write_file(weights, to_state(model))
    write_file(path, text)
    return [path, weights]
