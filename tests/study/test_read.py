"""What stands in place of a study's files, and is none, is refused and not passed over."""

import os
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest

from neptune_nas.errors import NeptuneError
from neptune_nas.study.read import read_study
from tests.study.builders import few_search


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a study that was searched."""
    search = few_search(tmp_path_factory.mktemp("studies"), 3)
    return search.run().folder


MAKE: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "folder": Path.mkdir,
    "lost link": lambda path: path.symlink_to("nowhere"),
    "loop": lambda path: path.symlink_to(path),
    "empty": Path.touch,
}


@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
@pytest.mark.parametrize("name", ["audit.json", "confirmations.json", "references.json"])
def test_what_is_no_file_is_refused_by_name(
    name: str, make: Callable[[Path], object], searched: Path, tmp_path: Path
) -> None:
    folder = copytree(searched, tmp_path / searched.name)
    assert len(read_study(folder).trials) == 3
    make(folder / name)
    with pytest.raises(NeptuneError, match=name.replace(".", r"\.")):
        read_study(folder)


@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
def test_a_baseline_whose_database_is_no_file_is_refused(
    make: Callable[[Path], object], searched: Path, tmp_path: Path
) -> None:
    folder = copytree(searched, tmp_path / searched.name)
    inner = copytree(searched, folder / "baselines" / "random")
    assert set(read_study(folder).baselines) == {"auto"}
    (inner / "study.db").unlink()
    assert read_study(folder).baselines == {}
    make(inner / "study.db")
    with pytest.raises(NeptuneError, match=r"random/study\.db|is missing, and with it"):
        read_study(folder)
