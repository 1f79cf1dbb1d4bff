"""An architecture as a file that stands for itself, and back.

The file's form is published as `docs/architecture.schema.json`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from neptune_nas.build import build
from neptune_nas.codec import from_json, key, to_json
from neptune_nas.cost import CostModel
from neptune_nas.errors import FileFormatError, NeptuneError
from neptune_nas.files import read_file
from neptune_nas.json_fields import (
    COUNT,
    LIST,
    NUMBER,
    OBJECT,
    SHAPE,
    SIZE,
    TEXT,
    Rule,
    check_fields,
)
from neptune_nas.study.store import score_from_json, score_to_json
from neptune_nas.study.study import Study
from neptune_nas.trial import Cost, Score, Trial

FORMAT = "neptune-nas/architecture"
VERSION = 1

FIELDS: Mapping[str, Rule] = {
    "format": TEXT,
    "version": SIZE,
    "key": TEXT,
    "architecture": OBJECT,
    "input_shape": SHAPE,
    "classes": SIZE,
    "cost": OBJECT,
    "scores": LIST,
    "recipe": OBJECT,
    "provenance": OBJECT,
}
COSTS = dict.fromkeys(("macs", "params", "activations", "flops"), COUNT)
SCORED = ("fidelity", "accuracy", "loss")  # what a score must hold
SCORES: Mapping[str, Rule] = {
    "fidelity": COUNT,
    "accuracy": NUMBER.or_null,
    "loss": NUMBER.or_null,
    "seed": COUNT,
    "seconds": NUMBER,
    "images_per_second": NUMBER,
    "peak_memory": COUNT,
    "started": NUMBER,
    "worker": COUNT,
    "failure": TEXT.or_null,
    "proxy": NUMBER.or_null,
}


@dataclass(frozen=True, slots=True)
class Exported:
    """An architecture with what is known of it.

    `input_shape` `(C, H, W)` and `classes` are those it was searched for. `recipe`: how its scores
    were trained. `provenance`: study, trial, space, data and versions it comes from.
    """

    architecture: Any
    input_shape: tuple[int, int, int]
    classes: int
    cost: Cost
    scores: tuple[Score, ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The name of the network: equal for equal networks."""
        return key(self.architecture)

    def build(self, seed: int | None = None) -> nn.Module:
        """The network, freshly initialised; equal seeds give equal weights."""
        return build(self.architecture, self.input_shape, self.classes, seed)


def exported(study: Study, trial: Trial) -> Exported:
    """A trial of a study, ready to be written."""
    settings = study.settings
    question, facts = settings.question, settings.facts
    return Exported(
        architecture=trial.architecture,
        input_shape=facts.input_shape,
        classes=facts.classes,
        cost=trial.cost,
        scores=trial.scores,
        recipe=question.recipe,
        provenance={
            "study": settings.name,
            "trial": trial.number,
            "space": question.space,
            "space_fingerprint": facts.space_fingerprint,
            "data": question.data,
            "data_fingerprint": facts.data_fingerprint,
            "seed": question.seed,
            "created": facts.created,
            "hardware": facts.hardware,
            "versions": facts.versions,
        },
    )


def dumps(item: Exported) -> str:
    """The JSON text of an exported architecture."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "key": item.key,
        "architecture": to_json(item.architecture),
        "input_shape": list(item.input_shape),
        "classes": item.classes,
        "cost": {**asdict(item.cost), "flops": item.cost.flops},
        "scores": [score_to_json(score) for score in item.scores],
        "recipe": dict(item.recipe),
        "provenance": dict(item.provenance),
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def load(path: str | Path, allow: Iterable[type] = ()) -> Exported:
    """The architecture in a file that `neptune-nas export` wrote; nothing in it is executed.

    `allow`: the user's own record classes that it may name. Raises `FileFormatError`, naming the
    field, for a file that is missing, malformed, truncated, foreign, from a later version, or
    changed by hand so that its key is no longer its architecture's or its FLOPs not two a MAC.
    """
    return loads(read_file(Path(path)), str(path), allow)


def loads(text: str, where: str, allow: Iterable[type] = ()) -> Exported:
    """The same from a text; `where` names it in messages."""
    try:
        content = _envelope(text)
        item = _decoded(content, allow)
        _check_sums(item, content)
    except NeptuneError as error:
        raise FileFormatError(f"{where}: {error}") from error
    except RecursionError as error:
        raise FileFormatError(
            f"{where}: its JSON is nested too deeply: export it again."
        ) from error
    return item


def _envelope(text: str) -> Mapping[str, Any]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise FileFormatError(
            f"it is no JSON (line {error.lineno}: {error.msg}): export it again."
        ) from error
    except ValueError as error:
        raise FileFormatError("it holds a number of more digits than can be read.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        got = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise FileFormatError(f"`format` must be '{FORMAT}', but got {got!r}.")
    version = content.get("version")
    if type(version) is not int or version != VERSION:
        raise FileFormatError(
            f"`version` must be {VERSION}, but got {version!r}: "
            f"it was written by another version of neptune-nas."
        )
    return check_fields(content, FIELDS)


def _decoded(content: Mapping[str, Any], allow: Iterable[type]) -> Exported:
    channels, height, width = content["input_shape"]
    cost = check_fields(content["cost"], COSTS, "cost.")
    return Exported(
        architecture=from_json(content["architecture"], allow),
        input_shape=(channels, height, width),
        classes=content["classes"],
        cost=Cost(cost["macs"], cost["params"], cost["activations"]),
        scores=tuple(
            score_from_json(check_fields(score, SCORES, f"scores.{i}.", SCORED))
            for i, score in enumerate(content["scores"])
        ),
        recipe=content["recipe"],
        provenance=content["provenance"],
    )


def _check_sums(item: Exported, content: Mapping[str, Any]) -> None:
    """Refuse what was changed by hand in one place and not in the other."""
    for name, ours, got in (
        ("key", item.key, content["key"]),
        ("cost.flops", item.cost.flops, content["cost"]["flops"]),
    ):
        if ours != got:
            raise FileFormatError(
                f"`{name}` must be {ours}, but got {got}: the file was changed by hand."
            )


def bare(architecture: Any, input_shape: tuple[int, int, int], classes: int) -> Exported:
    """An architecture that no study knows, with its costs."""
    cost = CostModel(input_shape, classes).cost(architecture)
    return Exported(architecture, input_shape, classes, cost)
