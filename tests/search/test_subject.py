from dataclasses import replace
from random import Random

import pytest
from neptune_nas.search.subject import Subject

from neptune_nas.errors import OptionError, OwnCodeError
from neptune_nas.samplers.problem import SpaceExhaustedError
from neptune_nas.search import subject as subject_module
from neptune_nas.search.proposals import Proposer
from neptune_nas.study.settings import Question
from tests.study.builders import SPACE, question, subject_of


def test_a_space_that_nothing_of_keeps_the_constraints_has_no_facts() -> None:
    with pytest.raises(OptionError, match="none of 1,000 random architectures meets flops < 1"):
        subject_of(question(constraints=("flops<1",))).facts()


def test_facts_are_of_the_space_the_images_and_the_device() -> None:
    facts = subject_of(question(constraints=("flops<=1M",))).facts()
    assert facts.space_fingerprint == SPACE.fingerprint
    assert (facts.data_fingerprint, facts.device) == ("abc", "cpu")
    assert facts.reference == (0.1, 1e6)


@pytest.mark.parametrize(
    "asked", [{"objectives": ("accuracy", "latency")}, {"constraints": ("latency<=9s",)}]
)
def test_latency_is_measured_where_it_is_asked_about(asked: dict[str, tuple[str, ...]]) -> None:
    assert subject_of(question(**asked)).costs.measure(SPACE[0])["latency"] > 0
    assert "latency" not in subject_of(question()).costs.measure(SPACE[0])


TIMED = {"objectives": ("accuracy", "latency"), "constraints": ("latency<=30",)}


def test_facts_say_what_latencies_are() -> None:
    assert subject_of(question()).facts().timed == {}
    asked = question(**TIMED)
    assert subject_of(asked).facts().timed == {"latency": "processor time of one thread"}
    assert tabled(asked).facts().timed == {"latency": "as the table says"}


def tabled(asked: Question) -> Subject:
    """A subject whose ground knows latencies: the wider the first Stage, the higher."""
    subject = subject_of(asked)
    widths = {"latency": lambda one: one.stages[0].width}
    return replace(subject, task=replace(subject.task, timed=widths))


def test_a_latency_that_is_known_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject_module, "TIMERS", {"latency": lambda *_: pytest.fail("measured")})
    subject = tabled(question(objectives=("accuracy", "latency"), constraints=("latency<=16",)))
    latencies = {subject.costs.value("latency", architecture) for architecture in SPACE}
    assert latencies == {8, 16, 24}
    assert subject.surveyed.samples == 1_000
    points = subject.problem.points
    assert points is not None
    assert {one.stages[0].width for one in points.values()} == {8, 16}
    free = tabled(question(objectives=("accuracy", "latency")))
    assert free.facts().reference == (0.1, 24)


def test_what_takes_long_is_timing_networks_for_a_limit_on_latency() -> None:
    assert "Timing up to 50 random" in subject_of(question(**TIMED)).takes_long
    assert subject_of(question(objectives=("accuracy", "latency"))).takes_long == ""
    assert tabled(question(**TIMED)).takes_long == ""


def test_only_limits_on_a_latency_that_must_be_measured_wait_for_a_proposal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured = []

    def clock(*_: object) -> float:
        measured.append(9.0)
        return measured[-1]

    monkeypatch.setattr(subject_module, "TIMERS", {"latency": clock})
    subject = subject_of(question(constraints=("latency<=8", "params<=5k")))
    fits = {subject.problem.fits(architecture) for architecture in SPACE}
    assert (fits, measured) == ({True, False}, [])
    assert not any(map(subject.problem.admits, SPACE))
    assert len(measured) == sum(map(subject.problem.fits, SPACE))


def test_a_sampler_is_asked_what_keeps_the_constraints_and_refuses_unknown_options() -> None:
    subject = subject_of(question(constraints=("params<=1",), sampler_kwargs={"n": 1}))
    assert not subject.problem.admits(SPACE[0])
    with pytest.raises(OptionError, match="sampler 'auto' has no option `n`"):
        subject.sampler()


def test_a_sampler_is_tried_by_asking_it_once() -> None:
    subject = subject_of(question(sampler="gp", sampler_kwargs={"n_startup_trials": "ten"}))
    with pytest.raises(OwnCodeError, match="sampler 'gp' failed: TypeError"):
        subject.try_sampler()


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_only_samplers_that_may_fail_are_asked_to_try_them(
    sampler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(Proposer, "propose", lambda _: asked.append(sampler))
    subject_of(question(sampler=sampler)).try_sampler()
    assert bool(asked) is (sampler == "tpe")


def test_a_space_without_anything_to_try_is_no_fault_of_the_sampler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subject_module, "TIMERS", {"latency": lambda *_: 9.0})
    subject = subject_of(question(sampler="tpe", constraints=("latency<=8",)))
    subject.try_sampler()
    with pytest.raises(SpaceExhaustedError, match="loosen the constraints"):
        subject.problem.random({}, Random(0))


def test_what_is_remembered_of_costs_is_remembered_once() -> None:
    subject = subject_of(question())
    assert subject.costs is subject.costs
    assert subject.surveyed is subject.surveyed
