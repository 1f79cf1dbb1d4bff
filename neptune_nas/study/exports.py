"""The files that trials of a study were exported to, whose records `exports.json` stores."""

from collections.abc import Iterable
from dataclasses import dataclass

from neptune_nas.deploy.exported_file import ExportedFile
from neptune_nas.files.locks import locked
from neptune_nas.files.regular import is_there
from neptune_nas.files.rules import Count
from neptune_nas.files.schema import encode
from neptune_nas.study.folder import Folder
from neptune_nas.study.measured_file import read_measured, write_measured


@dataclass(frozen=True, slots=True)
class Export:
    """The record of a file that a trial was exported to, and the trial's number."""

    trial: Count
    file: ExportedFile

    def replaces(self, other: "Export") -> bool:
        """Return whether another record is of an earlier file of the same kind and trial."""
        mine, theirs = (
            (each.trial, each.file.form, each.file.precision, each.file.runtime, each.file.trained)
            for each in (self, other)
        )
        return mine == theirs


@dataclass(frozen=True, slots=True)
class _Content:
    """The content of an `exports.json`."""

    exports: tuple[Export, ...]


def read_exports(folder: Folder) -> tuple[Export, ...]:
    """Return what trials of a study were exported to, the last written last.

    Raises `FileFormatError` for a malformed file.
    """
    return read_measured(folder.exports, _Content).exports if is_there(folder.exports) else ()


def add_export(folder: Folder, export: Export) -> None:
    """Add a record to those of a study, in the place of one of the same kind and trial.

    Raises `StudyError` where the study's folder cannot be written to.
    """
    busy = f"another command is writing {folder.exports}: export again."
    with locked(folder.exports_lock, busy):
        others = (each for each in read_exports(folder) if not export.replaces(each))
        _write(folder, (*others, export))


def _write(folder: Folder, exports: Iterable[Export]) -> None:
    write_measured(folder.exports, {"exports": [encode(each) for each in exports]})
