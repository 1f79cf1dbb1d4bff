"""Spaces by name, file and import path, and one clear sentence for each mistake."""

import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from neptune_nas.architecture.codec import type_name
from neptune_nas.errors import SpaceError
from neptune_nas.space import find_space, list_spaces
from neptune_nas.space.locate import file_of, find_module, records_of, source_of

SHIPPED = (
    "attention",
    "auto",
    "bccd",
    "camvid",
    "cifar10",
    "default",
    "digits-boxes",
    "digits-scenes",
    "imagenet",
    "micro",
    "micro96",
    "mnist",
    "mobile",
    "nasbench-macro",
    "tiny",
)
GOOD = """
from dataclasses import dataclass
from neptune_nas import Architecture, Conv, Space, Stage, choice

@dataclass(frozen=True)
class Mine:
    size: int = 3

SPACE = Space("mine", Architecture(stages=(Stage(substages=(choice(Mine(), Conv()),)),)))
OTHER = 3
"""


@pytest.fixture(autouse=True)
def _modules() -> Iterator[None]:
    before = {*sys.modules}
    yield
    for name in {*sys.modules} - before:
        del sys.modules[name]


def write(folder: Path, text: str, name: str = "my_space.py") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def test_the_shipped_spaces_are_listed() -> None:
    assert list_spaces() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_space_is_found_by_its_name_and_says_what_it_is(name: str) -> None:
    space = find_space(name)

    assert space.name == name
    assert space.description


def test_a_space_is_found_in_a_file(tmp_path: Path) -> None:
    assert find_space(write(tmp_path, GOOD)).size == 2


def test_a_file_is_run_once(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)

    assert find_module(path) is find_module(path)


def test_a_space_is_found_by_its_import_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, GOOD)
    monkeypatch.syspath_prepend(tmp_path)

    assert find_space("my_space:SPACE").size == 2


def test_the_records_of_a_file_are_those_it_defines(tmp_path: Path) -> None:
    (record,) = records_of(find_module(write(tmp_path, GOOD)))

    assert record.__qualname__ == "Mine"
    assert pickle.loads(pickle.dumps(record())) == record()


@pytest.mark.parametrize("name", ["statistics.py", "json.py", "torch.py", "my-space.py"])
def test_a_file_named_like_another_module_does_not_hide_it(tmp_path: Path, name: str) -> None:
    module = find_module(write(tmp_path, GOOD, name))

    assert module.__name__.isidentifier()
    assert module.__name__ != name.removesuffix(".py")
    assert find_module(str(tmp_path / name)) is module


def test_two_files_of_one_name_are_two_modules(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    first, second = write(tmp_path, GOOD), write(tmp_path / "other", GOOD)

    assert find_module(first) is not find_module(second)


def test_a_class_knows_the_file_that_no_import_finds(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    (record,) = records_of(find_module(path))

    assert file_of(record) == str(Path(path).resolve())
    assert file_of(Path) is None


def test_json_names_a_file_the_same_wherever_it_lies_and_however_it_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    first, second = write(tmp_path, GOOD), write(tmp_path / "other", GOOD)
    before = [type_name(record) for record in records_of(find_module(first))]
    monkeypatch.syspath_prepend(tmp_path)  # as where Python itself was started with `-m`
    monkeypatch.chdir(tmp_path / "other")
    for where in (second, "my_space.py"):
        assert [type_name(record) for record in records_of(find_module(where))] == before
    assert before == ["my_space:Mine"]


@pytest.mark.parametrize(
    ("where", "file"),
    [
        ("no-such-space", None),
        ("../my_space", None),
        ("my_space.py", "my_space.py"),
        ("my_space.py:Mine", "my_space.py"),
        ("gone.py", None),
        ("gone.py:Mine", None),
        ("broken.py", None),
        ("my_space:SPACE", "my_space.py"),
        ("no.such.module:SPACE", None),
        ("broken:SPACE", "broken/__init__.py"),
        ("broken.inner:SPACE", "broken/inner.py"),
        ("broken.gone:SPACE", None),
        ("my_space.inner:SPACE", None),
        ("plain.inner:SPACE", "plain/inner.py"),
        ("plain:SPACE", None),
        ("sys:SPACE", None),
    ],
)
def test_the_file_of_a_space_is_known_without_running_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, file: str | None
) -> None:
    write(tmp_path, "1 / 0")
    for name in ("broken", "plain", "broken.py"):
        (tmp_path / name).mkdir()
    write(tmp_path / "broken", "1 / 0", "__init__.py")
    write(tmp_path / "broken", "1 / 0", "inner.py")
    write(tmp_path / "plain", "1 / 0", "inner.py")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)

    assert source_of(where) == (file and tmp_path / file)
    assert "broken" not in sys.modules


def test_the_file_of_a_shipped_space_is_known() -> None:
    file = source_of("nasbench-macro")
    assert file is not None
    assert file.name == "nasbench_macro.py"


def test_an_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(SpaceError, match=r"'defualt' is unknown: did you mean 'default'.* A file"):
        find_space("defualt")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match=r"there is no file .*gone\.py"):
        find_space(str(tmp_path / "gone.py"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\nSPACE = (", r"running my_space\.py failed in line 2: '\(' was never closed"),
        ("x = 1\n", r"must define `SPACE = Space\(\.\.\.\)`, but `SPACE` is missing"),
        ("SPACE = 3\n", r"but `SPACE` is of type int"),
        ("\n1 / 0\n", r"failed in line 2: ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(3)\n", r"failed in line 2: SystemExit: 3"),
        (
            "from neptune_nas import repeat\nrepeat(1, 2, 1)\n",
            r"failed in line 2: `repeat` needs 0 <= low <= high",
        ),
        ("import no_such_thing\n", r"failed in line 1: ModuleNotFoundError: No module named"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_in_one_sentence(
    tmp_path: Path, text: str, message: str
) -> None:
    path = write(tmp_path, text)

    with pytest.raises(SpaceError, match=message):
        find_space(path)


def test_a_file_that_failed_can_be_mended_and_loaded_again(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match="ZeroDivisionError"):
        find_space(write(tmp_path, "1 / 0"))

    assert find_space(write(tmp_path, GOOD)).size == 2


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("no.such.module:SPACE", "No module named 'no'; is it installed or on PYTHONPATH"),
        ("my_space:OTHER", r"must define `OTHER = Space\(\.\.\.\)`, but `OTHER` is of type int"),
        ("broken:SPACE", "importing it failed: ZeroDivisionError"),
    ],
)
def test_what_is_wrong_with_an_import_path_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, message: str
) -> None:
    write(tmp_path, GOOD)
    write(tmp_path, "1 / 0", "broken.py")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(SpaceError, match=message):
        find_space(where)


NAMED = GOOD + "\nMINE = SPACE\n"


@pytest.mark.parametrize("name", ["own.py", "a:b.py", "my own.py", "C:own.py"])
def test_a_space_in_a_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    where = write(tmp_path, NAMED, name)
    assert find_space(f"{where}:MINE") is find_space(where)
    assert source_of(f"{where}:MINE") == Path(where).resolve()


def test_a_name_that_a_file_lacks_gives_the_nearest(tmp_path: Path) -> None:
    where = write(tmp_path, NAMED)
    with pytest.raises(SpaceError, match=r"`MIN` is missing: did you mean 'MINE'\?"):
        find_space(f"{where}:MIN")
