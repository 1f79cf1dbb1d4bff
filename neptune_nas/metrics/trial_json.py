"""The costs and scores of a trial as JSON objects, and back."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from math import isfinite
from typing import Any

from neptune_nas.errors import FileFormatError
from neptune_nas.files.schema import COUNT, NUMBER, SHARE, TEXT, Rule, check_fields
from neptune_nas.metrics.trial import Cost, Score

COST: Mapping[str, Rule] = dict.fromkeys(("macs", "params", "activations", "flops"), COUNT)
SCORED = ("fidelity", "accuracy", "loss")  # what a score must hold
SCORE: Mapping[str, Rule] = {
    "fidelity": COUNT,
    "accuracy": SHARE.or_null,
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


def cost_to_json(cost: Cost) -> dict[str, int]:
    """A cost as JSON, with its FLOPs."""
    return {**asdict(cost), "flops": cost.flops}


def cost_in(data: object, path: str) -> Cost:
    """The cost that `cost_to_json` wrote; `path` stands before a field's name in messages.

    Raises `FileFormatError` for a field that breaks its rule, or FLOPs that are not two a MAC.
    """
    fields = check_fields(data, COST, path)
    cost = Cost(fields["macs"], fields["params"], fields["activations"])
    if fields["flops"] != cost.flops:
        raise FileFormatError(
            f"`{path}flops` must be {cost.flops}, but got {fields['flops']}: the file was changed "
            f"by hand."
        )
    return cost


def score_to_json(score: Score) -> dict[str, Any]:
    """A score as JSON, where what is not finite becomes None; without its trace."""
    return {
        name: None if isinstance(value, float) and not isfinite(value) else value
        for name, value in asdict(score).items()
        if name != "trace"
    }


def score_from_json(data: Mapping[str, Any]) -> Score:
    """The score that `score_to_json` wrote; its fields are not checked."""
    unknown = {"accuracy": float("nan"), "loss": float("inf")}
    values: dict[str, Any] = {n: unknown.get(n) if v is None else v for n, v in data.items()}
    return Score(**values)


def score_in(data: object, path: str) -> Score:
    """The same with its fields checked; `path` stands before a field's name in messages.

    Raises `FileFormatError` for a field that breaks its rule.
    """
    return score_from_json(check_fields(data, SCORE, path, SCORED))


def scores_in(data: Iterable[object], path: str) -> tuple[Score, ...]:
    """The scores of a list, each by its place in it."""
    return tuple(score_in(each, f"{path}{i}.") for i, each in enumerate(data))
