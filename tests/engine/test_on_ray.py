import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from socket import socket
from time import monotonic, sleep
from types import SimpleNamespace
from typing import Any

import pytest
import ray

from neptune_nas.engine import on_ray
from neptune_nas.engine.engine import Engine
from neptune_nas.engine.on_ray import RayEngine, SearchFolder, cause, connected_ray, slots_on
from neptune_nas.engine.plan import Slots
from neptune_nas.errors import NeptuneError, OptionError
from neptune_nas.evaluators.evaluator import Evaluator
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
        assert results(engine, [call(0)])[0].score.values["loss"] == 3


def test_an_evaluator_runs_on_the_gpu_that_ray_shows_it() -> None:
    with RayEngine(Placed(device="cuda:7"), Slots(1, 1, gpus=(5,))) as engine:
        assert results(engine, [call(0)])[0].score.main == 0.0


def test_all_gpus_are_dealt_and_each_as_often_as_is_asked() -> None:
    assert slots_on(None, None, on_gpu=True) == Slots(2, threads_of(2), (0, 1))
    assert slots_on(None, None, on_gpu=True, per_gpu=2) == Slots(4, threads_of(4), (0, 1, 0, 1))


def threads_of(jobs: int) -> int:
    """Return the share of the cores, unless the machine that runs the tests says fewer."""
    return min(CORES // jobs, int(os.environ.get("OMP_NUM_THREADS") or CORES))


def test_without_a_gpu_a_cluster_is_shared_out_by_its_cores() -> None:
    assert slots_on(None, None, on_gpu=False) == Slots(CORES, 1)
    assert slots_on(2, None, on_gpu=False) == Slots(2, threads_of(2))
    assert slots_on(9, 2, on_gpu=False) == Slots(9, 2)
    assert slots_on(None, 2, on_gpu=False) == Slots(2, 2)


@pytest.fixture
def has(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets the cluster have nodes with such resources, and one that is gone."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    def have(*nodes: dict[str, float]) -> None:
        all_nodes = [{"Alive": True, "Resources": node} for node in nodes]
        gone = {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}}
        listed = SimpleNamespace(is_initialized=lambda: True, nodes=lambda: [*all_nodes, gone])
        monkeypatch.setitem(sys.modules, "ray", listed)

    return have


def test_what_no_node_has_is_refused(has: Callable[..., None]) -> None:
    with pytest.raises(OptionError, match="`threads` must be at most 4 on Ray, but got 5"):
        slots_on(1, 5, on_gpu=False)
    with pytest.raises(OptionError, match="`trials_per_gpu` needs CUDA to train on: leave it"):
        slots_on(None, None, on_gpu=False, per_gpu=2)
    has({"CPU": 2.0})
    with pytest.raises(OptionError, match="no node of the Ray cluster has a GPU: set `device`"):
        slots_on(None, None, on_gpu=True)
    has({"GPU": 2.0})
    with pytest.raises(OptionError, match="no node of the Ray cluster has a core to offer: add"):
        slots_on(None, None, on_gpu=False)


@pytest.mark.parametrize(("jobs", "threads"), [(None, 1), (1, 3), (2, 3), (3, 1), (7, 1)])
def test_threads_are_no_more_than_let_all_jobs_fit_on_the_nodes(
    jobs: int | None, threads: int, has: Callable[..., None]
) -> None:
    has({"CPU": 3.0}, {"CPU": 3.0})
    assert slots_on(jobs, None, on_gpu=False) == Slots(jobs or 6, threads)


def test_more_workers_than_fit_are_said(
    has: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    has({"CPU": 3.0}, {"CPU": 3.0})
    assert slots_on(3, 2, on_gpu=False) == Slots(3, 2)
    assert caplog.messages == ["the Ray cluster has room for 2 of 3 workers."]
    assert slots_on(2, 2, on_gpu=False) == Slots(2, 2)
    assert len(caplog.messages) == 1


def test_cores_of_a_node_without_a_gpu_are_no_share_of_those_on_gpus(
    has: Callable[..., None],
) -> None:
    has({"CPU": 64.0}, {"CPU": 8.0, "GPU": 4.0})
    assert slots_on(None, None, on_gpu=True) == Slots(4, 2, (0, 1, 2, 3))
    with pytest.raises(OptionError, match="`threads` must be at most 8 on Ray, but got 9"):
        slots_on(None, 9, on_gpu=True)


def test_the_node_with_the_fewest_cores_a_gpu_decides(has: Callable[..., None]) -> None:
    has({"CPU": 32.0, "GPU": 1.0}, {"CPU": 4.0, "GPU": 2.0})
    assert slots_on(None, None, on_gpu=True) == Slots(3, 2, (0, 1, 2))
    assert slots_on(None, None, on_gpu=True, per_gpu=3).jobs == 3 + 4  # as cores let


def test_an_idle_worker_that_dies_is_replaced() -> None:
    with RayEngine(Reports(), Slots(1, 1)) as engine:
        first = int(results(engine, [call(0)])[0].score.values["loss"])
        os.kill(first, signal.SIGKILL)
        assert int(results(engine, [call(1)])[1].score.values["loss"]) != first
        assert engine.usage.deaths == 1


class Absent(on_ray.RayStation):
    """A site that a node cannot make."""

    def __init__(self, *_: object) -> None:
        raise ModuleNotFoundError("No module named 'neptune_nas'")


def test_what_keeps_workers_from_their_start_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_ray, "RayStation", Absent)
    with RayEngine(Echo(), Slots(1, 1)) as engine:
        engine.submit(call(0))
        why = r"its first call \(ModuleNotFoundError: No module .*\): .* is in Ray's logs\.$"
        with pytest.raises(NeptuneError, match=why):
            engine.wait()


def test_of_what_ray_says_the_cause_is_told() -> None:
    message = (
        "The actor died unexpectedly before finishing this task.\n\tclass_name: Site\n"
        "The actor died because its node has died. Node Id: 0a0808\n"
        "\tthe actor's node was terminated expectedly: received SIGTERM"
    )
    assert cause(message) == "the actor's node was terminated expectedly: received SIGTERM"


def test_a_folder_that_a_node_lacks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = SearchFolder(str(tmp_path / "gone"), ())
    monkeypatch.setattr(SearchFolder, "here", lambda: gone)
    with RayEngine(Echo(), Slots(1, 1)) as engine:
        engine.submit(call(0))
        with pytest.raises(NeptuneError, match=r"has no folder .*gone, where the search runs"):
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
        gone = SimpleNamespace(**{**vars(ray), "nodes": lambda: [{"Alive": False}]})
        monkeypatch.setitem(sys.modules, "ray", gone)
        second.submit(call(1))
        with pytest.raises(NeptuneError, match="Ray cluster has no nodes left: restart it"):
            second.wait()


def test_ray_that_is_not_installed_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as where there is none
    with pytest.raises(NeptuneError, match=r"needs Ray: pip install 'neptune-nas\[ray\]'"):
        connected_ray()


Begin = Callable[[Callable[..., None]], None]


@pytest.fixture
def begins(monkeypatch: pytest.MonkeyPatch) -> Begin:
    """Take what Ray, which is not connected, does when it is begun."""

    def begin(init: Callable[..., None]) -> None:
        fresh = SimpleNamespace(is_initialized=lambda: False, init=init)
        monkeypatch.setitem(sys.modules, "ray", fresh)

    return begin


def refuse(**_: Any) -> None:
    raise ConnectionError("nobody at 192.0.2.1:6379")


def test_ray_that_does_not_answer_is_said(begins: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    begins(refuse)
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    with pytest.raises(NeptuneError, match=r"Ray cannot be used \(ConnectionError: nobody at 192"):
        connected_ray()


@pytest.fixture
def dead() -> str:
    """Return an address at which nothing listens."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def test_a_named_cluster_that_does_not_answer_is_refused_at_once(
    dead: str, begins: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    begins(refuse)
    monkeypatch.setenv("RAY_ADDRESS", dead)
    with pytest.raises(NeptuneError, match=rf"no Ray cluster answers at {dead} .*set RAY_ADDRESS"):
        connected_ray()


def test_a_cluster_that_was_here_and_is_gone_is_refused_at_once(
    dead: str, begins: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = tmp_path / "ray" / "ray_current_cluster"
    noted.parent.mkdir()
    noted.write_text(dead)
    begins(refuse)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    with pytest.raises(
        NeptuneError, match=r"answers at .*start it again, or end it with `ray stop"
    ):
        connected_ray()


@pytest.mark.parametrize("address", ["auto", "local", "ray://127.0.0.1:1", ""])
def test_what_only_ray_knows_is_left_to_it(
    address: str, begins: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[object] = []
    begins(lambda **how: begun.append(how))
    monkeypatch.setenv("RAY_ADDRESS", address)
    monkeypatch.setenv("RAY_TMPDIR", "/nowhere")
    connected_ray()
    assert len(begun) == 1


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
