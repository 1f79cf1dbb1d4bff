"""What lies at a path where something else was asked for, and what reads it instead."""

from pathlib import Path
from shlex import quote

from neptune_nas.errors import FileFormatError
from neptune_nas.files.signatures import is_model_file
from neptune_nas.text import counted

ARCHITECTURE = "neptune-nas/architecture"  # the format of an exported one
START = 4096  # bytes of a file that are looked at
NAMED = 8  # studies in a message
IS_MODEL = "is a trained model: `load_model` and `neptune-nas predict` read it"
IS_ARCHITECTURE = (
    "is an architecture without weights: `load` and `neptune-nas show` read it, and "
    "`neptune-nas train` makes a model of it"
)
IS_FOLDER = "is a folder, but a file is needed: name a file in it"


def refuse_model(path: Path) -> None:
    """Refuse a trained model, or a folder, where an architecture is to be read."""
    refuse_folder(path)
    if path.is_file() and is_model_file(path):
        raise FileFormatError(f"{path} {IS_MODEL}.")


def refuse_architecture(path: Path) -> None:
    """Refuse an architecture, or a folder, where a trained model is to be read."""
    refuse_folder(path)
    if path.is_file() and is_architecture(path):
        raise FileFormatError(f"{path} {IS_ARCHITECTURE}.")


def refuse_folder(path: Path) -> None:
    """Refuse a folder, saying what reads it or which file in it was meant."""
    if not path.is_dir():
        return
    if (path / "study.toml").is_file():
        raise FileFormatError(
            f"{path} is a study's folder, but a file is needed: `neptune-nas export "
            f"{quote(str(path))} -o best.json` writes the best architecture of it to one."
        )
    for model in sorted(path.glob("seed-*/model.safetensors")):
        raise FileFormatError(f"{path} is a folder: name a model in it, such as {model}.")
    raise FileFormatError(f"{path} {IS_FOLDER}.")


def no_study(path: Path) -> str:
    """What a path is that a study was looked for at, and where to look on, in a sentence."""
    if not path.is_dir():
        what = "is no study, but a file" if path.exists() else "does not exist"
        return f"{path} {what}: name a study's folder."
    if (path / "train.toml").is_file():
        return (
            f"{path} is no study, but a training: once it is over, its figures are in "
            f"{path / 'metrics.json'}, and `neptune-nas predict` and `neptune-nas export` read its "
            f"models, such as {path / 'seed-0' / 'model.safetensors'}."
        )
    if found := [file.parent for file in sorted(path.glob("*/study.toml"))]:
        more = ", ..." if len(found) > NAMED else ""
        return (
            f"{path} is no study, but a folder with {counted(len(found), 'study', 'studies')} in "
            f"it: name one of {', '.join(map(str, found[:NAMED]))}{more}."
        )
    return f"{path} is no study: it has no study.toml; `neptune-nas search` begins one."


def is_architecture(path: Path) -> bool:
    """Whether a file begins as an exported architecture does."""
    try:
        with path.open("rb") as file:
            start = file.read(START)
    except OSError:
        return False
    return start.lstrip().startswith(b"{") and ARCHITECTURE.encode() in start
