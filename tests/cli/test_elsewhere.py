"""A study that is read elsewhere: its space's file is not there, its database needs a password."""

from contextlib import chdir
from pathlib import Path
from shutil import copytree

import pytest

from neptune_nas.search.config import Search
from tests.cli.run import Outcome, assert_one_sentence, neptune

SPACE = """
from dataclasses import dataclass
from torch import nn
from neptune_nas import Architecture, Space, Stage, choice

@dataclass(frozen=True)
class Scale:
    def build(self, width):
        return nn.Conv2d(width, width, 1, groups=width)

SPACE = Space("own", Architecture(stages=(Stage(width=choice(4, 8, 12), substages=(Scale(),)),)))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a user's space was searched, with its trials in a database beside it."""
    home = tmp_path_factory.mktemp("home")
    (home / "my_space.py").write_text(SPACE)
    with chdir(home):
        Search(space="my_space.py", trials=3, rungs=(1,), jobs=1, threads=1).run()
    return home


@pytest.fixture
def study(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the study, seen from another folder."""
    monkeypatch.chdir(tmp_path)
    return copytree(home / "studies" / "my_space-digits", tmp_path / "my_space-digits")


READING = (
    ("report", "STUDY", "--format", "csv"),
    ("export", "STUDY", "--trial", "0"),
    ("status", "STUDY"),
    ("watch", "STUDY"),
    ("compare", "STUDY"),
    ("plot", "pareto", "STUDY", "-o", "front.html"),
)
reading = pytest.mark.parametrize("command", READING, ids=lambda words: words[0])


def run(command: tuple[str, ...], study: Path, *more: object) -> Outcome:
    return neptune(*(str(study) if word == "STUDY" else word for word in command), *more)


@reading
def test_a_study_is_read_elsewhere_without_the_file_of_its_space(
    study: Path, command: tuple[str, ...]
) -> None:
    outcome = run(command, study)
    assert outcome.code == 0, outcome


@pytest.mark.parametrize("command", ["audit", "baseline", "confirm", "reference"])
def test_a_study_of_a_space_that_is_not_here_asks_for_its_file_to_measure_more(
    study: Path, command: str
) -> None:
    asked = ("`space` is 'my_space.py'", "if you trust it", "--allow")
    assert_one_sentence(neptune(command, study), str(study), *asked)


@reading
def test_a_study_is_read_elsewhere_with_the_file_of_its_space(
    study: Path, home: Path, command: tuple[str, ...]
) -> None:
    outcome = run(command, study, "--allow", home / "my_space.py")
    assert outcome.code == 0, outcome


def test_the_file_that_a_study_names_is_not_run_where_another_is_allowed(
    study: Path, home: Path
) -> None:
    Path("my_space.py").write_text("1 / 0")
    assert run(("status", "STUDY"), study, "--allow", home / "my_space.py").code == 0


def test_a_file_that_is_allowed_but_fails_is_said_to(study: Path) -> None:
    Path("my_space.py").write_text("1 / 0")
    said = "running my_space.py failed in line 1: ZeroDivisionError"
    assert_one_sentence(neptune("status", study, "--allow", "my_space.py"), said)
    assert neptune("status", study).code == 0


def test_more_is_measured_elsewhere_with_the_file_of_the_space(study: Path, home: Path) -> None:
    options = ("--samplers", "random", "--trials", "1", "-j", "1", "--allow", home / "my_space.py")
    outcome = neptune("baseline", study, *options)
    assert outcome.code == 0, outcome
    assert (study / "baselines" / "random" / "trials.csv").is_file()


@pytest.mark.parametrize("command", ["audit", "baseline"])
def test_more_is_measured_for_the_same_space_only(study: Path, command: str) -> None:
    (study.parent / "other").mkdir()
    other = study.parent / "other" / "my_space.py"
    other.write_text(SPACE.replace("12", "16"))
    assert_one_sentence(neptune(command, study, "--allow", other), "was started with space")


@pytest.fixture
def locked(study: Path) -> str:
    """Return the URL of the study's database, where study.toml has it without the password."""
    database = study / "study.db"
    elsewhere = database.rename(study.parent / "trials.db")
    settings = study / "study.toml"
    struck_out = f'storage = "sqlite:///{study.parent}/struck-out.db"'
    settings.write_text(settings.read_text().replace('storage = ""', struck_out))
    (study.parent / "my_space.py").write_text(SPACE)
    return f"sqlite:///{elsewhere}"


@pytest.mark.usefixtures("locked")
@reading
def test_a_database_that_needs_a_password_is_refused_without(
    study: Path, command: tuple[str, ...]
) -> None:
    assert_one_sentence(run(command, study), "struck-out.db")


@reading
def test_the_database_is_given_as_an_option(
    study: Path, locked: str, command: tuple[str, ...]
) -> None:
    outcome = run(command, study, "--storage", locked)
    assert outcome.code == 0, outcome


@reading
def test_the_database_is_taken_from_the_environment(
    study: Path, locked: str, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEPTUNE_STORAGE", locked)
    outcome = run(command, study)
    assert outcome.code == 0, outcome


def test_a_study_with_its_own_database_is_read_from_its_folder_all_the_same(
    study: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEPTUNE_STORAGE", "sqlite:///no/such/place.db")
    outcome = neptune("status", study, "--allow", home / "my_space.py")
    assert outcome.code == 0, outcome
