"""Spaces of records from which no network can be built: refused in a sentence, on any way there."""

from pathlib import Path

import pytest

from neptune_nas.architecture.codec import key
from neptune_nas.errors import ArchitectureError, FileFormatError, SpaceError
from neptune_nas.models.architecture_file import ExportedArchitecture, save
from neptune_nas.search.validation import check_membership, check_space
from neptune_nas.space import find_space

SOURCE = """
from dataclasses import dataclass
from neptune_nas import Space, choice

@dataclass(frozen=True)
class Bare:
    width: int = 8
{more}

SPACE = Space("bare", Bare(width=choice(4, 8, 12)))
"""


def space_in(folder: Path, more: str = "") -> str:
    file = folder / "bare.py"
    file.write_text(SOURCE.format(more=more))
    return str(file)


@pytest.mark.parametrize(
    "more",
    [
        "",
        "    build = None",
        "    build: str = 'by hand'",
        "    def make(self, input_shape, outputs): return None",
    ],
)
def test_a_record_that_builds_no_network_is_refused(tmp_path: Path, more: str) -> None:
    says = r"a record with `build\(input_shape, outputs\)`, but this is a Bare: .* table"
    with pytest.raises(ArchitectureError, match=says):
        check_space(space_in(tmp_path, more))


def test_a_file_of_such_a_record_is_found_in_its_space_all_the_same(tmp_path: Path) -> None:
    space, file = space_in(tmp_path), tmp_path / "a.json"
    first = find_space(space)[1]
    save(file, ExportedArchitecture(first, (3, 32, 32), 10, {}))
    assert check_membership(space, file) == f"space 'bare' holds {file}, as number 1."
    wider = type(first)(width=9)
    save(file, ExportedArchitecture(wider, (3, 32, 32), 10, {}))
    with pytest.raises(SpaceError, match=r"space .bare. does not hold .*width"):
        check_membership(space, file)
    changed = file.read_text().replace(key(wider), key(first))
    file.write_text(changed)
    with pytest.raises(FileFormatError, match="`key` must be"):
        check_membership(space, file)
