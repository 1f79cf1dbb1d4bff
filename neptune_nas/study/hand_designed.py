"""Hand-designed networks beside a study: `references.json` keeps their scores as they come."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from math import nan
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from neptune_nas.errors import FileFormatError
from neptune_nas.files import read_file, write_file
from neptune_nas.study.folder import record_from
from neptune_nas.trial import Cost, Score
from neptune_nas.trial_json import score_from_json, score_to_json

VERSION = 1


@dataclass(frozen=True, slots=True)
class Reference:
    """A hand-designed network under a study's recipe, data and last rung, to compare with.

    `scores`: one a seed, failed ones included.
    """

    name: str
    cost: Cost
    scores: tuple[Score, ...] = ()

    @property
    def accuracies(self) -> tuple[float, ...]:
        """The good accuracies, one a seed."""
        return tuple(score.accuracy for score in self.scores if score.ok)

    @property
    def accuracy(self) -> float:
        """The mean over the good seeds, 0..1; NaN without any."""
        return fmean(self.accuracies) if self.accuracies else nan

    @property
    def deviation(self) -> float:
        """The standard deviation between seeds, 0..1; NaN of less than two."""
        return stdev(self.accuracies) if len(self.accuracies) > 1 else nan

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
            "cost": asdict(reference.cost),
            "scores": [score_to_json(score) for score in reference.scores],
        }
        for reference in references
    ]
    write_file(file, json.dumps({"version": VERSION, "networks": networks}, indent=2) + "\n")


def read_references(file: Path) -> tuple[Reference, ...]:
    """Read a `references.json`, if there is one; raises `FileFormatError` for what is none."""
    if not file.exists():
        return ()
    try:
        content = json.loads(read_file(file))
        if content["version"] != VERSION:
            raise FileFormatError(
                f"{file}: `version` must be {VERSION}, but got {content['version']!r}: "
                f"it was written by another version of neptune-nas."
            )
        return tuple(_reference(item, str(file)) for item in content["networks"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileFormatError(
            f"{file} holds no references ({type(error).__name__}: {error}): move it away, and "
            f"train them again."
        ) from error


def _reference(item: dict[str, Any], file: str) -> Reference:
    where = f"{file}: {item['name']}"
    scores = (asdict(score_from_json(score)) for score in item["scores"])
    return Reference(
        name=str(item["name"]),
        cost=record_from(Cost, item["cost"], where),
        scores=tuple(record_from(Score, score, where) for score in scores),
    )
