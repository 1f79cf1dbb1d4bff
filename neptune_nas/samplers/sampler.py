"""The one Optuna sampler behind every strategy, which proposes whole architectures."""

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

    It is a pure function: equal arguments give the same architecture, which is feasible and not in
    `history.seen` (what it keeps between calls only saves time). It raises `SpaceExhaustedError` if
    no such architecture remains.
    """

    def __call__(self, history: History[Any], rng: Random, /) -> T_co:
        """Return the architecture to evaluate next."""


class SpaceSampler(BaseSampler, Generic[T]):
    """An Optuna sampler that asks a strategy; `space.suggest(trial)` reads its proposals back.

    A proposal depends only on the seed, the trial's number and the other trials, so a search that
    is stopped resumes as if it had not been. Intermediate values are read as the accuracy or loss
    at that fidelity (at 0 a proxy's). A user attribute with the name of another objective, such as
    a latency, is read as its value while the trial still runs.
    """

    def __init__(self, problem: Problem[T], strategy: Strategy[T]) -> None:
        self.problem, self.strategy = problem, strategy
        self.reader = Reader(problem)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the distributions of the proposal's picks; none for an enqueued trial."""
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
        """Return the proposal's picks."""
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
        """Return a uniform pick, for what an enqueued trial leaves open."""
        rng = Random(f"{self.problem.seed}/{trial.number}/{param_name}")
        if isinstance(param_distribution, CategoricalDistribution):
            return rng.choice(param_distribution.choices)
        assert isinstance(param_distribution, IntDistribution)
        d = param_distribution
        return rng.randrange(d.low, d.high + 1, d.step)


def distribution(decision: Decision) -> BaseDistribution:
    """Return an open field as an Optuna distribution, the one that `Space.suggest` asks for."""
    options = decision.options
    if isinstance(options, range):
        return IntDistribution(options[0], options[-1], step=options.step)
    return CategoricalDistribution(tuple(options))
