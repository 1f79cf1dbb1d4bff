"""The parts of a search: what it finds, what it asks of a sampler, and where its study lies."""

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
from optuna.samplers import BaseSampler, RandomSampler

from neptune_nas.devices.numerics import Numerics
from neptune_nas.engine.plan import Slots
from neptune_nas.errors import OptionError, OwnCodeError, StudyError
from neptune_nas.samplers.problem import SpaceExhaustedError
from neptune_nas.search.assembly import Assembly
from neptune_nas.search.config import Search
from neptune_nas.search.proposals import Proposer
from neptune_nas.search.provenance import write_if_new
from neptune_nas.study.database_url import sqlite_url
from neptune_nas.study.objectives import directions
from neptune_nas.study.settings import Settings
from tests.data.folders import write_classes
from tests.study.builders import SPACE, few_search
from tests.study.fakes import Arithmetic, CudaAssembly, OnBench, TimedAssembly


def parts(**asked: Any) -> Assembly:
    return few_search(**asked).assembly


def test_a_space_that_nothing_of_keeps_the_constraints_has_no_facts() -> None:
    with pytest.raises(OptionError, match="none of 1,000 random architectures meets flops < 1"):
        parts(constraints=("flops<1",)).facts()


def test_a_hopeless_limit_is_refused_with_the_size_of_the_images(tmp_path: Path) -> None:
    write_classes(tmp_path / "pictures")
    data = f"folder:{tmp_path / 'pictures'}@12"
    with pytest.raises(
        OptionError,
        match=r"the smallest seen on images of 12x12 pixels: flops [\d,]+; loosen the constraints "
        r"or take another space, or make the images smaller with @6 after the folder's name\.$",
    ):
        parts(constraints=("flops<1",), data=data, evaluator=None).facts()
    with pytest.raises(OptionError, match=r"on images of 8x8 pixels: .* another space\.$"):
        parts(constraints=("flops<1",)).facts()


def test_facts_are_of_the_space_the_images_and_the_device() -> None:
    facts = parts(constraints=("flops<=1M",)).facts()
    assert facts.space_fingerprint == SPACE.fingerprint
    assert (facts.data_fingerprint, facts.device) == ("abc", "cpu")
    assert facts.reference == (0.1, 1e6)


@pytest.mark.parametrize(
    "asked", [{"objectives": ("accuracy", "latency")}, {"constraints": ("latency<=9s",)}]
)
def test_latency_is_measured_where_it_is_asked_about(asked: dict[str, tuple[str, ...]]) -> None:
    assert parts(**asked).costs.measure(SPACE[0])["latency"] > 0
    assert "latency" not in parts().costs.measure(SPACE[0])


TIMED = {"objectives": ("accuracy", "latency"), "constraints": ("latency<=30",)}


def test_facts_say_what_latencies_are() -> None:
    assert parts().facts().timed == {}
    assert parts(**TIMED).facts().timed == {"latency": "processor time of one thread"}
    assert by_table(**TIMED).facts().timed == {"latency": "as the table says"}


def by_table(**asked: Any) -> Assembly:
    """Return the same, but the evaluator knows latencies: the wider the first Stage, the higher."""
    return parts(evaluator=OnBench(clocks={"latency": lambda one: one.stages[0].width}), **asked)


def test_a_latency_that_is_known_is_not_measured() -> None:
    asked = {"objectives": ("accuracy", "latency"), "constraints": ("latency<=16",)}
    known = by_table(**asked)
    latencies = {known.costs.value("latency", architecture) for architecture in SPACE}
    assert latencies == {8, 16, 24}
    assert known.survey.samples == 1_000
    points = known.problem.points
    assert points is not None
    assert {one.stages[0].width for one in points.values()} == {8, 16}
    free = by_table(objectives=("accuracy", "latency"))
    assert free.facts().reference == (0.1, 24)


def test_what_takes_long_is_timing_networks_for_a_limit_on_latency() -> None:
    assert "Timing up to 50 random" in parts(**TIMED).slow_start
    assert parts(objectives=("accuracy", "latency")).slow_start == ""
    assert by_table(**TIMED).slow_start == ""


def test_a_limit_on_what_is_counted_on_whole_networks_takes_long_too() -> None:
    assert parts(objectives=("accuracy", "peak_memory")).slow_start == ""
    found = parts(constraints=("peak_memory<=1MB",)).slow_start
    assert found == (
        "Counting up to 50 random networks, to see how many meet the peak memory limit."
    )


def test_a_limit_on_peak_memory_waits_for_a_proposal_too() -> None:
    made = parts(constraints=("peak_memory<=1",))
    assert made.problem.fits(SPACE[0])
    assert not made.problem.admits(SPACE[0])
    assert "peak_memory" not in made.problem.costs(SPACE[0])
    aimed = parts(objectives=("accuracy", "peak_memory"), constraints=("peak_memory<=1",))
    assert aimed.problem.costs(SPACE[0])["peak_memory"] > 1


def test_a_sampler_knows_which_objectives_have_a_limit() -> None:
    assert parts().problem.limited == frozenset()
    limits = ("flops<=10M", "activations<=9k")
    assert parts(constraints=limits).problem.limited == {"flops"}


def test_a_rare_limit_is_met_by_every_proposal() -> None:
    made = parts(space="cifar10", constraints=("flops<=100k",), seed=3)
    assert made.survey.is_rare
    assert made.problem.rare == made.survey.require_example()
    proposer = Proposer(made.problem, made.sampler(), directions(made.search.question.aims))
    proposed = [proposer.propose().architecture for _ in range(3)]
    assert max(made.costs.value("flops", one) for one in proposed) <= 100_000
    assert len({*proposed}) == 3


def test_a_limit_that_many_meet_needs_no_walks() -> None:
    assert parts(space="cifar10", constraints=("flops<=10M",)).problem.rare is None


def test_only_limits_on_a_latency_that_must_be_measured_wait_for_a_proposal() -> None:
    measured = []

    def clock(_: object) -> float:
        measured.append(9.0)
        return measured[-1]

    slow = TimedAssembly(few_search(constraints=("latency<=8", "params<=5k")), clock)
    fits = {slow.problem.fits(architecture) for architecture in SPACE}
    assert (fits, measured) == ({True, False}, [])
    assert not any(map(slow.problem.admits, SPACE))
    assert len(measured) == sum(map(slow.problem.fits, SPACE))


def test_a_sampler_is_asked_what_keeps_the_constraints_and_refuses_unknown_options() -> None:
    made = parts(constraints=("params<=1",), sampler_kwargs={"n": 1})
    assert not made.problem.admits(SPACE[0])
    with pytest.raises(OptionError, match="sampler 'auto' has no option `n`"):
        made.sampler()


def test_a_sampler_is_tried_by_asking_it_once() -> None:
    made = parts(sampler="gp", sampler_kwargs={"n_startup_trials": "ten"})
    with pytest.raises(OwnCodeError, match="sampler 'gp' failed: TypeError"):
        made.try_sampler()


class Overheard(RandomSampler):
    """Notes that it was asked."""

    def __init__(self) -> None:
        super().__init__(seed=0)
        self.asked = 0

    def infer_relative_search_space(self, *args: Any) -> Any:
        self.asked += 1
        return super().infer_relative_search_space(*args)


@dataclass(frozen=True)
class Listening(Assembly):
    """The parts of a search with a sampler that is overheard."""

    overheard: Overheard

    def sampler(self) -> BaseSampler:
        return self.overheard


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_only_samplers_that_may_fail_are_asked_to_try_them(sampler: str) -> None:
    overheard = Overheard()
    Listening(few_search(sampler=sampler), overheard).try_sampler()
    assert bool(overheard.asked) is (sampler == "tpe")


def test_a_space_without_anything_to_try_is_no_fault_of_the_sampler() -> None:
    search = few_search(sampler="tpe", constraints=("latency<=8",))
    slow = TimedAssembly(search, lambda _: 9.0)
    slow.try_sampler()
    with pytest.raises(SpaceExhaustedError, match="loosen the constraints"):
        slow.problem.random({}, Random(0))


def test_what_is_remembered_of_costs_is_remembered_once() -> None:
    made = parts()
    assert made.costs is made.costs
    assert made.survey is made.survey


def settings_of(made: Assembly) -> Settings:
    return made.settings(made.facts())


def test_looking_at_the_places_of_a_new_study_makes_neither(tmp_path: Path) -> None:
    new = few_search(tmp_path / "new").assembly
    new.check_places(settings_of(new))
    assert list(tmp_path.iterdir()) == []


def test_a_study_is_opened_where_it_was_begun(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "elsewhere.db")
    first = few_search(tmp_path / "a", storage=url)
    found = settings_of(first.assembly)
    first.assembly.open_store(found)
    write_if_new(first.folder, found)
    other = few_search(tmp_path / "b", storage=url, seed=1).assembly
    with pytest.raises(StudyError, match="holds another study 'few-digits'"):
        other.check_places(settings_of(other))
    again = few_search(tmp_path / "a").assembly
    assert again.open_store(settings_of(again)).trials() == ()
    assert not first.folder.database.exists()


def test_a_study_whose_database_is_gone_is_not_begun_anew(tmp_path: Path) -> None:
    made = few_search(tmp_path).assembly
    found = settings_of(made)
    write_if_new(made.search.folder, found)
    for use in (made.check_places, made.open_store):
        with pytest.raises(StudyError, match=r"study\.db is missing"):
            use(found)


def tiny(**asked: Any) -> Search:
    return Search(space="tiny", data="digits", **asked)


def slots(**asked: Any) -> Slots:
    """How the search shares out a machine with two GPUs."""
    return CudaAssembly(tiny(**asked)).slots


def test_each_gpu_has_a_worker() -> None:
    found = slots(gpus=(0, 1))
    assert found.jobs == 2
    assert found.gpus == (0, 1)


def test_training_on_cuda_with_no_gpu_named_is_on_the_first() -> None:
    assert slots(device="cuda").gpus == (0,)
    assert slots(device="auto").gpus == (0,)
    assert slots(device="cpu").gpus == ()


def test_the_number_that_is_asked_for_is_taken() -> None:
    found = slots(gpus=(0, 1), trials_per_gpu=3)
    assert found.jobs == 6
    assert found.gpus == (0, 1, 0, 1, 0, 1)
    assert slots(device="cuda", trials_per_gpu=2).gpus == (0, 0)
    assert slots(gpus=(0, 1), jobs=3).gpus == (0, 1)


def test_an_evaluator_of_the_users_own_takes_the_gpus_that_are_named() -> None:
    assert slots(gpus=(0, 1), evaluator=Arithmetic()).gpus == (0, 1)
    assert slots(device="cuda", evaluator=Arithmetic()).gpus == ()


def test_how_many_share_a_gpu_changes_nothing_of_what_a_study_keeps() -> None:
    numerics = Numerics("fp32")  # which the GPUs, being none, cannot be asked for
    two, shared = (
        tiny(gpus=(0, 1), numerics=numerics),
        tiny(gpus=(0,), trials_per_gpu=4, numerics=numerics),
    )
    assert two.question == shared.question
    parts = CudaAssembly(two)
    assert parts.settings(parts.facts()).question == shared.question


def test_a_gpu_that_is_not_there_is_named() -> None:
    with pytest.raises(OptionError, match="GPU 99 does not exist"):
        tiny(gpus=(99,), trials_per_gpu=2).assembly.slots  # noqa: B018  # a property that looks


def test_several_trials_a_gpu_need_one() -> None:
    with pytest.raises(OptionError, match="`trials_per_gpu` needs `gpus`, such as 0,1, or CUDA"):
        tiny(device="cpu", trials_per_gpu=2).assembly.slots  # noqa: B018  # a property that looks


def test_several_trials_a_gpu_and_jobs_exclude_each_other() -> None:
    with pytest.raises(OptionError, match="`jobs` and `trials_per_gpu` exclude each other"):
        tiny(gpus=(0,), jobs=2, trials_per_gpu=2)
