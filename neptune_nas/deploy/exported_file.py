"""The record of an exported file: what it measures, beside what was promised of its network."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neptune_nas.deploy.formats import Precision
from neptune_nas.errors import FileFormatError, OptionError
from neptune_nas.files.atomic import read_file, write_file
from neptune_nas.files.documents import parse_json, versioned
from neptune_nas.files.regular import first_bytes
from neptune_nas.files.rules import Count, Number, Size
from neptune_nas.files.schema import decode, encode, located
from neptune_nas.text import json_visible

_FORMAT = "neptune-nas/export"
_VERSION = 1
_START = 256  # bytes of a document that hold the name of its format


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file that was opened on its runtime and compared.

    `key`: of the network. `size`: in bytes. `measured`: by metric, of the file on its runtime.
    `promised`: by metric, what was known before there was a file: counted, scored in a search, or
    simulated. `images`: of the validation split, that a score is over; 0 without a score.
    `difference`: the largest of a logit from the network's, or from the simulation of int8.
    """

    file: str
    key: str
    form: str
    precision: Precision
    runtime: str
    trained: bool
    size: Size
    images: Count
    difference: Number
    measured: Mapping[str, Number]
    promised: Mapping[str, Number]

    @property
    def reference(self) -> str:
        """The name of whatever the logits were compared with."""
        is_simulated = self.precision == "int8" and self.form in ("tflite", "c")
        return "the simulation of int8" if is_simulated else "the network in float32"


@dataclass(frozen=True, slots=True)
class _Document:
    """The JSON beside exported files: of each by its name, the network's facts and the record."""

    files: dict[str, dict[str, Any]]


def document_beside(path: Path) -> Path:
    """Return where the JSON on an exported file is written; refuse one that is something else."""
    beside = path.with_suffix(".json")
    if beside.exists() and _FORMAT.encode() not in first_bytes(beside, _START):
        raise OptionError(
            f"the facts on {path} would be written to {beside}, but that file holds something "
            f"else: choose another name."
        )
    return beside


def write_document(beside: Path, facts: Mapping[str, Any], record: ExportedFile) -> None:
    """Write the JSON on an exported file; what it says of others, still there, is kept."""
    known = _read(beside) if beside.exists() else {}
    others = {name: each for name, each in known.items() if (beside.parent / name).exists()}
    files = {**others, record.file: {**facts, "export": encode(record)}}
    content = {"format": _FORMAT, "version": _VERSION, "files": files}
    write_file(beside, json_visible(json.dumps(content, indent=2, ensure_ascii=False)) + "\n")


def read_document(beside: Path) -> dict[str, ExportedFile]:
    """Return the records in the JSON beside exported files, by file; raises `FileFormatError`."""
    found = _read(beside)
    with located(beside):
        return {
            name: decode(ExportedFile, each.get("export"), f"files.{name}.export")
            for name, each in found.items()
        }


def _read(beside: Path) -> dict[str, dict[str, Any]]:
    """Return the entries of the JSON beside exported files."""
    text = read_file(beside)
    try:
        with located(beside):
            return decode(_Document, versioned(parse_json(text), _VERSION, _FORMAT)).files
    except FileFormatError as error:
        raise FileFormatError(f"{str(error).rstrip('.')}; repair or remove it.") from error
