"""The file of an architecture, which can be read without its study.

The file's format is published as `docs/architecture.schema.json`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import nn

from neptune_nas.architecture.codec import from_json, key, to_json
from neptune_nas.errors import FileFormatError
from neptune_nas.files.atomic import read_file, write_file
from neptune_nas.files.documents import parse_json, versioned
from neptune_nas.files.kinds import ARCHITECTURE, refuse_model
from neptune_nas.files.rules import Sides, Size
from neptune_nas.files.schema import TOO_DEEP, decode, fault, located
from neptune_nas.metrics.counted import CostModel
from neptune_nas.metrics.score import READERS, Score, costs_in, mean_score, score_to_json
from neptune_nas.models.model_file import Weights, with_weights
from neptune_nas.nn.builder import Shape, build
from neptune_nas.nn.model_zoo import ZOO, without_weights
from neptune_nas.text import json_visible

FORMAT = ARCHITECTURE
VERSION = 1


@dataclass(frozen=True, slots=True)
class ExportedArchitecture:
    """An architecture and its measurements: what `load` reads and `export_trial` makes.

    `input_shape` `(C, H, W)` and `classes` are those it was searched for. `costs`: by metric.
    `recipe`: how its scores were trained. `provenance`: the study, trial, space, data and versions
    it comes from.
    """

    architecture: Any
    input_shape: Shape
    classes: int
    costs: Mapping[str, float]
    scores: tuple[Score, ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def score(self) -> Score | None:
        """The valid score at the highest fidelity, averaged over seeds; None without any."""
        trained = [score for score in self.scores if score.ok and score.proxy is None]
        top = max((score.fidelity for score in trained), default=0)
        return mean_score([score for score in trained if score.fidelity == top])

    @property
    def key(self) -> str:
        """The key of the network: equal for equal networks."""
        return key(self.architecture)

    def build(
        self, seed: int | None = None, weights: str | Path | Weights | None = None
    ) -> nn.Module:
        """Return the network, freshly initialised: normalised images `(N, C, H, W)` to logits.

        Equal seeds give equal weights. `weights`: those of a trained model or of its file; with
        them the network is in eval mode. Raises `FileFormatError` for the weights of another
        network.
        """
        is_fresh = weights is None
        architecture = self.architecture if is_fresh else without_weights(self.architecture)
        network: nn.Module = build(architecture, self.input_shape, self.classes, seed)
        return network if weights is None else with_weights(network, weights, self.key)


@dataclass(frozen=True, slots=True)
class Document:
    """The fields of the file, except its format and version."""

    key: str
    architecture: dict[str, Any]
    input_shape: Sides
    classes: Size
    costs: dict[str, Any]
    scores: tuple[Score, ...]
    recipe: dict[str, Any]
    provenance: dict[str, Any]


def save(path: str | Path, item: ExportedArchitecture) -> None:
    """Write the file that `load` reads; raises `NeptuneError` if that fails."""
    write_file(Path(path), dumps(item))


def dumps(item: ExportedArchitecture) -> str:
    """Return the JSON text of an exported architecture."""
    return json_visible(json.dumps(document(item), indent=2, ensure_ascii=False)) + "\n"


def document(item: ExportedArchitecture) -> dict[str, Any]:
    """Return the JSON object of an exported architecture."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "key": item.key,
        "architecture": to_json(item.architecture),
        "input_shape": list(item.input_shape),
        "classes": item.classes,
        "costs": dict(item.costs),
        "scores": [score_to_json(score) for score in item.scores],
        "recipe": dict(item.recipe),
        "provenance": dict(item.provenance),
    }


def load(path: str | Path, allow: Iterable[type] = ()) -> ExportedArchitecture:
    """Return the architecture in a file that `neptune-nas export` wrote; nothing in it is executed.

    `allow`: the user's record classes that it may name. Raises `FileFormatError`, naming the
    field, for a file that is missing, malformed, truncated, foreign, from a later version, or
    edited by hand so that its key no longer matches its architecture.
    """
    refuse_model(Path(path))
    return loads(read_file(Path(path)), str(path), allow)


def loads(text: str, where: str, allow: Iterable[type] = ()) -> ExportedArchitecture:
    """Return the architecture in a file's text, as `load` does; `where` names it in messages."""
    with located(where):
        return from_document(parse_json(text), allow)


def from_document(data: object, allow: Iterable[type] = ()) -> ExportedArchitecture:
    """Return the architecture in the object that `document` made."""
    content = decode(Document, versioned(data, VERSION, FORMAT), readers=READERS)
    try:
        item = ExportedArchitecture(
            architecture=from_json(content.architecture, (*ZOO, *allow)),
            input_shape=content.input_shape,
            classes=content.classes,
            costs=costs_in(content.costs, "costs"),
            scores=content.scores,
            recipe=content.recipe,
            provenance=content.provenance,
        )
        name = item.key
    except RecursionError as error:
        raise FileFormatError(TOO_DEEP) from error
    if name != content.key:
        raise FileFormatError(fault("key", name, content.key, "the file was changed by hand"))
    return item


def adapt_to(item: ExportedArchitecture, input_shape: Shape, classes: int) -> ExportedArchitecture:
    """Return an exported architecture for other images, with its costs on them.

    Raises `ArchitectureError` if they are too small for it.
    """
    if (item.input_shape, item.classes) == (input_shape, classes):
        return item
    costs = CostModel(input_shape, classes).values(item.architecture)
    return replace(item, input_shape=input_shape, classes=classes, costs=costs)


def without_study(architecture: Any, input_shape: Shape, classes: int) -> ExportedArchitecture:
    """Return an architecture without a study, with its costs."""
    costs = CostModel(input_shape, classes).values(architecture)
    return ExportedArchitecture(architecture, input_shape, classes, costs)
