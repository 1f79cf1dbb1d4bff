"""Who may run the code that a study names, and the copy of it that is there to be read."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copytree

import pytest

from neptune_nas.study.folder import Folder, write_settings
from neptune_nas.study.main_code import main_digests
from neptune_nas.study.own_code import keep_source, may_run, records_in, register
from neptune_nas.study.settings import Settings
from tests.study.builders import question, settings

SPACE = """
from dataclasses import dataclass
from neptune_nas import Architecture, Space, Stage, choice

@dataclass(frozen=True)
class Mine:
    size: int = 3

SPACE = Space("mine", Architecture(stages=(Stage(substages=(Mine(),), width=choice(4, 8)),)))
"""


@pytest.fixture
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Folder, Settings]:
    """Return a study whose space the user ran, with its settings, alone in its register."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("own.py", "other.py"):
        Path(name).write_text(SPACE)
    folder = Folder(tmp_path / "study")
    begun = replace(settings(question(sampler="own:Mine")), id="0123456789abcdef")
    begun = replace(begun, question=replace(begun.question, space="own.py"))
    write_settings(folder, begun)
    register(folder, begun, ("own.py", "own:Mine"))
    return folder, begun


def test_what_was_run_for_a_study_may_be_run_again(registered: tuple[Folder, Settings]) -> None:
    assert may_run(*registered, "own.py")
    assert may_run(*registered, "own:Mine")
    assert [each.__name__ for each in set(records_in(*registered)) if each.__name__ == "Mine"]


@pytest.mark.parametrize("where", ["default", "nasbench-macro", "auto", "tpe"])
def test_what_comes_with_the_toolkit_may_be_run(tmp_path: Path, where: str) -> None:
    assert may_run(Folder(tmp_path), settings(question()), where)


@pytest.mark.parametrize(
    "where", ["other.py", "./own.py", "own.py:Mine", "own:SPACE", "gone.py", "os:system", "a:b:c"]
)
def test_other_code_may_not(registered: tuple[Folder, Settings], where: str) -> None:
    assert not may_run(*registered, where)


class Finder:
    """A finder of modules that notes what it is asked for, and finds nothing."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def find_spec(self, name: str, *_: object) -> None:
        self.asked.append(name)


@pytest.mark.parametrize("where", ["elsewhere:SPACE", "own:SPACE", "deep.inside.it:Mine"])
def test_code_that_the_register_lacks_is_not_even_looked_for(
    registered: tuple[Folder, Settings], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    finder = Finder()
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    assert not may_run(*registered, where)
    assert finder.asked == []


@pytest.mark.parametrize("where", ["a\0b.py", f"{'x' * 5000}.py", "\udcff.py", "/dev/zero", "."])
def test_a_place_where_no_code_can_be_may_not_run(
    registered: tuple[Folder, Settings], where: str
) -> None:
    assert not may_run(*registered, f"{where}:SPACE")


def test_a_file_too_large_for_code_is_neither_run_nor_kept(
    registered: tuple[Folder, Settings],
) -> None:
    with Path("own.py").open("wb") as file:
        file.truncate(2**25 + 1)  # takes no room on a disk
    register(*registered, ("own.py",))
    assert not may_run(*registered, "own.py")
    keep_source(registered[0], "own.py")
    assert not registered[0].source.exists()


def test_code_that_was_edited_or_exchanged_may_not(registered: tuple[Folder, Settings]) -> None:
    Path("own.py").write_text(f"{SPACE}\n")
    assert not may_run(*registered, "own.py")
    assert records_in(*registered) == ()
    Path("own.py").unlink()
    assert not may_run(*registered, "own.py")
    Path("own.py").symlink_to("other.py")
    assert not may_run(*registered, "own.py")
    Path("own.py").unlink()
    Path("own.py").write_text(SPACE)
    assert may_run(*registered, "own.py")


def test_the_same_path_seen_from_elsewhere_is_another_file(
    registered: tuple[Folder, Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "own.py").write_text(SPACE)
    monkeypatch.chdir(tmp_path / "away")
    assert not may_run(*registered, "own.py")


def test_a_copy_of_a_study_may_not_run_it(
    registered: tuple[Folder, Settings], tmp_path: Path
) -> None:
    folder, begun = registered
    assert not may_run(Folder(copytree(folder.path, tmp_path / "copy")), begun, "own.py")
    (tmp_path / "link").symlink_to(folder.path)
    assert may_run(Folder(tmp_path / "link"), begun, "own.py")


def test_another_study_in_its_place_may_not_run_it(registered: tuple[Folder, Settings]) -> None:
    folder, begun = registered
    for other in (
        replace(begun, id="fedcba9876543210"),
        replace(begun, id=""),
        replace(begun, id="../0123456789abcdef"),
        replace(begun, question=replace(begun.question, sampler_kwargs={"what": "else"})),
        replace(begun, facts=replace(begun.facts, space_fingerprint="another")),
    ):
        assert not may_run(folder, other, "own.py")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"code": 3}', '{"code": {"own.py": 3}}'])
def test_a_damaged_register_allows_nothing(
    registered: tuple[Folder, Settings], tmp_path: Path, content: str
) -> None:
    (entry,) = (tmp_path / "data" / "neptune-nas" / "studies").iterdir()
    entry.write_text(content)
    assert not may_run(*registered, "own.py")


def test_a_register_that_cannot_be_written_allows_nothing(
    registered: tuple[Folder, Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "own.py"))
    register(*registered, ("own.py",))
    assert not may_run(*registered, "own.py")


def test_a_study_of_shipped_code_needs_no_entry(
    registered: tuple[Folder, Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "empty"))
    register(*registered, ("default", "auto"))
    assert not (tmp_path / "empty").exists()


def test_code_that_fails_now_is_done_without(registered: tuple[Folder, Settings]) -> None:
    Path("own.py").write_text("1 / 0")
    register(*registered, ("own.py",))
    assert may_run(*registered, "own.py")
    assert records_in(*registered) == ()


def test_the_source_of_a_space_is_kept_once(registered: tuple[Folder, Settings]) -> None:
    folder, _ = registered
    keep_source(folder, "own.py")
    Path("own.py").write_text("1 / 0")
    keep_source(folder, "own.py")
    assert folder.source.read_text() == SPACE


def test_a_space_without_a_file_has_no_source_to_keep(tmp_path: Path) -> None:
    keep_source(Folder(tmp_path), "an object")
    assert [*tmp_path.iterdir()] == []


@dataclass(frozen=True)
class Gate:
    """Stands for what a cell of a notebook defines."""


@pytest.fixture
def in_main(monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the digest of a record that `__main__` defines."""
    monkeypatch.setattr(Gate, "__module__", "__main__")
    monkeypatch.setattr(sys.modules["__main__"], "Gate", Gate, raising=False)
    (digest,) = main_digests((Gate,)).values()
    return digest


def with_code(settings: Settings, *names: str, digest: str) -> Settings:
    return replace(settings, facts=replace(settings.facts, code=dict.fromkeys(names, digest)))


def test_a_record_of_a_notebook_is_known_where_the_user_ran_it_for_the_study(
    registered: tuple[Folder, Settings], in_main: str
) -> None:
    folder, begun = registered
    begun = with_code(begun, "__main__:Gate", digest=in_main)
    assert Gate not in records_in(folder, begun)  # the study says so itself, which is not enough
    register(folder, begun, begun.facts.code)
    assert Gate in records_in(folder, begun)


@pytest.mark.parametrize("name", ["__main__:sys", "__main__:", "Gate", "os:system", "", "a:b:c"])
def test_no_other_name_leads_to_an_object(
    registered: tuple[Folder, Settings], in_main: str, name: str
) -> None:
    folder, begun = registered
    begun = with_code(begun, name, digest=in_main)
    register(folder, begun, begun.facts.code)
    assert {each.__name__ for each in records_in(folder, begun)} <= {
        each.__name__ for each in records_in(folder, registered[1])
    }
