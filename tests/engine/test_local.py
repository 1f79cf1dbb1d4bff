import logging
import multiprocessing
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic, sleep
from types import SimpleNamespace

import pytest
import torch

from neptune_nas.architecture.records import Architecture, Stage
from neptune_nas.engine import local
from neptune_nas.engine.engine import Call, Engine
from neptune_nas.engine.local import LocalEngine
from neptune_nas.engine.plan import WorkerPlan
from neptune_nas.engine.process import WorkerProcess
from neptune_nas.errors import ArchitectureError, NeptuneError, OptionError
from neptune_nas.evaluators.evaluator import Evaluator
from tests.engine import evaluators
from tests.engine.contract import EngineContract, Setup, call, results
from tests.engine.evaluators import (
    Echo,
    Hangs,
    KillsParent,
    LeavesChild,
    Placed,
    Quits,
    Raises,
)
from tests.engine.user_code import load_user_module

ROOT = Path(__file__).parents[2]


def workers() -> list[int]:
    return [child.pid for child in multiprocessing.active_children() if child.pid]


class TestLocalEngine(EngineContract):
    def make(
        self,
        evaluator: Evaluator,
        *,
        jobs: int = 2,
        trial_timeout: float | None = None,
        setup: Setup | None = None,
    ) -> Engine:
        return LocalEngine(evaluator, jobs=jobs, trial_timeout=trial_timeout, setup=setup)


def all_at_once(sources: Iterable[Connection | int], _: float | None) -> list[Connection]:
    """Wait until every worker has replied."""
    connections = [source for source in sources if isinstance(source, Connection)]
    for each in connections:
        each.poll(None)
    return connections


def test_what_has_finished_is_handed_out_before_a_mistake_is_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local, "connection", SimpleNamespace(wait=all_at_once))
    with LocalEngine(Raises(ArchitectureError("odd")), jobs=2) as engine:
        for each in (call(1), call(0)):
            engine.submit(each)
        assert [result.call.id for result in engine.wait()] == [0]
        assert engine.pending == {1}
        with pytest.raises(ArchitectureError, match="odd"):
            engine.wait()
        assert engine.pending == frozenset()


def test_workers_start_when_first_needed_and_no_more_than_needed() -> None:
    with LocalEngine(Echo(), jobs=3) as engine:
        assert workers() == []
        results(engine, [call(0)])
        assert len(workers()) == 1


def test_a_worker_is_kept_from_call_to_call() -> None:
    with LocalEngine(Echo(), jobs=1) as engine:
        results(engine, [call(0)])
        before = workers()
        results(engine, [call(1)])
        assert workers() == before != []


def test_closing_leaves_no_worker(tmp_path: Path) -> None:
    with LocalEngine(Hangs(tmp_path), jobs=2) as engine:
        engine.submit(call(1))
        engine.wait(timeout=0)
        assert workers() != []
    assert workers() == []


def test_an_idle_worker_that_dies_is_replaced() -> None:
    with LocalEngine(Echo(), jobs=1) as engine:
        results(engine, [call(0)])
        (worker,) = multiprocessing.active_children()
        worker.kill()
        select.select([worker.sentinel], [], [])
        assert results(engine, [call(1)])[1].score.ok
        assert engine.usage.deaths == 1


def test_workers_that_die_at_their_start_end_the_search_with_a_sentence() -> None:
    with LocalEngine(Echo(), jobs=2, setup=evaluators.die) as engine:
        engine.submit(call(0))
        with pytest.raises(NeptuneError, match=r"died 5 times in a row .*\(exit code 3\)"):
            engine.wait()


@pytest.mark.parametrize("code", [0, 3])
def test_a_worker_that_its_call_ends_is_not_said_to_lack_memory(code: int) -> None:
    with LocalEngine(Quits(code), jobs=1) as engine:
        failure = results(engine, [call(1)])[1].score.failure or ""
    assert failure.startswith(f"worker died twice (exit code {code}): the code that it ran ended")
    assert "memory" not in failure


def test_a_setup_that_exits_says_why() -> None:
    with LocalEngine(Echo(), jobs=1, setup=evaluators.leave) as engine:
        engine.submit(call(0))
        with pytest.raises(NeptuneError, match=r"could not load .*\(SystemExit: no GPU here\)"):
            engine.wait()


def test_a_setup_that_breaks_down_is_the_users_to_mend() -> None:
    with LocalEngine(Echo(), jobs=1, setup=evaluators.break_down) as engine:
        engine.submit(call(0))
        with pytest.raises(NeptuneError, match=r"could not load .*\(LookupError: nothing there"):
            engine.wait()


def test_each_worker_has_the_threads_it_was_given() -> None:
    with LocalEngine(Placed(), jobs=1, threads=3) as engine:
        assert results(engine, [call(0)])[0].score.values["loss"] == 3


def test_an_evaluator_runs_on_the_gpu_of_its_worker() -> None:
    with LocalEngine(Placed(), gpus=(5,)) as engine:
        assert results(engine, [call(0)])[0].score.main == 0.05


def test_gpus_change_nothing_for_an_evaluator_without_a_device() -> None:
    with LocalEngine(Echo(), gpus=(0,)) as engine:
        assert engine.slots == 1
        assert results(engine, [call(0)])[0].score.ok


def test_where_an_exception_came_from_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.DEBUG, "neptune_nas.engine.pool"),
        LocalEngine(Raises(ValueError("odd")), jobs=1) as engine,
    ):
        results(engine, [call(1)])
    assert re.search(r"evaluators\.py.*in __call__", caplog.text)


def test_a_worker_whose_accelerator_is_lost_is_replaced() -> None:
    with LocalEngine(Raises(torch.AcceleratorError("illegal access")), jobs=1) as engine:
        results(engine, [call(0)])
        before = workers()
        assert "illegal access" in (results(engine, [call(1)])[1].score.failure or "")
        results(engine, [call(2)])
        assert set(workers()).isdisjoint(before)


def test_setup_makes_a_users_own_classes_known_to_the_workers(tmp_path: Path) -> None:
    path = tmp_path / "space_of_this_test.py"
    path.write_text(
        "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Mine:\n    gain: int\n"
    )
    setup = partial(load_user_module, path)
    mine = setup().Mine(gain=2)
    architecture = Architecture(stages=(Stage(width=8, substages=(mine,)),))
    with LocalEngine(Echo(), jobs=1, setup=setup) as engine:
        found = results(engine, [Call(0, architecture, 1, 0)])
    assert found[0].score.ok


def test_a_users_own_class_that_no_worker_knows_is_named(tmp_path: Path) -> None:
    path = tmp_path / "unknown_space.py"
    path.write_text(
        "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Mine:\n    pass\n"
    )
    mine = load_user_module(path).Mine()
    architecture = Architecture(stages=(Stage(width=8, substages=(mine,)),))
    with LocalEngine(Echo(), jobs=1) as engine:
        engine.submit(Call(0, architecture, 1, 0))
        with pytest.raises(NeptuneError, match=r"could not load an architecture .*unknown_space"):
            engine.wait()


def test_an_id_that_is_pending_is_our_own_bug(tmp_path: Path) -> None:
    with LocalEngine(Hangs(tmp_path), jobs=1) as engine:
        engine.submit(call(1))
        with pytest.raises(AssertionError, match="call 1 is pending already"):
            engine.submit(call(1))


def test_a_trial_timeout_of_zero_is_refused() -> None:
    with pytest.raises(OptionError, match="`trial_timeout` must be a number above 0, but got 0"):
        LocalEngine(Echo(), trial_timeout=0)


def test_a_fork_server_that_is_killed_costs_a_retry(tmp_path: Path) -> None:
    with LocalEngine(KillsParent(tmp_path), jobs=2) as engine:
        found = results(engine, [call(1), call(2)])
    assert found[1].score.ok
    assert found[2].score.ok


class OneByOne(LocalEngine):
    """Hears of one death at a time."""

    def _with_news(self, workers: Sequence[WorkerProcess], seconds: float) -> list[WorkerProcess]:
        return super()._with_news(workers, seconds)[:1]


def test_the_retry_does_not_go_to_an_idle_worker_of_the_same_fork_server(tmp_path: Path) -> None:
    with OneByOne(KillsParent(tmp_path), jobs=2) as engine:
        results(engine, [call(2), call(4)])  # now both workers are idle
        assert results(engine, [call(1)])[1].score.ok


def test_idle_workers_that_ended_with_their_fork_server_are_replaced(tmp_path: Path) -> None:
    with LocalEngine(KillsParent(tmp_path), jobs=2) as engine:
        results(engine, [call(2), call(4)])
        found = workers()
        parent = {int(Path(f"/proc/{each}/stat").read_text().split()[3]) for each in found}
        for process in (*parent, *found):
            os.kill(process, signal.SIGKILL)
            wait_until_ended(process)
        assert results(engine, [call(6)])[6].score.ok


def wait_until_ended(process: int) -> None:
    """Wait until a process has ended, whether anybody has waited for it or not."""
    until = monotonic() + 60
    file = Path(f"/proc/{process}/stat")
    with suppress(FileNotFoundError, ProcessLookupError):
        while file.read_text().rpartition(")")[2].split()[0] != "Z":
            assert monotonic() < until
            sleep(0.05)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system lists no processes")
def test_what_a_dead_worker_had_started_ends_too(tmp_path: Path) -> None:
    with LocalEngine(LeavesChild(tmp_path), jobs=1) as engine:
        found = results(engine, [call(1)])
    assert "worker died twice" in (found[1].score.failure or "")
    left = [int(file.name) for file in tmp_path.iterdir()]
    assert len(left) == 2
    for each in left:
        wait_until_ended(each)


@dataclass
class Reaped:
    """A process that was waited for, and whose id another one has by now."""

    pid: int
    exitcode: int = -9
    sentinel: int = 0

    def kill(self) -> None:
        """Do nothing, as `multiprocessing` does."""

    join = close = kill


def test_a_process_that_got_the_id_of_a_dead_worker_is_left_alone() -> None:
    ours, theirs = multiprocessing.Pipe()
    theirs.close()
    plan = WorkerPlan(0, 1, None, b"", b"")
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as other:
        ended = WorkerProcess(plan, Reaped(other.pid), ours).end()  # type: ignore[arg-type]  # a fake
        assert other.poll() is None
        sleep(0.2)
        assert other.poll() is None
        other.kill()
    assert ended.how.startswith("signal 9")


COORDINATOR = """
from neptune_nas.engine.local import LocalEngine
from tests.engine.contract import call
from tests.engine.evaluators import Announces

if __name__ == "__main__":
    with LocalEngine(Announces(), jobs=2) as engine:
        for number in range(3):
            engine.submit(call(number))
        engine.wait()
"""


def heed_ctrl_c() -> None:
    """Restore SIGINT, which a background job of a shell ignores, and its children with it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start_coordinator(folder: Path) -> subprocess.Popen[str]:
    """Return a search with two workers that never ends, in a session of its own."""
    script = folder / "coordinator.py"
    script.write_text(COORDINATOR)
    return subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_ctrl_c,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def wait_until_busy(process: subprocess.Popen[str]) -> None:
    """Read what each of its two workers prints when it begins its call."""
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == ["busy\n"] * 2


def test_no_process_outlives_a_coordinator_that_is_killed(tmp_path: Path) -> None:
    with start_coordinator(tmp_path) as process:
        wait_until_busy(process)
        process.kill()
        # Every process of the tree holds these pipes: they end when the last one does.
        assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == -signal.SIGKILL


def test_ctrl_c_ends_all_and_no_worker_prints_a_word(tmp_path: Path) -> None:
    with start_coordinator(tmp_path) as process:
        wait_until_busy(process)
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert output == ""
    assert errors.count("Traceback") == 1
    assert errors.rstrip().endswith("KeyboardInterrupt")
