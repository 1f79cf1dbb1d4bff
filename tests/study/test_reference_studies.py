"""The studies that git keeps are read by today's code, and hold what it would write."""

from pathlib import Path

import pytest

from neptune_nas.models.architecture_file import dumps, load
from neptune_nas.models.model import load_model
from neptune_nas.report.tables import pareto_csv, trials_csv
from neptune_nas.retrain.metrics import load_metrics
from neptune_nas.search.resume import check_same, search_of, study_of
from neptune_nas.study.database_url import sqlite_url
from neptune_nas.study.export import export_trial
from neptune_nas.study.folder import Folder, read_settings
from neptune_nas.study.read import read_study
from neptune_nas.study.store import check_store

ROOT = Path(__file__).parents[2] / "studies"
STUDIES = sorted(file.parent for file in ROOT.glob("**/study.toml"))
MEASURED = {"audit.json", "references.json", "confirmations.json"}  # `read_study` reads these
EXPORTED = sorted(file for file in ROOT.glob("*/*.json") if file.name not in MEASURED)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_they_are_three_one_with_a_baseline() -> None:
    names = ["cifar10-jpeg", "digits", "digits/baselines/random", "mnist"]
    assert list(map(relative, STUDIES)) == names


@pytest.mark.parametrize("path", STUDIES, ids=relative)
def test_the_database_is_of_the_question_in_the_settings(path: Path) -> None:
    folder = Folder(path)
    settings = read_settings(folder.settings)
    check_store(sqlite_url(folder.database), settings.name, settings.identity, path)


@pytest.mark.parametrize("path", STUDIES, ids=relative)
def test_the_tables_are_what_is_written_today(path: Path) -> None:
    study = read_study(path)
    assert len(study.trials) == study.settings.trials
    assert trials_csv(study) == (path / "trials.csv").read_text()
    assert pareto_csv(study) == (path / "pareto.csv").read_text()
    if (path / "best.json").exists():
        assert dumps(export_trial(study, study.best())) == (path / "best.json").read_text()


def test_what_was_measured_after_the_search_is_read() -> None:
    cifar, mnist = (read_study(ROOT / name) for name in ("cifar10-jpeg", "mnist"))
    assert cifar.audit is not None
    assert mnist.audit is not None
    assert {each.name for each in cifar.references} >= {"resnet8", "mobilenet_v3_small"}
    assert [*read_study(ROOT / "digits").baselines] == ["random"]


def test_one_of_them_can_go_on() -> None:
    search = search_of(ROOT / "digits")
    check_same(search, study_of(search))


@pytest.mark.parametrize("file", EXPORTED, ids=relative)
def test_an_exported_architecture_is_read(file: Path) -> None:
    assert dumps(load(file)) == file.read_text()


@pytest.mark.parametrize("file", sorted(ROOT.glob("**/model.safetensors")), ids=relative)
def test_a_model_is_of_the_network_and_classes_that_its_training_says(file: Path) -> None:
    model, metrics = load_model(file), load_metrics(file.with_name("metrics.json"))
    assert model.key == metrics.terms.network
    assert model.labels == metrics.terms.classes
