"""Everything that was asked of a study, and what it was asked of."""

from dataclasses import dataclass, field
from typing import Any

TRAINING = "training"
TABLE = "table:"  # before the file of a table


@dataclass(frozen=True, slots=True)
class Question:
    """What decides the scores: two studies can be compared only where these agree.

    `space`: as it was named on the command line. `data`: name or `folder:PATH`. `rungs`: epochs at
    which trials are compared; the last is what the report ranks by. `evaluator`: "training",
    `table:FILE`, or the class of another one. `repeats`: seeds at the last rung, whose mean counts.
    `proxy`: the zero-cost proxy that is rung 0, if there is one.
    """

    space: str
    data: str = "digits"
    evaluator: str = TRAINING
    objectives: tuple[str, ...] = ("accuracy", "flops")
    constraints: tuple[str, ...] = ()
    rungs: tuple[int, ...] = (1,)
    sampler: str = "auto"
    sampler_kwargs: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    recipe: dict[str, Any] = field(default_factory=dict)
    repeats: int = 1
    proxy: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the question was asked of, found when the study began.

    `reference`: the corner that hypervolume is measured from, one number an objective: chance
    accuracy, and the largest cost admitted (found in the space, or set by a constraint).
    """

    space_name: str
    space_size: str  # exact, or an estimate with its interval: may exceed what TOML's integers hold
    space_fingerprint: str
    data_fingerprint: str
    input_shape: tuple[int, int, int]
    classes: int
    images: tuple[int, int, int]  # train, validation, test
    chance: float
    reference: tuple[float, ...]
    device: str
    hardware: str
    created: str  # ISO 8601, UTC
    versions: dict[str, str]
    outline: dict[str, str]  # what may stand at each path of the space, to name what has changed


@dataclass(frozen=True, slots=True)
class Settings:
    """`study.toml`: a study's name, its question, and the facts it began with.

    `storage`: the URL of the database without its password; empty for `study.db` beside it.
    """

    name: str
    trials: int
    question: Question
    facts: Facts
    storage: str = ""
