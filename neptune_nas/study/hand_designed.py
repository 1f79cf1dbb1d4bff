"""Hand-designed networks beside a study: `references.json` keeps their scores as they come."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import nan
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from neptune_nas.files.schema import LIST, OBJECT, TEXT, Rule, check_fields
from neptune_nas.metrics.registry import COST, PARAMS
from neptune_nas.metrics.score import Score, costs_in, score_to_json, scores_in
from neptune_nas.study.measured_file import read_measured, write_measured

REFERENCE: Mapping[str, Rule] = {"name": TEXT, "costs": OBJECT, "scores": LIST}


@dataclass(frozen=True, slots=True)
class Reference:
    """A hand-designed network under a study's recipe, data and last rung, to compare with.

    `costs`: by metric. `scores`: one a seed, failed ones included.
    """

    name: str
    costs: Mapping[str, float]
    scores: tuple[Score, ...] = ()

    @property
    def seed_scores(self) -> tuple[float, ...]:
        """The good main scores, one a seed."""
        return tuple(score.main for score in self.scores if score.ok)

    @property
    def score(self) -> float:
        """The mean over the good seeds, 0..1; NaN without any."""
        return fmean(self.seed_scores) if self.seed_scores else nan

    @property
    def deviation(self) -> float:
        """The standard deviation between seeds, 0..1; NaN of less than two."""
        return stdev(self.seed_scores) if len(self.seed_scores) > 1 else nan

    @property
    def failures(self) -> tuple[str, ...]:
        """Why seeds failed."""
        return tuple(score.failure or "no number" for score in self.scores if not score.ok)

    def plus(self, score: Score) -> "Reference":
        """The same with one more score, which takes the place of one of its seed."""
        others = (other for other in self.scores if other.seed != score.seed)
        return replace(self, scores=(*others, score))


def write_references(file: Path, references: Iterable[Reference]) -> None:
    """Write `references.json`."""
    networks = [
        {
            "name": reference.name,
            "costs": dict(reference.costs),
            "scores": [score_to_json(score) for score in reference.scores],
        }
        for reference in references
    ]
    write_measured(file, {"networks": networks})


def read_references(file: Path) -> tuple[Reference, ...]:
    """Read a `references.json`, if there is one; raises `FileFormatError` for what is none."""

    def parse(content: dict[str, Any]) -> tuple[Reference, ...]:
        items = enumerate(content["networks"])
        return tuple(_reference(item, f"networks.{i}.") for i, item in items)

    return read_measured(file, {"networks": LIST}, parse) if file.exists() else ()


def _reference(data: object, path: str) -> Reference:
    item = check_fields(data, REFERENCE, path)
    return Reference(
        name=item["name"],
        costs=costs_in(item["costs"], f"{path}costs.", (COST, PARAMS)),
        scores=scores_in(item["scores"], f"{path}scores."),
    )
