from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from neptune_nas.devices.numerics import Numerics
from neptune_nas.retrain.folder import TrainFolder, write_terms
from neptune_nas.retrain.terms import Terms
from neptune_nas.study.folder import Folder, write_settings
from neptune_nas.trackers.tracker import make_tracker
from tests.study.builders import question, settings
from tests.trackers.contract import Series, TrackerContract, result, step


class TestMLflow(TrackerContract):
    name = "mlflow"

    def read(self, folder: Path, run: str, key: str) -> Series:
        client, found = run_of(folder, run)
        points = client.get_metric_history(found.info.run_id, key)
        return {point.step: point.value for point in points}

    def trial_accuracy(self, folder: Path, number: int) -> float:
        return float(run_of(folder, f"trial-{number}")[1].data.metrics["accuracy"])


def run_of(folder: Path, name: str) -> tuple[MlflowClient, Run]:
    """Return a client of the local store, and the one run of that name."""
    client = MlflowClient((folder / "mlruns").as_uri())
    experiment = client.get_experiment_by_name(folder.name)
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id], f"tags.mlflow.runName = '{name}'")
    return client, run


def test_a_trial_is_a_run_below_that_of_the_search(tmp_path: Path) -> None:
    tracker = make_tracker("mlflow", tmp_path)
    tracker.add_result(result(3, 0.5, 1))
    tracker.close()
    search, trial = (run_of(tmp_path, name)[1] for name in ("search", "trial-3"))
    assert trial.data.tags["mlflow.parentRunId"] == search.info.run_id
    assert (trial.info.status, search.info.status) == ("FINISHED", "FINISHED")
    assert trial.data.params.keys() == {"architecture", "key"}


def test_a_server_that_the_environment_names_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, server = tmp_path / "study", tmp_path / "server"
    study.mkdir()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (server / "mlruns").as_uri())
    tracker = make_tracker("mlflow", study)
    tracker.add_result(result(0, 0.5, 1))
    tracker.close()
    assert list(study.iterdir()) == []
    client = MlflowClient((server / "mlruns").as_uri())
    assert client.get_experiment_by_name("study") is not None


TERMS = Terms("resnet8", "digits", "0123456789abcdef", 20, {}, ("0",), Numerics("fp32"))


def begin(folder: Path, name: str) -> None:
    """Begin a study in a new folder, with an id of its own."""
    folder.mkdir(parents=True)
    write_settings(Folder(folder), replace(settings(question()), id=name))


def track(folder: Path) -> None:
    """Track a result of a study."""
    tracker = make_tracker("mlflow", folder)
    tracker.add_result(result(0, 0.5, 1))
    tracker.close()


def test_a_study_that_was_moved_keeps_its_runs(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "elsewhere" / "new"
    begin(old, "a")
    track(old)
    new.parent.mkdir()
    old.rename(new)
    track(new)
    client = MlflowClient((new / "mlruns").as_uri())
    every = [each.experiment_id for each in client.search_experiments()]
    assert len(client.search_runs(every)) == 2  # the search and its trial


def test_two_studies_of_one_path_share_no_run_on_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = (tmp_path / "server").as_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    for machine in ("a", "b"):
        begin(tmp_path / "study", machine)
        track(tmp_path / "study")
        (tmp_path / "study").rename(tmp_path / machine)
    client = MlflowClient(server)
    every = [each.experiment_id for each in client.search_experiments()]
    assert len(client.search_runs(every)) == 4


def test_so_do_two_trainings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = (tmp_path / "server").as_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    for machine in ("a", "b", "b"):
        folder = tmp_path / "trained"
        folder.mkdir()
        write_terms(TrainFolder(folder), replace(TERMS, id=machine))
        tracker = make_tracker("mlflow", folder)
        tracker.add_epoch(step(0, 1, 1.0))
        tracker.close()
        (folder / "train.toml").unlink()
        folder.rmdir()
    client = MlflowClient(server)
    every = [each.experiment_id for each in client.search_experiments()]
    assert len(client.search_runs(every)) == 2
