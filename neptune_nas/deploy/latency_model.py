"""The latency of networks, predicted from a few that were measured: a table of parts.

A network takes the sum of what its parts take, and a part a weighted sum of its features. The
weights are not negative, and have the least relative error on the measured networks (Lawson and
Hanson 1974). A tenth of the networks at a time is left out to learn how far off predictions are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from neptune_nas.deploy.latency_features import Features, part_features
from neptune_nas.errors import ArchitectureError, OptionError
from neptune_nas.nn.builder import NetworkPart, Shape, parts
from neptune_nas.text import counted

Floats = NDArray[np.float64]

LEAST = 10  # measured networks
_FOLDS = 10
_RIDGE = 1e-2  # pulls weights that the networks do not tell apart towards each other
_COVERED = 0.95  # share of networks that take no longer than predicted with the margin
_REMEMBERED = 100_000  # parts, as `CostModel` does
_CONSTANT = "network"  # what any network takes


class UnmeasuredError(ArchitectureError):
    """A part has an operation that none of the measured networks has, so its time is not known."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The error of predictions for networks that the weights were not fitted to.

    `error`: the mean absolute error as a share of the latency. `tau`: Kendall's rank correlation.
    `margin`: the share by which 95% of the networks stay below, at most.
    """

    networks: int
    error: float
    tau: float
    margin: float

    def __str__(self) -> str:
        return (
            f"predicted from {counted(self.networks, 'measured network')}: {self.error:.1%} off on "
            f"average for networks left out of the fit, in the right order by a Kendall's tau of "
            f"{self.tau:.2f}"
        )


class LatencyModel:
    """The predicted latency of architectures on images of one shape, in ms.

    `measured`: architectures with their latencies. `check`: raises `ArchitectureError` for a part
    that the runtime cannot run. Raises `OptionError` for fewer than 10 networks.
    """

    def __init__(
        self,
        measured: Sequence[tuple[Any, float]],
        input_shape: Shape,
        outputs: int,
        check: Callable[[NetworkPart], object] = lambda _: None,
    ) -> None:
        if len(measured) < LEAST:
            raise OptionError(
                f"latency is predicted from at least {LEAST} measured networks, but there are "
                f"{len(measured)}: measure more."
            )
        self.input_shape, self.outputs, self.check = input_shape, outputs, check
        self.features: dict[NetworkPart, Features] = {}
        self.table: dict[NetworkPart, float] = {}
        rows = [self._features(architecture) for architecture, _ in measured]
        self.names = sorted({name for row in rows for name in row})
        self._amounts = np.array([[row.get(name, 0.0) for name in self.names] for row in rows])
        self._times = np.array([time for _, time in measured])
        fitted: list[float] = _weights(self._amounts, self._times).tolist()
        self.weights = dict(zip(self.names, fitted, strict=True))

    def __call__(self, architecture: Any) -> float:
        """Return the predicted latency in ms.

        Raises `ArchitectureError` as `check` does, and `UnmeasuredError`.
        """
        found = parts(architecture, self.input_shape, self.outputs)
        return self.weights[_CONSTANT] + sum(map(self._part, found))

    @cached_property
    def accuracy(self) -> Accuracy:
        """The error of predictions, found by leaving out a tenth of the networks at a time."""
        from scipy.stats import kendalltau

        count = len(self._times)
        predicted = np.empty(count)
        for fold in range(_FOLDS):
            out = np.arange(count) % _FOLDS == fold
            predicted[out] = self._amounts[out] @ _weights(self._amounts[~out], self._times[~out])
        ratios = np.sort(self._times / np.maximum(predicted, 1e-9))
        place = min(count - 1, ceil(_COVERED * (count + 1)) - 1)
        return Accuracy(
            networks=count,
            error=float(np.mean(np.abs(predicted / self._times - 1))),
            tau=float(kendalltau(predicted, self._times).statistic),
            margin=max(0.0, float(ratios[place]) - 1),
        )

    def _part(self, part: NetworkPart) -> float:
        """Return what a part takes in ms."""
        known = self.table.get(part)
        if known is None:
            if len(self.table) >= _REMEMBERED:
                self.table.clear()
            self.check(part)
            found = part_features(part)
            if unknown := found.keys() - self.weights.keys():
                kind = min(unknown).rpartition(" ")[0]
                raise UnmeasuredError(
                    f"{part.name} has an operation ({kind}) that none of the measured networks "
                    f"has, so its latency cannot be predicted: measure one that has it."
                )
            known = sum(self.weights[name] * each for name, each in found.items())
            self.table[part] = known
        return known

    def _features(self, architecture: Any) -> Features:
        """Return the features of a measured network."""
        total: Features = {_CONSTANT: 1.0}
        for part in parts(architecture, self.input_shape, self.outputs):
            if part not in self.features:
                self.features[part] = part_features(part)
            for name, amount in self.features[part].items():
                total[name] = total.get(name, 0.0) + amount
        return total


def _weights(amounts: Floats, times: Floats) -> Floats:
    """Return the weights of the features, for the least squares of relative errors."""
    scale = np.maximum(amounts.max(axis=0), 1e-12)
    rows = amounts / scale / times[:, None]
    ridge = np.sqrt(_RIDGE) * np.eye(len(scale))
    target = np.concatenate([np.ones(len(times)), np.zeros(len(scale))])
    found = nnls(np.concatenate([rows, ridge]), target, maxiter=100 * len(scale))[0]
    return np.asarray(found / scale, np.float64)
