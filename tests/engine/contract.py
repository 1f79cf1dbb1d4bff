"""What every engine must do; a subclass says how to make one."""

import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from time import time
from typing import Any

import pytest

from neptune_nas.architecture.records import Architecture, Stage
from neptune_nas.engine.engine import Call, Engine, Result
from neptune_nas.errors import ArchitectureError, NeptuneError
from neptune_nas.evaluators.evaluator import Evaluator
from neptune_nas.interrupts import ctrl_c_held
from neptune_nas.metrics.score import Score
from tests.engine import evaluators
from tests.engine.evaluators import (
    Dies,
    Echo,
    Forgets,
    Hangs,
    HasChild,
    Interrupts,
    Meets,
    OddError,
    Raises,
    RaisesOdd,
)

Setup = Callable[[], object]


def call(number: int, width: int = 8) -> Call:
    return Call(number, Architecture(stages=(Stage(width=width),)), fidelity=1, seed=number)


def results(engine: Engine, calls: Iterable[Call]) -> dict[int, Result]:
    """Submit all, wait for all."""
    for each in calls:
        engine.submit(each)
    found: list[Result] = []
    while engine.pending:
        found += engine.wait()
    assert len(found) == len({result.call.id for result in found})
    return {result.call.id: result for result in found}


class EngineContract(ABC):
    @abstractmethod
    def make(
        self,
        evaluator: Evaluator,
        *,
        jobs: int = 2,
        trial_timeout: float | None = None,
        setup: Setup | None = None,
    ) -> Engine:
        """Return the engine under test."""

    def how_killed(self, number: int) -> str:
        """How the engine says that a signal ended a worker."""
        return f"signal {number}"

    def test_every_call_yields_its_own_score_once(self) -> None:
        with self.make(Echo()) as engine:
            found = results(engine, [call(i, width=8 + i) for i in range(20)])
        assert {i: (r.score.main, r.score.values["loss"]) for i, r in found.items()} == {
            i: (i / 1000, 8 + i) for i in range(20)
        }

    def test_what_a_function_defines_is_of_one_class_in_a_worker(self) -> None:
        @dataclass(frozen=True)
        class Local:
            size: int

        @dataclass(frozen=True)
        class Knows:
            like: Local

            def __call__(self, architecture: Any, fidelity: int, seed: int) -> Score:
                known = isinstance(architecture, Local) + (architecture == self.like)
                return Score(fidelity, {"accuracy": known / 2, "loss": 0.0}, seed)

        calls = [Call(i, Local(size), 1, 0) for i, size in enumerate((3, 3, 4))]
        with self.make(Knows(Local(3)), jobs=1) as engine:
            found = results(engine, calls)
        assert [found[i].score.main for i in range(3)] == [1.0, 1.0, 0.5]
        assert all(type(found[i].call.architecture) is Local for i in range(3))

    def test_a_result_holds_the_call_it_answers(self) -> None:
        with self.make(Echo()) as engine:
            assert results(engine, [call(3)])[3].call == call(3)

    def test_calls_are_pending_until_their_result_is_handed_out(self) -> None:
        with self.make(Echo(), jobs=1) as engine:
            engine.submit(call(0))
            engine.submit(call(1))
            assert engine.pending == {0, 1}
            first = engine.wait()
            assert engine.pending == {0, 1} - {result.call.id for result in first}

    def test_waiting_for_nothing_returns_at_once(self) -> None:
        with self.make(Echo()) as engine:
            assert engine.wait() == []

    @pytest.mark.usefixtures("ctrl_c_raises")
    def test_waiting_ends_at_a_ctrl_c_that_is_held_back(self) -> None:
        came: list[Result] = []
        with self.make(Interrupts(os.getpid()), jobs=1, trial_timeout=60.0) as engine:

            def wait() -> None:
                with ctrl_c_held():
                    engine.submit(call(0))
                    came.extend(engine.wait())

            with pytest.raises(KeyboardInterrupt, match=r"^$"):
                wait()
        assert came == []

    def test_waiting_ends_at_its_timeout_with_the_call_still_pending(self, tmp_path: Path) -> None:
        with self.make(Hangs(tmp_path)) as engine:
            engine.submit(call(1))
            assert engine.wait(timeout=0.01) == []
            assert engine.pending == {1}

    def test_as_many_calls_run_at_once_as_there_are_slots(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "fifo")
        with self.make(Meets(tmp_path / "fifo"), jobs=2) as engine:
            assert engine.slots == 2
            assert len(results(engine, [call(0), call(1)])) == 2

    def test_an_id_can_be_used_again_once_its_call_has_ended(self) -> None:
        with self.make(Echo()) as engine:
            first = results(engine, [call(1)])[1]
            second = results(engine, [replace(call(1), fidelity=3)])[1]
        assert (first.score.fidelity, second.score.fidelity) == (1, 3)

    def test_the_score_says_where_when_and_how_long(self) -> None:
        with self.make(Echo(), jobs=1) as engine:
            score = results(engine, [call(1)])[1].score
        assert score.worker == 0
        assert score.started > 1.7e9
        assert 0 < score.seconds < 60

    def test_the_score_has_the_fidelity_and_seed_of_its_call(self) -> None:
        with self.make(Forgets(), jobs=1) as engine:
            score = results(engine, [replace(call(5), fidelity=3)])[5].score
        assert (score.fidelity, score.seed) == (3, 5)

    def test_when_a_call_began_is_by_the_clock_of_who_made_it(self) -> None:
        before = time()
        with self.make(Forgets(), jobs=1) as engine:
            score = results(engine, [call(5)])[5].score
        assert before <= score.started <= time()

    def test_seconds_that_the_evaluator_measured_are_kept(self) -> None:
        with self.make(Echo(seconds=12.5)) as engine:
            assert results(engine, [call(1)])[1].score.seconds == 12.5

    def test_an_exception_is_a_failed_score_and_the_others_go_on(self) -> None:
        with self.make(Raises(ZeroDivisionError("no images"))) as engine:
            found = results(engine, map(call, range(6)))
        failures = [found[i].score.failure for i in range(6)]
        assert failures == [None, "ZeroDivisionError: no images"] * 3

    @pytest.mark.parametrize("error", [SystemExit("no GPU here"), KeyboardInterrupt("no more")])
    def test_what_would_end_a_worker_is_said_and_the_worker_goes_on(
        self, error: BaseException
    ) -> None:
        with self.make(Raises(error), jobs=1) as engine:
            found = results(engine, map(call, range(4)))
            assert engine.usage.deaths == 0
        failures = [found[i].score.failure for i in range(4)]
        assert failures == [None, f"{type(error).__name__}: {error}"] * 2

    def test_a_users_mistake_is_raised_by_wait(self) -> None:
        with self.make(Raises(ArchitectureError("`kernel` must be odd."))) as engine:
            engine.submit(call(1))
            with pytest.raises(ArchitectureError, match=r"^`kernel` must be odd\.$"):
                engine.wait()
            assert engine.pending == frozenset()

    @pytest.mark.parametrize(("calls", "kept"), [(3, [0, 2]), (8, [0, 2, 4, 6])])
    def test_users_mistakes_cost_no_other_result_and_each_is_raised(
        self, calls: int, kept: list[int]
    ) -> None:
        found, mistakes = [], 0
        with self.make(Raises(ArchitectureError("odd"))) as engine:
            for each in map(call, range(calls)):
                engine.submit(each)
            while engine.pending:
                try:
                    found += engine.wait()
                except ArchitectureError:
                    mistakes += 1
        assert sorted(result.call.id for result in found) == kept
        assert mistakes == calls - len(kept)

    def test_an_evaluator_may_start_processes_of_its_own(self) -> None:
        with self.make(HasChild(), jobs=1) as engine:
            assert results(engine, [call(0)])[0].score.values["loss"] == 7

    def test_a_users_mistake_that_cannot_be_pickled_keeps_its_message(self) -> None:
        with self.make(RaisesOdd()) as engine:
            engine.submit(call(1))
            with pytest.raises(NeptuneError, match=r"^`kernel` must be odd\.$") as caught:
                engine.wait()
        assert not isinstance(caught.value, OddError)

    def test_a_worker_that_dies_once_costs_nothing_but_a_retry(self, tmp_path: Path) -> None:
        with self.make(Dies(tmp_path, times=1)) as engine:
            found = results(engine, map(call, range(6)))
            assert engine.usage.deaths == 3
        assert [found[i].score.main for i in range(6)] == [i / 1000 for i in range(6)]

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
    def test_a_call_whose_worker_dies_twice_fails_alone(self, tmp_path: Path, number: int) -> None:
        with self.make(Dies(tmp_path, times=2, signal=number)) as engine:
            found = results(engine, map(call, range(4)))
            assert engine.usage.deaths == 4
        assert [found[i].score.ok for i in range(4)] == [True, False, True, False]
        failure = found[1].score.failure or ""
        assert f"worker died twice ({self.how_killed(int(number))}" in failure
        assert "memory" not in failure or number == signal.SIGKILL

    def test_a_call_that_hangs_fails_without_a_retry(self, tmp_path: Path) -> None:
        with self.make(Hangs(tmp_path), jobs=1, trial_timeout=0.2) as engine:
            found = results(engine, map(call, range(3)))
            assert engine.usage.timeouts == 1
            assert engine.usage.deaths == 0
        assert [found[i].score.ok for i in range(3)] == [True, False, True]
        assert "longer than the 0.2 s that `trial_timeout` allows" in (found[1].score.failure or "")
        assert len(list(tmp_path.iterdir())) == 1

    def test_busy_seconds_are_counted_for_each_slot(self) -> None:
        with self.make(Echo(), jobs=2) as engine:
            assert engine.usage.busy == (0.0, 0.0)
            results(engine, map(call, range(10)))
        assert len(engine.usage.busy) == len(engine.usage.cpu) == 2
        assert 0 < sum(engine.usage.busy) < 60

    def test_a_call_that_was_ended_counts_as_busy_until_then(self, tmp_path: Path) -> None:
        with self.make(Hangs(tmp_path), jobs=1, trial_timeout=0.2) as engine:
            results(engine, [call(1)])
        assert engine.usage.busy[0] >= 0.2

    def test_setup_that_finds_a_users_mistake_is_raised_by_wait(self) -> None:
        with self.make(Echo(), setup=evaluators.refuse) as engine:
            engine.submit(call(1))
            with pytest.raises(ArchitectureError, match=r"no `SPACE` in my_space\.py"):
                engine.wait()

    def test_closing_ends_running_calls_and_may_be_done_twice(self, tmp_path: Path) -> None:
        engine = self.make(Hangs(tmp_path))
        engine.submit(call(1))
        engine.wait(timeout=0)
        engine.close()
        engine.close()
        assert engine.pending == frozenset()
