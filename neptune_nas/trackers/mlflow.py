"""The tracker that logs runs with MLflow."""

import os
import warnings
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from time import time

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from neptune_nas.architecture.description import describe
from neptune_nas.errors import one_line
from neptune_nas.files.atomic import folder_name
from neptune_nas.retrain.folder import TrainFolder
from neptune_nas.retrain.metrics import SeedMetrics
from neptune_nas.retrain.progress import TrainingStep
from neptune_nas.retrain.terms import Terms
from neptune_nas.study.folder import Folder, read_settings, read_toml
from neptune_nas.study.progress import Progress
from neptune_nas.study.trial import State, Trial
from neptune_nas.trackers.tracker import epoch_values, finite, progress_values, trial_values

_ID, _NAME, _PARENT = "neptune_nas.id", "mlflow.runName", "mlflow.parentRunId"
_ENDS = {State.FINISHED: "FINISHED", State.PRUNED: "KILLED", State.FAILED: "FAILED"}
_SERVER = "MLFLOW_TRACKING_URI"  # the environment variable with the place of a server


class MLflow:
    """A `Tracker`: an experiment, by default in the folder `mlruns`.

    A search is one run, and each of its trials a run below it; a seed of a training is a run. Runs
    of an earlier session in the same folder are continued, wherever it has been moved since.
    """

    def __init__(self, folder: Path) -> None:
        place = folder.resolve()
        store = place / "mlruns"
        self._id = _id_of(place)
        uri = os.environ.get(_SERVER)
        local = f"MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri {store.as_uri()}"
        self.hint = f"on the server that {_SERVER} names" if uri else local
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the advice to use a newer store
            self._client = MlflowClient(uri or store.as_uri())
            self._experiment = self._find_experiment(place.name)
        self._runs: dict[str, str] = {}

    def _find_experiment(self, name: str) -> str:
        """Return the id of the experiment that has runs of this folder, or of the one so named."""
        every = [each.experiment_id for each in self._client.search_experiments()]
        if runs := self._client.search_runs(every, f"tags.`{_ID}` = '{self._id}'", max_results=1):
            return str(runs[0].info.experiment_id)
        name = folder_name(name)  # a quote in it would end the name in MLflow's query
        found = self._client.get_experiment_by_name(name)
        return str(found.experiment_id if found else self._client.create_experiment(name))

    def add_result(self, progress: Progress) -> None:
        """Add a result of a search."""
        self._log("search", progress_values(progress), progress.done)
        if (trial := progress.newest) is not None:
            self._add_trial(trial)

    def _add_trial(self, trial: Trial) -> None:
        name = f"trial-{trial.number}"
        facts = {"architecture": describe(trial.architecture), "key": trial.key}
        run = self._run(name, facts, self._run("search"))
        self._log(name, trial_values(trial), trial.scores[-1].fidelity if trial.scores else 0)
        if trial.state in _ENDS:
            self._client.set_terminated(run, _ENDS[trial.state])

    def add_epoch(self, step: TrainingStep) -> None:
        """Add a finished epoch of a training."""
        self._log(f"seed-{step.seed}", epoch_values(step), step.epoch.number)

    def add_test(self, seed: SeedMetrics) -> None:
        """Add the test values of a seed at the end of a training."""
        values = {f"test {name}": value for name, value in finite(seed.test).items()}
        self._log(f"seed-{seed.seed}", values, seed.epoch)

    def close(self) -> None:
        """End the runs that have not ended."""
        for name, run in self._runs.items():
            if not name.startswith("trial-"):
                self._client.set_terminated(run)

    def _log(self, name: str, values: Mapping[str, float], step: int) -> None:
        now = int(1000 * time())
        points = [Metric(key, value, now, step) for key, value in values.items()]
        self._client.log_batch(self._run(name), metrics=points)

    def _run(
        self, name: str, facts: Mapping[str, str] | None = None, parent: str | None = None
    ) -> str:
        """Return the id of a run of this folder, begun with `facts` if it is new."""
        if name not in self._runs:
            tags = {_ID: self._id, _NAME: name}
            wanted = " and ".join(f"tags.`{tag}` = '{value}'" for tag, value in tags.items())
            found = self._client.search_runs([self._experiment], wanted, max_results=1)
            self._runs[name] = found[0].info.run_id if found else self._begin(tags, facts, parent)
        return self._runs[name]

    def _begin(
        self, tags: Mapping[str, str], facts: Mapping[str, str] | None, parent: str | None
    ) -> str:
        more = {_PARENT: parent} if parent else {}
        run: str = self._client.create_run(self._experiment, tags={**tags, **more}).info.run_id
        params = [Param(name, one_line(value, 500)) for name, value in (facts or {}).items()]
        self._client.log_batch(run, params=params)
        return run


def _id_of(folder: Path) -> str:
    """Return the id of the study or the training in a folder; of one without, a digest of its path.

    Both write it before their first event.
    """
    study, training = Folder(folder), TrainFolder(folder)
    known = read_settings(study.settings).id if study.exists else ""
    if not known and training.terms.exists():
        known = read_toml(training.terms, Terms).id
    return known or sha256(os.fsencode(folder)).hexdigest()[:16]
