"""A zero-cost proxy as the rung below short training, so that a search can promote by both."""

from dataclasses import dataclass, replace
from pathlib import Path

from neptune_nas.architecture.records import Architecture, Network
from neptune_nas.evaluators.evaluator import Traits
from neptune_nas.evaluators.short_training import ShortTraining
from neptune_nas.evaluators.zero_cost import ZeroCost
from neptune_nas.metrics.score import Score


@dataclass(frozen=True, slots=True)
class ProxyFirst:
    """An `Evaluator` that computes a zero-cost proxy at fidelity 0, and trains at any other.

    Its `device` replaces that of both parts, since an engine sets it.
    """

    proxy: ZeroCost
    training: ShortTraining
    device: str = "cpu"

    @property
    def traits(self) -> Traits:
        """The traits of training; at fidelity 0 a proxy replaces its metrics."""
        return self.training.traits

    def prepare(self, folder: Path) -> "ProxyFirst":
        """Return the evaluator with what training prepares in `folder`."""
        return replace(self, training=self.training.prepare(folder))

    def __call__(self, architecture: Architecture | Network, fidelity: int, seed: int) -> Score:
        """Return the proxy's score at fidelity 0, else the score of training."""
        measure = self.training if fidelity else self.proxy
        return replace(measure, device=self.device)(architecture, fidelity, seed)
