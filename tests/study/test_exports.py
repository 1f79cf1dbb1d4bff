from dataclasses import replace
from pathlib import Path

import pytest

from neptune_nas.errors import FileFormatError, StudyError
from neptune_nas.files.locks import locked
from neptune_nas.study.exports import Export, add_export, read_exports
from neptune_nas.study.folder import Folder
from tests.deploy.test_exported_file import RECORD

EXPORT = Export(3, RECORD)


def test_a_study_without_exports_has_none(tmp_path: Path) -> None:
    assert read_exports(Folder(tmp_path)) == ()


def test_exports_are_read_as_they_were_added(tmp_path: Path) -> None:
    folder, other = Folder(tmp_path), replace(EXPORT, file=replace(RECORD, form="c"))
    add_export(folder, EXPORT)
    add_export(folder, other)
    assert read_exports(folder) == (EXPORT, other)


@pytest.mark.parametrize("change", [{"file": "other.tflite"}, {"size": 99}])
def test_the_same_kind_of_file_of_a_trial_takes_the_place_of_the_last(
    tmp_path: Path, change: dict[str, object]
) -> None:
    folder, other = Folder(tmp_path), replace(EXPORT, trial=4)
    new = replace(EXPORT, file=replace(RECORD, **change))  # type: ignore[arg-type]  # of its field
    for each in (EXPORT, other, new):
        add_export(folder, each)
    assert read_exports(folder) == (other, new)


def test_a_malformed_file_is_refused_with_its_field(tmp_path: Path) -> None:
    Folder(tmp_path).exports.write_text('{"version": 1, "exports": [{"trial": 1}]}')
    with pytest.raises(FileFormatError, match=r"exports\.json: `exports\.0\.file` is missing"):
        read_exports(Folder(tmp_path))


def test_two_commands_do_not_write_at_once(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with (
        locked(folder.exports_lock, "busy"),
        pytest.raises(StudyError, match=r"another command is writing .*: export again"),
    ):
        add_export(folder, EXPORT)
