"""Files of the wrong kind: what they are, and what reads them instead."""

from pathlib import Path
from shlex import quote

from neptune_nas.errors import FileFormatError
from neptune_nas.files.regular import first_bytes, is_file, is_folder
from neptune_nas.files.signatures import is_model_file
from neptune_nas.text import counted

ARCHITECTURE = "neptune-nas/architecture"  # the format of exported ones
_START = 4096  # bytes of a file to read
_NAMED = 8  # studies in a message
_IS_MODEL = "is a trained model: `load_model` and `neptune-nas predict` read it"
_IS_ARCHITECTURE = (
    "is an architecture without weights: `load` and `neptune-nas show` read it, and "
    "`neptune-nas train` makes a model of it"
)
_IS_FOLDER = "is a folder, but a file is needed: name a file in it"


def refuse_model(path: Path) -> None:
    """Refuse a trained model, or a folder, in place of an architecture."""
    _refuse_folder(path)
    if is_file(path) and is_model_file(path):
        raise FileFormatError(f"{path} {_IS_MODEL}.")


def refuse_architecture(path: Path) -> None:
    """Refuse an architecture, or a folder, in place of a trained model."""
    _refuse_folder(path)
    if _is_architecture(path):
        raise FileFormatError(f"{path} {_IS_ARCHITECTURE}.")


def _refuse_folder(path: Path) -> None:
    """Refuse a folder, with what reads it or which of its files may be meant."""
    if not is_folder(path):
        return
    if (path / "study.toml").is_file():
        raise FileFormatError(
            f"{path} is a study's folder, but a file is needed: `neptune-nas export "
            f"{quote(str(path))} -o best.json` writes its best architecture to one."
        )
    for model in sorted(path.glob("seed-*/model.safetensors")):
        raise FileFormatError(f"{path} is a folder: name a model in it, such as {model}.")
    raise FileFormatError(f"{path} {_IS_FOLDER}.")


def no_study(path: Path) -> str:
    """Return the message for a path without a study: what it is, and where to look."""
    if not is_folder(path):
        what = "is a file, not a study" if is_file(path) else "does not exist"
        return f"{path} {what}: name a study's folder."
    if (path / "train.toml").is_file():
        return (
            f"{path} is a training, not a study: once it is done, its figures are in "
            f"{path / 'metrics.json'}, and `neptune-nas predict` and `neptune-nas export` read its "
            f"models, such as {path / 'seed-0' / 'model.safetensors'}."
        )
    if studies := [file.parent for file in sorted(path.glob("*/study.toml"))]:
        more = ", ..." if len(studies) > _NAMED else ""
        return (
            f"{path} is a folder with {counted(len(studies), 'study', 'studies')} in it, not a "
            f"study: name one of {', '.join(map(str, studies[:_NAMED]))}{more}."
        )
    return f"{path} is not a study: it has no study.toml; `neptune-nas search` starts one."


def _is_architecture(path: Path) -> bool:
    """Return whether a file begins like an exported architecture."""
    start = first_bytes(path, _START)
    return start.lstrip().startswith(b"{") and ARCHITECTURE.encode() in start
