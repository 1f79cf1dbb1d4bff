"""What every sampler of ours promises, as tests that each of them inherits."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from neptune_nas.architecture.codec import key
from neptune_nas.architecture.records import Architecture
from neptune_nas.samplers.factory import make_sampler
from neptune_nas.samplers.problem import Problem, SpaceExhaustedError
from neptune_nas.samplers.sampler import SpaceSampler
from tests.samplers.helpers import NESTED, SMALL, accuracy, cost, make_study, step

OBJECTIVES = ("accuracy", "flops")
Found = list[Architecture]


def is_light(architecture: Architecture) -> bool:
    return cost(architecture)["params"] < 60_000


def is_thin(architecture: Architecture) -> bool:
    return cost(architecture)["params"] < 2_000


def problem(
    space: object = NESTED, *, seed: int = 0, kinds: int = 2, constrained: bool = False
) -> Problem[Architecture]:
    return Problem(
        space,  # type: ignore[arg-type]  # either space of the helpers
        OBJECTIVES[:kinds],
        cost,
        is_light if constrained else None,
        seed=seed,
    )


class SamplerContract:
    """Inherit it, name the class `Test...`, and say which sampler it is."""

    name = ""
    options: ClassVar[Mapping[str, Any]] = {}

    def make(self, asked: Problem[Architecture]) -> SpaceSampler[Architecture]:
        sampler = make_sampler(self.name, asked, self.options)
        assert isinstance(sampler, SpaceSampler)
        return sampler

    def run(self, asked: Problem[Architecture], count: int) -> tuple[optuna.Study, Found]:
        study = make_study(self.make(asked), len(asked.objectives))
        return study, [step(study, asked.space) for _ in range(count)]

    def test_all_proposals_lie_in_the_space_and_none_comes_twice(self) -> None:
        _, found = self.run(problem(), 40)
        assert all(architecture in NESTED for architecture in found)
        assert len({key(architecture) for architecture in found}) == 40

    def test_a_single_objective_is_searched_too(self) -> None:
        _, found = self.run(problem(kinds=1), 30)
        assert len({key(architecture) for architecture in found}) == 30

    def test_constraints_are_kept_before_training(self) -> None:
        _, found = self.run(problem(constrained=True), 30)
        assert all(map(is_light, found))

    def test_limits_on_what_must_be_measured_are_kept(self) -> None:
        for space in (NESTED, SMALL):
            asked = replace(problem(space), keeps=is_light if space is NESTED else is_thin)
            _, found = self.run(asked, 30 if space is NESTED else 10)
            assert all(map(asked.admits, found))

    def test_equal_seeds_propose_alike_and_others_do_not(self) -> None:
        first, again, other = (self.run(problem(seed=seed), 25)[1] for seed in (1, 1, 2))
        assert first == again
        assert first != other

    def test_parallel_asks_do_not_collapse(self) -> None:
        study, found = self.run(problem(), 24)
        found += [NESTED.suggest(study.ask()) for _ in range(6)]
        assert len({key(architecture) for architecture in found}) == 30

    def test_a_search_goes_on_after_a_restart_as_if_it_had_not_stopped(self) -> None:
        study, found = self.run(problem(), 22)
        stopped = make_study(self.make(problem()))
        stopped.add_trials(study.trials[:19])
        resumed = [step(stopped, NESTED) for _ in range(3)]
        assert resumed == found[19:]

    def test_an_exhausted_space_ends_the_search_with_a_reason(self) -> None:
        names = {key(SMALL[i]) for i in range(SMALL.size)}
        study, found = self.run(problem(SMALL), len(names))
        assert {key(architecture) for architecture in found} == names
        with pytest.raises(SpaceExhaustedError, match="space 'small' is exhausted"):
            step(study, SMALL)

    def test_constraints_that_nothing_keeps_end_the_search_at_once(self) -> None:
        nothing = Problem(SMALL, OBJECTIVES, cost, feasible=lambda _: False)
        with pytest.raises(SpaceExhaustedError, match="loosen the constraints"):
            step(make_study(self.make(nothing)), SMALL)

    def test_failed_trials_are_not_tried_again(self) -> None:
        study = make_study(self.make(problem(SMALL)))
        found = [step(study, SMALL, fail=i % 2 == 0) for i in range(30)]
        assert len({key(architecture) for architecture in found}) == 30

    def test_a_search_of_failures_alone_goes_on(self) -> None:
        study = make_study(self.make(problem()))
        found = [step(study, NESTED, fail=True) for _ in range(25)]
        assert len({key(architecture) for architecture in found}) == 25

    def test_pruned_trials_count_as_seen_and_teach_what_they_can(self) -> None:
        study, found = self.run(problem(), 20)
        for _ in range(8):
            trial = study.ask()
            found.append(NESTED.suggest(trial))
            score = accuracy(found[-1])
            pruned = create_trial(
                state=TrialState.PRUNED,
                params=trial.params,
                distributions=trial.distributions,
                intermediate_values={1: score - 0.1},
            )
            study.tell(trial, state=TrialState.FAIL)
            study.add_trial(pruned)
        assert len({key(architecture) for architecture in found}) == 28

    def test_measured_constraints_are_no_obstacle(self) -> None:
        study = make_study(self.make(problem()))
        found = []
        for _ in range(30):
            trial = study.ask()
            found.append(NESTED.suggest(trial))
            trial.set_constraint("latency", cost(found[-1])["flops"] / 1e5 - 1)
            study.tell(trial, [accuracy(found[-1]), cost(found[-1])["flops"]])
        assert len({key(architecture) for architecture in found}) == 30

    def test_an_enqueued_trial_gets_what_was_asked_for(self) -> None:
        wanted = NESTED[12_345]
        study = make_study(self.make(problem()))
        study.enqueue_trial(NESTED.picks(wanted))
        assert step(study, NESTED) == wanted

    def test_what_an_enqueued_trial_leaves_open_is_drawn(self) -> None:
        study = make_study(self.make(problem()))
        study.enqueue_trial({"stem.width": 16})
        assert step(study, NESTED).stem.width == 16

    def test_trials_of_another_space_are_ignored(self) -> None:
        other, _ = self.run(problem(SMALL), 15)
        study = make_study(self.make(problem()))
        study.add_trials(other.trials)
        found = [step(study, NESTED) for _ in range(15)]
        assert all(architecture in NESTED for architecture in found)
