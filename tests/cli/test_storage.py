"""Which database a search writes to, and what it says of one that needs a password."""

from pathlib import Path
from shutil import copytree

import optuna
import pytest

from tests.cli.run import Outcome, assert_one_sentence, neptune
from tests.study.sqlite_readers import execute

SEARCH = (
    "search",
    "--space",
    "tiny",
    "--evaluator",
    "tests.study.fakes:Arithmetic",
    "--rungs",
    "1",
)
SERVER = "postgresql+psycopg://ada:{}@127.0.0.1:1/db"  # where nobody answers


def search(out: Path, trials: int, *more: object) -> Outcome:
    return neptune(*SEARCH, "--out", out, "--trials", trials, "-j", "1", "-q", *more)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("begun")
    assert search(out, 2).code == 0
    return out / "tiny-digits"


@pytest.fixture
def study(begun: Path, tmp_path: Path) -> Path:
    """Return the folder of a study with its trials in its own database."""
    return Path(copytree(begun, tmp_path / begun.name))


def test_a_new_study_is_searched_in_the_database_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEPTUNE_STORAGE", f"sqlite:///{tmp_path / 'other.db'}")
    for trials in (2, 3):
        assert search(tmp_path, trials).code == 0
    assert (tmp_path / "other.db").is_file()
    assert not (tmp_path / "tiny-digits" / "study.db").exists()


def test_a_study_with_its_own_database_goes_on_there(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEPTUNE_STORAGE", f"sqlite:///{study.parent / 'other.db'}")
    assert search(study.parent, 3).code == 0
    assert not (study.parent / "other.db").exists()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (None, ("has its trials in", SERVER.format("***"), "set NEPTUNE_STORAGE to that URL")),
        (SERVER.format("my%20PW"), (SERVER.format("***"), "cannot be opened: ")),
        (SERVER.format("my PW"), (SERVER.format("***"), "cannot be opened: ")),
        (SERVER.format("PW").replace("ada", "bob"), ("was started with storage", "but now it is")),
        (SERVER.format("P@PW"), ("with any @, : or / in the password written as %40",)),
    ],
)
def test_a_study_on_a_server_goes_on_with_its_password_from_the_environment(
    study: Path, monkeypatch: pytest.MonkeyPatch, given: str | None, says: tuple[str, ...]
) -> None:
    settings = study / "study.toml"
    kept = settings.read_text().replace('storage = ""', f'storage = "{SERVER.format("***")}"')
    settings.write_text(kept)
    if given:
        monkeypatch.setenv("NEPTUNE_STORAGE", given)
    outcome = search(study.parent, 3)
    assert_one_sentence(outcome, *says)
    assert "PW" not in outcome.err
    assert settings.read_text() == kept


READING = (("status",), ("report",), ("export",), ("compare",))


@pytest.mark.parametrize("command", READING)
@pytest.mark.parametrize(
    "name", ["sqlite:///{}", "sqlite+pysqlite:///{}", "sqlite:///file:{}?uri=true&mode=rwc"]
)
def test_reading_creates_and_changes_nothing_where_a_study_points(
    study: Path, command: tuple[str, ...], name: str
) -> None:
    other = study.parent / "victim" / "other.db"
    other.parent.mkdir()
    settings = study / "study.toml"
    named = f'storage = "{name.format(other)}"'
    settings.write_text(settings.read_text().replace('storage = ""', named))
    assert_one_sentence(neptune(*command, study), "other.db is missing")
    assert list(other.parent.iterdir()) == []
    other.touch()
    assert_one_sentence(neptune(*command, study), "holds no Optuna studies")
    assert other.read_bytes() == b""
    assert [path.name for path in other.parent.iterdir()] == ["other.db"]


def test_a_report_follows_no_link_of_the_folder(study: Path) -> None:
    victim = study.parent / "victim"
    victim.write_text("mine")
    for name in ("report.html", "trials.csv", "pareto.csv", "best.json", "failures.txt"):
        (study / name).unlink(missing_ok=True)
        (study / name).symlink_to(victim)
    (study / "study.lock").unlink(missing_ok=True)
    (study / "study.lock").symlink_to(study.parent / "nowhere")
    for command in ("report", "status", "export"):
        assert neptune(command, study).code == 0
    assert_one_sentence(search(study.parent, 3), "study.lock must be a lock file, but is a link")
    assert victim.read_text() == "mine"
    assert sorted(path.name for path in study.parent.iterdir()) == ["tiny-digits", "victim"]


@pytest.mark.parametrize("name", ["shared", "baselines"])
def test_a_search_writes_nothing_through_a_subfolder_that_is_a_link(study: Path, name: str) -> None:
    (study.parent / "elsewhere").mkdir()
    (study / name).symlink_to(study.parent / "elsewhere")
    assert_one_sentence(search(study.parent, 3), f"{name} leads out of")
    assert list((study.parent / "elsewhere").iterdir()) == []


OLDER = """
UPDATE alembic_version SET version_num = 'v3.0.0.d';
UPDATE version_info SET library_version = '3.0.6';
DROP INDEX ix_trials_study_id;
"""  # turns it into what Optuna 3.0.6 writes


def test_a_database_of_an_older_optuna_is_left_alone_until_it_is_upgraded(study: Path) -> None:
    file = study / "study.db"
    execute(file, OLDER)
    before = file.read_bytes()
    for asked in (*((name, study) for name in ("status", "report", "export", "compare")), None):
        outcome = neptune(*asked) if asked else search(study.parent, 3)
        assert_one_sentence(
            outcome,
            f"storage sqlite:///{file} cannot be opened: an older Optuna wrote it. Back it up",
            f"run `optuna storage upgrade --storage sqlite:///{file}`",
        )
        assert file.read_bytes() == before
    storage = optuna.storages.RDBStorage(f"sqlite:///{file}", skip_compatibility_check=True)
    storage.upgrade()
    storage.engine.dispose()
    assert search(study.parent, 3).code == 0
