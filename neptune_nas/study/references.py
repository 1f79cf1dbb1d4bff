"""Reference networks of a study, whose scores `references.json` stores as they arrive."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import nan
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from neptune_nas.files.regular import is_there
from neptune_nas.files.schema import located
from neptune_nas.metrics.registry import COST, PARAMS
from neptune_nas.metrics.score import Score, costs_in
from neptune_nas.study.measured_file import read_measured, traced_json, write_measured

NO_NUMBER = "no number"  # why a score without a failure is none


@dataclass(frozen=True, slots=True)
class Reference:
    """A hand-designed network, trained with a study's recipe and data up to its last rung.

    `costs`: by metric. `scores`: one per seed, failed ones included.
    """

    name: str
    costs: Mapping[str, float]
    scores: tuple[Score, ...] = ()

    @property
    def seed_scores(self) -> tuple[float, ...]:
        """The good main scores, one per seed."""
        return tuple(score.main for score in self.scores if score.ok)

    @property
    def score(self) -> float:
        """The mean over the good seeds, 0..1; NaN without any."""
        return fmean(self.seed_scores) if self.seed_scores else nan

    @property
    def deviation(self) -> float:
        """The standard deviation between seeds, 0..1; NaN for fewer than two."""
        return stdev(self.seed_scores) if len(self.seed_scores) > 1 else nan

    @property
    def failures(self) -> tuple[str, ...]:
        """The reasons why seeds failed."""
        return tuple(score.failure or NO_NUMBER for score in self.scores if not score.ok)

    def plus(self, score: Score) -> "Reference":
        """Return the reference with one more score, which replaces one with the same seed."""
        others = (other for other in self.scores if other.seed != score.seed)
        return replace(self, scores=(*others, score))


def write_references(file: Path, references: Iterable[Reference]) -> None:
    """Write `references.json`."""
    networks = [
        {
            "name": reference.name,
            "costs": dict(reference.costs),
            "scores": [traced_json(score) for score in reference.scores],
        }
        for reference in references
    ]
    write_measured(file, {"networks": networks})


@dataclass(frozen=True, slots=True)
class _Network:
    """A network in the form of the file."""

    name: str
    costs: dict[str, Any]
    scores: tuple[Score, ...]


@dataclass(frozen=True, slots=True)
class _Content:
    """The content of a `references.json`."""

    networks: tuple[_Network, ...]


def read_references(file: Path) -> tuple[Reference, ...]:
    """Return the networks in a `references.json`; none if there is no such file.

    Raises `FileFormatError` for a malformed file.
    """
    if not is_there(file):
        return ()
    with located(file):
        networks = enumerate(read_measured(file, _Content).networks)
        return tuple(_reference(network, f"networks.{i}") for i, network in networks)


def _reference(network: _Network, path: str) -> Reference:
    costs = costs_in(network.costs, f"{path}.costs", (COST, PARAMS))
    return Reference(network.name, costs, network.scores)
