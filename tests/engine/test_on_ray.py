import builtins
import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep
from types import SimpleNamespace
from typing import Any

import pytest
import ray

from neptune_nas.engine import on_ray
from neptune_nas.engine.engine import Engine
from neptune_nas.engine.on_ray import Home, RayEngine, connected, slots_on
from neptune_nas.engine.plan import Slots
from neptune_nas.errors import NeptuneError, OptionError
from neptune_nas.evaluate.evaluator import Evaluator
from tests.engine.contract import EngineContract, Setup, call, results
from tests.engine.evaluators import Echo, Placed, Reports

ROOT = Path(__file__).parents[2]
CORES = 4  # of the cluster, which has 2 GPUs too

pytestmark = [pytest.mark.xdist_group("ray"), pytest.mark.usefixtures("ray_cluster")]


class TestRayEngine(EngineContract):
    def make(
        self,
        evaluator: Evaluator,
        *,
        jobs: int = 2,
        trial_timeout: float | None = None,
        setup: Setup | None = None,
    ) -> Engine:
        return RayEngine(evaluator, Slots(jobs, 1), trial_timeout=trial_timeout, setup=setup)

    def how_killed(self, number: int) -> str:
        """Ray does not know which signal it was."""
        assert number
        return "Worker unexpectedly exits with a connection error code 2. End of file"


def test_each_worker_has_the_threads_it_was_given() -> None:
    with RayEngine(Placed(), Slots(1, 3)) as engine:
        assert results(engine, [call(0)])[0].score.loss == 3


def test_an_evaluator_runs_on_the_gpu_that_ray_shows_it() -> None:
    with RayEngine(Placed(device="cuda:7"), Slots(1, 1, gpus=(5,))) as engine:
        assert results(engine, [call(0)])[0].score.accuracy == 0.0


def test_all_gpus_are_dealt_and_each_as_often_as_is_asked() -> None:
    assert slots_on(None, None, on_gpu=True) == Slots(2, threads_of(2), (0, 1))
    assert slots_on(None, None, on_gpu=True, per_gpu=2) == Slots(4, threads_of(4), (0, 1, 0, 1))


def threads_of(jobs: int) -> int:
    """The share of the cores, unless the machine that runs the tests says fewer."""
    return min(CORES // jobs, int(os.environ.get("OMP_NUM_THREADS") or CORES))


def test_without_a_gpu_a_cluster_is_shared_out_by_its_cores() -> None:
    assert slots_on(None, None, on_gpu=False) == Slots(CORES, 1)
    assert slots_on(2, None, on_gpu=False) == Slots(2, threads_of(2))
    assert slots_on(9, 2, on_gpu=False) == Slots(9, 2)


def test_what_no_node_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match="`threads` must be at most 4 on Ray, but got 5"):
        slots_on(1, 5, on_gpu=False)
    with pytest.raises(OptionError, match="`trials_per_gpu` must be for training on CUDA, but got"):
        slots_on(None, None, on_gpu=False, per_gpu=2)
    bare = SimpleNamespace(nodes=lambda: [{"Alive": True, "Resources": {"CPU": 2.0}}])
    monkeypatch.setattr(on_ray, "connected", lambda: bare)
    with pytest.raises(OptionError, match="no node of the Ray cluster has a GPU: give `device`"):
        slots_on(None, None, on_gpu=True)


def test_threads_are_no_more_than_a_node_has_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    nodes = [{"Alive": alive, "Resources": {"CPU": 3.0}} for alive in (True, True, False)]
    monkeypatch.setattr(on_ray, "connected", lambda: SimpleNamespace(nodes=lambda: nodes))
    assert slots_on(1, None, on_gpu=False) == Slots(1, 3)


def test_an_idle_worker_that_dies_is_replaced() -> None:
    with RayEngine(Reports(), Slots(1, 1)) as engine:
        first = int(results(engine, [call(0)])[0].score.loss)
        os.kill(first, signal.SIGKILL)
        assert int(results(engine, [call(1)])[1].score.loss) != first
        assert engine.usage.deaths == 1


def test_a_folder_that_a_node_lacks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = Home(str(tmp_path / "gone"), ())
    monkeypatch.setattr(Home, "here", lambda: gone)
    with RayEngine(Echo(), Slots(1, 1)) as engine:
        engine.submit(call(0))
        with pytest.raises(NeptuneError, match=r"has no folder .*gone, in which the search runs"):
            engine.wait()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for a worker says so at once."""
    monkeypatch.setattr(on_ray, "PATIENCE", 0.0)


@pytest.mark.usefixtures("impatient")
def test_a_full_cluster_is_said_and_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    with RayEngine(Echo(), Slots(1, CORES)) as first, RayEngine(Echo(), Slots(1, 1)) as second:
        results(first, [call(0)])
        second.submit(call(1))
        assert second.wait(timeout=0.5) == []
        assert "waiting for the Ray cluster to have room" in caplog.text
        first.close()
        assert [result.call.id for result in second.wait()] == [1]


@pytest.mark.usefixtures("impatient")
def test_a_cluster_that_is_gone_ends_the_search_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with RayEngine(Echo(), Slots(1, CORES)) as first, RayEngine(Echo(), Slots(1, 1)) as second:
        results(first, [call(0)])
        monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": False}])
        second.submit(call(1))
        with pytest.raises(NeptuneError, match="Ray cluster has no node any more: start it again"):
            second.wait()


def test_ray_that_is_not_installed_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "ray":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(NeptuneError, match=r"needs Ray: pip install 'neptune-nas\[ray\]'"):
        connected()


def test_ray_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise ConnectionError("nobody at 192.0.2.1:6379")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(NeptuneError, match=r"Ray cannot be used \(ConnectionError: nobody at 192"):
        connected()


COORDINATOR = """
from pathlib import Path
from neptune_nas.engine.on_ray import RayEngine
from neptune_nas.engine.plan import Slots
from tests.engine.contract import call
from tests.engine.evaluators import Hangs

if __name__ == "__main__":
    with RayEngine(Hangs(Path("begun")), Slots(1, 1)) as engine:
        engine.submit(call(1))
        engine.wait()
"""


def test_no_worker_outlives_a_coordinator_that_is_killed(tmp_path: Path) -> None:
    script, begun = tmp_path / "coordinator.py", tmp_path / "begun"
    script.write_text(COORDINATOR)
    begun.mkdir()
    address = ray.get_runtime_context().gcs_address
    env = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_ADDRESS": address}
    with subprocess.Popen([sys.executable, str(script)], cwd=tmp_path, env=env) as process:
        while not (found := list(begun.iterdir())):
            assert process.poll() is None
            sleep(0.1)
        process.kill()
    worker = int(found[0].name.partition("-")[2])  # the cluster is the tests' own, and lives on
    until = monotonic() + 60
    while runs(worker):
        assert monotonic() < until
        sleep(0.1)


def runs(process: int) -> bool:
    """Whether a process is there."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
