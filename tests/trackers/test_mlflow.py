from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from neptune_nas.trackers.tracker import make_tracker
from tests.trackers.contract import Series, TrackerContract, result


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
