"""A search whose evaluations run on Ray: the same trials and scores as of one that runs here."""

import signal
from pathlib import Path
from typing import Any

import pytest

from neptune_nas.engine.plan import Slots
from neptune_nas.errors import OptionError
from neptune_nas.search.assembly import Assembly
from neptune_nas.search.config import Search, ignore
from neptune_nas.search.run import run_search
from neptune_nas.study.read import read_study
from neptune_nas.study.trial import Trial
from neptune_nas.trust.audit import run_audit
from tests.cli.test_interrupt import read_until, started
from tests.study.fakes import Arithmetic, CudaAssembly

SPACE = """
from dataclasses import dataclass

from torch import nn

from neptune_nas import Architecture, Space, Stage, SubStage, choice


@dataclass(frozen=True)
class Own(SubStage):
    kernel: int = 3

    def build(self, width):
        return nn.Conv2d(width, width, self.kernel, padding=self.kernel // 2)


SPACE = Space(
    name="own",
    template=Architecture(
        stages=(Stage(width=choice(8, 12, 16), substages=(choice(Own(3), Own(5)),)),)
    ),
)
"""


@pytest.mark.xdist_group("ray")
@pytest.mark.usefixtures("ray_cluster")
def test_a_search_on_ray_finds_what_one_on_this_machine_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # workers find a relative path where the search does
    Path("own_space.py").write_text(SPACE)
    asked: dict[str, Any] = {
        "space": "own_space.py",
        "data": "digits#200",
        "trials": 6,
        "rungs": (1,),
        "jobs": 2,
    }
    here = Search(**asked, name="here").run()
    ray = Search(**asked, name="there", engine="ray")
    there = ray.run()
    scores = [{trial.key: values_of(trial) for trial in study.ranked} for study in (here, there)]
    assert scores[0] == scores[1]
    assert len(scores[0]) == 6
    assert run_audit(ray, architectures=4, epochs=2).audit is not None


def values_of(trial: Trial) -> tuple[float, float]:
    """Return what was measured of a trial, but for how long it took and where."""
    assert trial.score is not None
    return trial.score.main, trial.score.values["loss"]


def test_where_a_search_runs_is_no_part_of_its_question(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"space": "tiny", "out": tmp_path, "evaluator": Arithmetic()}
    assert Search(**asked, engine="ray").question == Search(**asked).question


def test_gpus_by_number_are_of_this_machine_alone() -> None:
    with pytest.raises(OptionError, match="`gpus` and `engine ray` exclude each other"):
        Search(space="tiny", engine="ray", gpus=(0,))


def test_an_engine_that_is_none_is_refused() -> None:
    with pytest.raises(OptionError, match="`engine` must be one of local, ray, but got 'slurm'"):
        Search(space="tiny", engine="slurm")  # type: ignore[arg-type]  # wrong on purpose


class Lacking(Assembly):
    """The parts of a search on a cluster without what is asked of it."""

    @property
    def slots(self) -> Slots:
        raise OptionError("no node of the Ray cluster has a GPU.")


def test_what_the_cluster_lacks_is_said_before_a_study_is_begun(tmp_path: Path) -> None:
    search = Search(space="tiny", trials=2, out=tmp_path, evaluator=Arithmetic(), engine="ray")
    with pytest.raises(OptionError, match="no node of the Ray cluster has a GPU"):
        run_search(Lacking(search), ignore, ignore)
    assert not search.folder.exists


@pytest.mark.xdist_group("ray")
@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize(
    ("asked", "on_gpu"),
    [
        ({"device": "cpu"}, False),
        ({"device": "cuda", "trials_per_gpu": 3}, True),
        ({"device": "auto"}, True),
        ({"device": "cuda", "evaluator": Arithmetic()}, True),
        ({"device": "auto", "evaluator": Arithmetic()}, False),
    ],
)
def test_training_on_cuda_takes_the_gpus_of_the_cluster(
    asked: dict[str, Any], on_gpu: bool
) -> None:
    search = Search(space="tiny", engine="ray", **asked)
    gpus = (0, 1) * asked.get("trials_per_gpu", 1)
    assert CudaAssembly(search).slots.gpus == (gpus if on_gpu else ())


@pytest.mark.xdist_group("ray")
@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_search_on_ray_ends_with_its_results_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
) -> None:
    import ray

    monkeypatch.setenv("RAY_ADDRESS", ray.get_runtime_context().gcs_address)
    asked = ("--space", "tiny", "--trials", 500, "--epochs", 1, "--engine", "ray", "-j", 1)
    with started("search", *asked, "--threads", 1, "-v", "--out", tmp_path) as process:
        said = read_until(process, "; 1/500 trials")
        process.send_signal(number)
        assert process.stderr is not None
        said += process.stderr.read()
        assert process.wait(60) == code, said
    assert "Traceback" not in said
    assert "Stopped; results so far are in" in said
    study = read_study(tmp_path / "tiny-digits")
    assert study.ranked
    assert not any(trial.failure for trial in study.trials)
    assert (study.folder / "report.html").exists()
