"""A zero-cost proxy below short training, so that a search can promote by both."""

from dataclasses import dataclass, replace

from neptune_nas.architecture.records import Architecture, Network
from neptune_nas.evaluators.evaluator import Traits
from neptune_nas.evaluators.short_training import ShortTraining
from neptune_nas.evaluators.zero_cost import ZeroCost
from neptune_nas.metrics.score import Score


@dataclass(frozen=True, slots=True)
class ProxyFirst:
    """An `Evaluator` whose fidelity 0 is a zero-cost proxy; any other trains.

    Its `device` takes the place of theirs, since an engine sets it.
    """

    proxy: ZeroCost
    training: ShortTraining
    device: str = "cpu"

    @property
    def traits(self) -> Traits:
        """Those of training; a proxy stands in place of its metrics."""
        return self.training.traits

    def __call__(self, architecture: Architecture | Network, fidelity: int, seed: int) -> Score:
        """Return the proxy's score at fidelity 0, else that of training."""
        measure = self.training if fidelity else self.proxy
        return replace(measure, device=self.device)(architecture, fidelity, seed)
