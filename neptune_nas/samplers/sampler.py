"""The one Optuna sampler behind every strategy: it proposes whole architectures."""

from random import Random
from typing import Any, Generic, Protocol, TypeVar

from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from neptune_nas.samplers.history import History, Reader
from neptune_nas.samplers.problem import Problem
from neptune_nas.space import Decision

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Strategy(Protocol[T_co]):
    """Proposes the next architecture: `(history, rng) -> architecture`.

    A pure function: a feasible architecture of the space that `history.seen` does not name, the
    same for the same arguments (what it keeps between calls only saves time). Where none is left
    it raises `SpaceExhaustedError`.
    """

    def __call__(self, history: History[Any], rng: Random, /) -> T_co:
        """The architecture to evaluate next."""


class SpaceSampler(BaseSampler, Generic[T]):
    """An Optuna sampler that asks a strategy; `space.suggest(trial)` reads its proposals back.

    What it proposes depends on the seed, the trial's number and the other trials alone, so a
    search that is stopped goes on as if it had not been. Intermediate values are read as the
    accuracy or loss at that fidelity (at 0 a proxy's); a user attribute that bears the name of
    another objective, such as a latency, as what is known of it while the trial still runs.
    """

    def __init__(self, problem: Problem[T], strategy: Strategy[T]) -> None:
        self.problem, self.strategy = problem, strategy
        self.reader = Reader(problem)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The distributions of the proposal's picks; none for a trial that was enqueued."""
        if "fixed_params" in trial.system_attrs:
            return {}
        rng = Random(f"{self.problem.seed}/{trial.number}")
        proposal = self.strategy(self.reader.read(study, trial), rng)
        self.reader.note(study, trial, proposal)
        decisions = {d.path: d for d in self.problem.space.decisions}
        return {path: distribution(decisions[path]) for path in self.problem.space.picks(proposal)}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The proposal's picks."""
        if not search_space:
            return {}
        return self.problem.space.picks(self.reader.proposal(study, trial))

    def sample_independent(
        self,
        study: Study,  # noqa: ARG002  # Optuna's signature
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Any pick, uniformly: for what an enqueued trial leaves open."""
        rng = Random(f"{self.problem.seed}/{trial.number}/{param_name}")
        if isinstance(param_distribution, CategoricalDistribution):
            return rng.choice(param_distribution.choices)
        assert isinstance(param_distribution, IntDistribution)
        d = param_distribution
        return rng.randrange(d.low, d.high + 1, d.step)


def distribution(decision: Decision) -> BaseDistribution:
    """How Optuna describes an open field: the same as `Space.suggest` does."""
    options = decision.options
    if isinstance(options, range):
        return IntDistribution(options[0], options[-1], step=options.step)
    return CategoricalDistribution(tuple(options))
