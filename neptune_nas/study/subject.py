"""What a question is asked of: a space on some images, looked at as they are now."""

from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

from optuna.samplers import BaseSampler

from neptune_nas.build import build
from neptune_nas.constraints import Survey, survey
from neptune_nas.latency import measure_latency
from neptune_nas.samplers.factory import make_sampler
from neptune_nas.samplers.problem import Problem
from neptune_nas.space import Space
from neptune_nas.study.gauge import Gauge
from neptune_nas.study.reference_point import reference_point
from neptune_nas.study.session import facts_of
from neptune_nas.study.settings import Facts, Question
from neptune_nas.study.task import Task
from neptune_nas.training.mode import Modes


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
    def gauge(self) -> Gauge:
        """What architectures cost on the task's images."""
        clock = self._clock if "latency" in self.question.costs else None
        return Gauge(self.task.costs, self.question.limits, clock)

    @cached_property
    def surveyed(self) -> Survey[Any]:
        """How much of the space can be built for the task's images and keeps the constraints."""
        rng = Random(self.question.seed)
        return survey(self.space, self.gauge.value, self.question.limits, rng)

    @cached_property
    def problem(self) -> Problem[Any]:
        """What a sampler is asked."""
        return Problem(
            self.space,
            self.question.objectives,
            cost=self.gauge.exact,
            feasible=self.gauge.feasible,
            seed=self.question.seed,
        )

    def sampler(self) -> BaseSampler:
        """A new sampler; raises `OptionError` for an unknown one or an option that it refuses."""
        return make_sampler(self.question.sampler, self.problem, self.question.sampler_kwargs)

    def facts(self) -> Facts:
        """What a study is to remember of the space and the images.

        Raises `OptionError` where no architecture keeps the constraints.
        """
        self.surveyed.require_example()
        guess = self.task.classes, self.task.chance
        asked = self.question.objectives, self.question.limits
        corner = reference_point(self.space, *asked, self.gauge.value_if_any, guess)
        return facts_of(self.space, self.task, corner, self.device, self.modes)

    def _clock(self, architecture: Any) -> float:
        network = build(architecture, self.task.input_shape, self.task.classes, seed=0)
        return measure_latency(network, self.task.input_shape).median
