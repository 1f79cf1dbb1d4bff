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
from neptune_nas.errors import FileFormatError
from neptune_nas.files import read_file
from neptune_nas.study.results import Results
from neptune_nas.study.store import score_from_json, score_to_json
from neptune_nas.trial import Cost, Score, Trial

FORMAT = "neptune-nas/architecture"
VERSION = 1


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


def exported(results: Results, trial: Trial) -> Exported:
    """A trial of a study, ready to be written."""
    settings = results.settings
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

    `allow`: the user's own record classes that it may name. Raises `FileFormatError` for a file
    that is missing, malformed, truncated, foreign, from a later version, or changed by hand so that
    its key or costs are no longer those of its architecture.
    """
    return loads(read_file(Path(path)), str(path), allow)


def loads(text: str, where: str, allow: Iterable[type] = ()) -> Exported:
    """The same from a text; `where` names it in messages."""
    content = _envelope(text, where)
    try:
        item = _decoded(content, allow)
    except KeyError as error:
        raise FileFormatError(f"{where}: `{error.args[0]}` is missing.") from error
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"{where}: a field has the wrong type: {error}.") from error
    except FileFormatError as error:
        raise FileFormatError(f"{where}: {error}") from error
    if item.key != content["key"]:
        raise FileFormatError(
            f"{where}: `key` must be {item.key}, that of its architecture, but got "
            f"{content['key']!r}: the file was changed by hand."
        )
    return item


def _envelope(text: str, where: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise FileFormatError(
            f"{where} is no JSON (line {error.lineno}: {error.msg}): export it again."
        ) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        got = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise FileFormatError(f"{where}: `format` must be '{FORMAT}', but got {got!r}.")
    if content.get("version") != VERSION:
        raise FileFormatError(
            f"{where}: `version` must be {VERSION}, but got {content.get('version')!r}: "
            f"it was written by another version of neptune-nas."
        )
    return content


def _decoded(content: Mapping[str, Any], allow: Iterable[type]) -> Exported:
    channels, height, width = (int(side) for side in content["input_shape"])
    cost = content["cost"]
    return Exported(
        architecture=from_json(content["architecture"], allow),
        input_shape=(channels, height, width),
        classes=int(content["classes"]),
        cost=Cost(int(cost["macs"]), int(cost["params"]), int(cost["activations"])),
        scores=tuple(score_from_json(score) for score in content["scores"]),
        recipe=dict(content["recipe"]),
        provenance=dict(content["provenance"]),
    )


def bare(architecture: Any, input_shape: tuple[int, int, int], classes: int) -> Exported:
    """An architecture that no study knows, with its costs."""
    cost = CostModel(input_shape, classes).cost(architecture)
    return Exported(architecture, input_shape, classes, cost)
