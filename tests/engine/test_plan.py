import pickle
from threading import Lock

import pytest

from neptune_nas.architecture.records import Architecture
from neptune_nas.devices.processor import usable_cores
from neptune_nas.engine.plan import Slots, make_plans, pickle_value, preloads, share_out
from neptune_nas.errors import NeptuneError, OptionError
from neptune_nas.evaluators.short_training import ShortTraining
from neptune_nas.evaluators.zero_cost import ZeroCost
from neptune_nas.metrics.score import Score
from tests.engine.evaluators import Echo


def test_gpus_are_dealt_to_the_workers_in_turn() -> None:
    plans = make_plans(Echo(), None, Slots(jobs=3, threads=1, gpus=(4, 5)))
    assert [plan.device for plan in plans] == ["cuda:4", "cuda:5", "cuda:4"]


def test_without_gpus_an_evaluator_keeps_its_device() -> None:
    assert [plan.device for plan in make_plans(Echo(), None, Slots(2, 1))] == [None, None]


def test_workers_are_numbered_from_zero() -> None:
    assert [plan.index for plan in make_plans(Echo(), None, Slots(3, 1))] == [0, 1, 2]


def test_a_plan_holds_the_pickled_evaluator() -> None:
    (plan,) = make_plans(Echo(2.0), None, Slots(1, 1))
    assert pickle.loads(plan.evaluator) == Echo(2.0)


def test_by_default_each_core_has_a_job_of_one_thread() -> None:
    assert share_out(None, None, ()) == Slots(usable_cores(), 1)


def test_by_default_each_gpu_has_a_job() -> None:
    assert share_out(None, 1, (0, 1, 2)).jobs == 3


def test_one_job_has_all_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert share_out(1, None, ()).threads == usable_cores()


def test_no_more_threads_are_taken_unasked_than_the_environment_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert share_out(1, None, ()).threads == 1
    assert share_out(1, 3, ()).threads == 3


def test_what_the_environment_says_is_ignored_where_it_is_no_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4,2")
    assert share_out(1, None, ()).threads == usable_cores()


def test_more_jobs_than_cores_have_a_thread_each() -> None:
    assert share_out(1000, None, ()).threads == 1


def test_the_packages_own_evaluator_is_imported_before_the_fork() -> None:
    assert preloads(ZeroCost("synflow")) == ("neptune_nas.evaluators.zero_cost",)


def test_what_training_imports_is_imported_before_the_fork() -> None:
    assert preloads(ShortTraining()) == ("neptune_nas.evaluators.short_training", "torch._dynamo")


def test_a_users_evaluator_is_not_imported_before_the_fork() -> None:
    assert preloads(Echo()) == ()


def test_an_evaluator_that_cannot_be_pickled_is_refused() -> None:
    lock = Lock()

    def local(architecture: Architecture, fidelity: int, seed: int) -> Score:
        with lock:
            return Echo()(architecture, fidelity, seed)

    with pytest.raises(
        NeptuneError, match=r"the evaluator must be picklable .* '_thread.lock' .*: keep locks, "
    ):
        make_plans(local, None, Slots(1, 1))


def test_a_setup_that_cannot_be_pickled_is_refused() -> None:
    with pytest.raises(NeptuneError, match="the setup must be picklable"):
        make_plans(Echo(), Lock().acquire, Slots(1, 1))


def test_what_a_function_defines_is_pickled_by_value_and_what_a_module_defines_by_name() -> None:
    assert pickle.loads(pickle_value(lambda: 5, "setup"))() == 5
    assert len(pickle_value(Echo(), "evaluator")) < 200


def test_zero_jobs_are_refused() -> None:
    with pytest.raises(OptionError, match="`jobs` must be a whole number of at least 1, but got 0"):
        share_out(0, None, ())


def test_zero_threads_are_refused() -> None:
    with pytest.raises(
        OptionError,
        match="`threads` must be a whole number of at least 1 and below 1025, but got 0",
    ):
        share_out(None, 0, ())


def test_a_negative_gpu_is_refused() -> None:
    with pytest.raises(
        OptionError, match=r"`gpus` must be a tuple of whole .* at least 0, but got \(0, -1\)"
    ):
        share_out(None, None, (0, -1))
