"""What a question is asked of: a space on some images, looked at as they are now."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from random import Random
from typing import Any

from optuna.samplers import BaseSampler

from neptune_nas.devices.mode import Modes
from neptune_nas.metrics.constraints import COUNTED, MEASURED, Survey, survey
from neptune_nas.metrics.registry import TIMED
from neptune_nas.metrics.timed import TIMERS
from neptune_nas.nn.builder import build
from neptune_nas.samplers.factory import OURS, make_sampler
from neptune_nas.samplers.problem import Problem, SpaceExhaustedError
from neptune_nas.search.costs import Costs
from neptune_nas.search.proposals import Proposer
from neptune_nas.search.provenance import facts_of
from neptune_nas.search.reference_point import reference_point
from neptune_nas.search.task import Task
from neptune_nas.space import Space
from neptune_nas.study.objectives import directions
from neptune_nas.study.settings import PROCESSOR_TIME, TABLES_OWN, Facts, Question


@dataclass(frozen=True)
class Subject:
    """A question, the space that it names, and what that is measured on.

    `device`: what networks are trained on, as the facts are to say, and `modes` how; None where
    nothing is. What follows from these is worked out when it is first asked for, and once.
    """

    question: Question
    space: Space[Any]
    task: Task
    device: str
    modes: Modes | None = None

    @cached_property
    def costs(self) -> Costs:
        """What architectures cost on the task's images."""
        names = self.question.costs
        clocks = {name: self._clock(name) for name in self.timed}
        return Costs(self.task.costs, names, self.question.limits, clocks)

    @property
    def timed(self) -> dict[str, str]:
        """How each timed metric that the question is about is timed, in words, by its name."""
        return {
            each.name: TABLES_OWN if each.name in self.task.timed else PROCESSOR_TIME
            for each in TIMED
            if each.name in self.question.costs
        }

    @property
    def is_timed(self) -> bool:
        """Whether anything has to be timed here."""
        return PROCESSOR_TIME in self.timed.values()

    @property
    def takes_long(self) -> str:
        """What is measured before there are facts, in a sentence; empty where nothing is."""
        if not (self.is_timed and self.costs.timed):
            return ""
        return f"Timing up to {MEASURED} random networks, to see how many keep the latency limit."

    @cached_property
    def surveyed(self) -> Survey[Any]:
        """How much of the space can be built for the task's images and keeps the constraints."""
        rng = Random(self.question.seed)
        samples = None if self.is_timed else COUNTED
        return survey(self.space, self.costs.value, self.question.limits, rng, samples)

    @property
    def left_out(self) -> str:
        """That networks without a cost are left out, and why one has none; empty for none."""
        if not (why := self.surveyed.unbuildable):
            return ""
        return f"What cannot be built, or has no cost, is left out; of one such network: {why}."

    @cached_property
    def problem(self) -> Problem[Any]:
        """What a sampler is asked."""
        return Problem(
            self.space,
            self.question.objectives,
            cost=self.costs.counted,
            feasible=self.costs.fits if self.is_timed else self.costs.feasible,
            seed=self.question.seed,
            keeps=self.costs.is_quick if self.is_timed else None,
        )

    def sampler(self) -> BaseSampler:
        """A new sampler; raises `OptionError` for an unknown one or an option that it refuses."""
        return make_sampler(self.question.sampler, self.problem, self.question.sampler_kwargs)

    def try_sampler(self) -> None:
        """Make a sampler and ask it once, to know what it fails with before a study is begun.

        Ours with their usual options are not asked: they do not fail, and `auto` takes seconds.
        """
        sampler = self.sampler()
        if self.question.sampler in OURS and not self.question.sampler_kwargs:
            return
        turned = directions(self.question.aims)
        with suppress(SpaceExhaustedError):  # which only ends a search
            Proposer(self.problem, sampler, turned).propose()

    def facts(self) -> Facts:
        """What a study is to remember of the space and the images.

        Raises `OptionError` where no architecture keeps the constraints.
        """
        self.surveyed.require_example()
        corner = reference_point(
            self.space,
            self.question,
            self.costs.value_if_any,
            self.task.guess,
            is_timed=self.is_timed,
        )
        facts = facts_of(self.space, self.task, corner, self.device, self.modes)
        return replace(facts, timed=self.timed)

    def _clock(self, name: str) -> Callable[[Any], float]:
        return self.task.timed.get(name) or partial(self._time, name)

    def _time(self, name: str, architecture: Any) -> float:
        network = build(architecture, self.task.input_shape, self.task.classes, seed=0)
        return TIMERS[name](network, self.task.input_shape)
