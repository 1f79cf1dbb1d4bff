"""A study whose files are cut, lost or changed is not begun anew, and nothing is overwritten."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest

from neptune_nas.errors import FileFormatError, NeptuneError, StudyError
from neptune_nas.search.config import Search, ignore
from neptune_nas.search.dry_run import dry_run
from neptune_nas.search.run import run_search
from neptune_nas.study.folder import Folder, read_settings, write_settings
from neptune_nas.study.progress import Progress
from neptune_nas.study.read import read_study
from neptune_nas.study.study import Study
from tests.study.builders import few_search
from tests.study.fakes import InlineAssembly, InlineEngine, OnBench


def run(
    search: Search,
    watch: Callable[[Progress], None] = ignore,
    say: Callable[[str], None] = ignore,
) -> Study:
    """Run a search whose evaluations are made in this process."""
    return run_search(InlineAssembly(search, lambda: InlineEngine(OnBench())), watch, say)


def execute(file: Path, script: str) -> None:
    connection = sqlite3.connect(file)
    connection.executescript(script)
    connection.close()


def cut(file: Path) -> None:
    file.write_bytes(b"")


def of_another_program(file: Path) -> None:
    file.unlink()
    execute(file, "CREATE TABLE a (b)")


def without_tables(file: Path) -> None:
    execute(file, "DROP TABLE trials")


def without_the_study(file: Path) -> None:
    execute(file, "UPDATE studies SET study_name = 'other'")


def of_another_study(file: Path) -> None:
    execute(
        file, "UPDATE study_user_attributes SET value_json = '\"x\"' WHERE key LIKE '%question'"
    )


def without_trials(file: Path) -> None:
    execute(file, "DELETE FROM trials")


def without_the_last_trial(file: Path) -> None:
    execute(file, "DELETE FROM trials WHERE number = 3")


def a_link(file: Path) -> None:
    file.rename(file.parents[1] / "elsewhere.db")
    file.symlink_to(file.parents[1] / "elsewhere.db")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (Path.unlink, r"study\.db is missing"),
        (cut, "holds no Optuna studies: it is empty"),
        (of_another_program, "holds no Optuna studies"),
        (without_tables, "holds no Optuna studies"),
        (without_the_study, "holds no study 'few-digits': restore the right database"),
        (of_another_study, "a study 'few-digits' with another question"),
        (
            without_trials,
            "has 0 trials, but .* lists 4: the database is an older copy, or is",
        ),
        (without_the_last_trial, "has 3 trials, but .* lists 4"),
        (a_link, r"study\.db leads out of .*nothing is written through a link"),
    ],
)
def test_a_database_that_lost_its_trials_is_not_begun_anew(
    tmp_path: Path, damage: Callable[[Path], None], says: str
) -> None:
    folder = run(few_search(tmp_path, 4)).folder
    damage(folder / "study.db")
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with pytest.raises(NeptuneError, match=says):
        run(few_search(tmp_path, 6))
    assert {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()} == before


def test_another_name_begins_anew_all_the_same(tmp_path: Path) -> None:
    cut(run(few_search(tmp_path, 4)).folder / "study.db")
    assert len(run(few_search(tmp_path, 2, name="other")).trials) == 2


def at_result(change: Callable[[], object]) -> Callable[[Progress], None]:
    """Return a watcher that makes a change at the second result."""

    def watch(progress: Progress) -> None:
        if progress.done == 2:
            change()

    return watch


@pytest.mark.parametrize("content", [None, "", "version = 1\n", "[", "\udcff"])
def test_settings_lost_while_the_search_ran_are_written_again_and_it_is_said(
    tmp_path: Path, content: str | None
) -> None:
    search, said = few_search(tmp_path, 4), list[str]()
    file = search.folder.settings

    def lose() -> None:
        if content is None:
            file.unlink()
        else:
            file.write_bytes(content.encode("utf-8", "surrogateescape"))

    study = run(search, at_result(lose), said.append)
    assert [each for each in said if "was deleted or damaged while the search ran" in each]
    assert read_settings(file) == study.settings
    assert len(read_study(study.folder).trials) == 4


def test_settings_are_written_again_where_the_results_cannot_be(tmp_path: Path) -> None:
    search, said = few_search(tmp_path, 4), list[str]()

    def stop() -> None:
        search.folder.settings.unlink()
        (search.folder.path / "trials.csv").mkdir()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        run(search, at_result(stop), said.append)
    assert [each for each in said if "was deleted or damaged while the search ran" in each]
    assert len(read_study(search.folder.path).ranked) == 2


def test_results_are_written_where_the_settings_were_changed_and_the_search_stopped(
    tmp_path: Path,
) -> None:
    search = few_search(tmp_path, 4)

    def stop() -> None:
        settings = read_settings(search.folder.settings)
        question = replace(settings.question, seed=9)
        write_settings(search.folder, replace(settings, question=question))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        run(search, at_result(stop))
    assert (search.folder.path / "trials.csv").read_text().count(",finished,") == 2


def test_settings_changed_while_the_search_ran_are_left_and_it_is_said(tmp_path: Path) -> None:
    search = few_search(tmp_path, 4)

    def change() -> None:
        settings = read_settings(search.folder.settings)
        write_settings(
            search.folder, replace(settings, question=replace(settings.question, seed=9))
        )

    with pytest.raises(StudyError, match=r"study\.toml was changed while the search ran.*are kept"):
        run(search, at_result(change))
    assert read_settings(search.folder.settings).question.seed == 9
    assert len((search.folder.path / "trials.csv").read_text().splitlines()) == 5
    with pytest.raises(StudyError, match="with another question"):
        read_study(search.folder.path)


def test_settings_lost_between_two_searches_are_written_again_and_it_is_said(
    tmp_path: Path,
) -> None:
    before, said = run(few_search(tmp_path, 4)), list[str]()
    Folder(before.folder).settings.unlink()
    after = run(few_search(tmp_path, 6), say=said.append)
    assert [each for each in said if "is missing, but the study's trials are there" in each]
    assert after.trials[:4] == before.trials
    assert len(after.trials) == 6


def test_settings_emptied_between_two_searches_are_refused(tmp_path: Path) -> None:
    folder = run(few_search(tmp_path, 4)).folder
    for content in ("", "\n \n"):
        (folder / "study.toml").write_text(content)
        with pytest.raises(
            FileFormatError, match=r"study\.toml: it is empty, .*missing: restore a copy"
        ):
            run(few_search(tmp_path, 6))
    (folder / "study.toml").unlink()
    assert len(run(few_search(tmp_path, 6)).trials) == 6  # as the sentence says


def test_a_copy_under_another_name_without_settings_is_left_as_it_is(tmp_path: Path) -> None:
    folder = run(few_search(tmp_path, 4)).folder
    copy = copytree(folder, tmp_path / "copy")
    (copy / "study.toml").unlink()
    before = (copy / "study.db").read_bytes()
    search = few_search(tmp_path, 6, name="copy")
    says = "copy has the trials of study 'few-digits' but no study.toml: restore that file"
    for begin in (lambda: run(search), lambda: dry_run(search)):
        with pytest.raises(StudyError, match=says):
            begin()
    assert (copy / "study.db").read_bytes() == before
    assert not (copy / "study.toml").exists()
