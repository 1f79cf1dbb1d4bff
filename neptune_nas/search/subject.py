"""What a question is asked of: a space on some images, looked at as they are now."""

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random
from typing import Any

from optuna.samplers import BaseSampler

from neptune_nas.devices.mode import Modes
from neptune_nas.metrics.constraints import COUNTED, MEASURED, Survey, survey
from neptune_nas.metrics.timed import processor_time
from neptune_nas.nn.builder import build
from neptune_nas.samplers.factory import OURS, make_sampler
from neptune_nas.samplers.problem import Problem, SpaceExhaustedError
from neptune_nas.search.costs import Gauge
from neptune_nas.search.ground import Ground
from neptune_nas.search.proposals import Proposer
from neptune_nas.search.provenance import facts_of
from neptune_nas.search.reference_point import reference_point
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
    ground: Ground
    device: str
    modes: Modes | None = None

    @cached_property
    def gauge(self) -> Gauge:
        """What architectures cost on the task's images."""
        clock = (self.ground.latency or self._clock) if self.latency else None
        return Gauge(self.ground.costs, self.question.limits, clock)

    @property
    def latency(self) -> str | None:
        """What latencies are, in words; None where the question is not about any."""
        if "latency" not in self.question.costs:
            return None
        return TABLES_OWN if self.ground.latency else PROCESSOR_TIME

    @property
    def is_timed(self) -> bool:
        """Whether latency has to be measured."""
        return self.latency == PROCESSOR_TIME

    @property
    def takes_long(self) -> str:
        """What is measured before there are facts, in a sentence; empty where nothing is."""
        if not (self.is_timed and self.gauge.timed):
            return ""
        return f"Timing up to {MEASURED} random networks, to see how many keep the latency limit."

    @cached_property
    def surveyed(self) -> Survey[Any]:
        """How much of the space can be built for the task's images and keeps the constraints."""
        rng = Random(self.question.seed)
        samples = None if self.is_timed else COUNTED
        return survey(self.space, self.gauge.value, self.question.limits, rng, samples)

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
            cost=self.gauge.exact,
            feasible=self.gauge.fits if self.is_timed else self.gauge.feasible,
            seed=self.question.seed,
            keeps=self.gauge.is_quick if self.is_timed else None,
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
        turned = directions(self.question.objectives)
        with suppress(SpaceExhaustedError):  # which only ends a search
            Proposer(self.problem, sampler, turned).propose()

    def facts(self) -> Facts:
        """What a study is to remember of the space and the images.

        Raises `OptionError` where no architecture keeps the constraints.
        """
        self.surveyed.require_example()
        asked = self.question.objectives, self.question.limits
        cost_of, chance = self.gauge.value_if_any, self.ground.chance
        corner = reference_point(self.space, *asked, cost_of, chance, is_timed=self.is_timed)
        facts = facts_of(self.space, self.ground, corner, self.device, self.modes)
        return replace(facts, latency=self.latency)

    def _clock(self, architecture: Any) -> float:
        network = build(architecture, self.ground.input_shape, self.ground.classes, seed=0)
        return processor_time(network, self.ground.input_shape)
