"""The comparison of two architectures: their decisions, costs and scores."""

from typing import Any

from neptune_nas.architecture.fields import class_name, is_record, values_of
from neptune_nas.metrics.registry import metric
from neptune_nas.models.architecture_file import ExportedArchitecture


def facts_of(item: ExportedArchitecture) -> dict[str, str]:
    """Return everything worth comparing about an exported architecture, by name."""
    score = item.score
    facts = {"key": item.key, **plain_values(item.architecture)}
    facts |= {metric(name).title: f"{value:,.10g}" for name, value in item.costs.items()}
    if score:
        facts |= {name: f"{value:.4f}" for name, value in score.values.items()}
        facts |= {"epochs": str(score.fidelity)}
    return facts


def plain_values(value: Any, path: str = "") -> dict[str, str]:
    """Return every plain value of an architecture, by its path.

    >>> from neptune_nas.architecture.records import Conv
    >>> plain_values(Conv(kernel=5), "stages.0.entry")
    {'stages.0.entry': 'Conv', 'stages.0.entry.kernel': '5', 'stages.0.entry.groups': '1'}
    """
    if isinstance(value, tuple):
        pairs = [(f"{path}.{i}", item) for i, item in enumerate(value)]
    elif is_record(value):
        prefix = f"{path}." if path else ""
        pairs = [(prefix + name, item) for name, item in values_of(value).items()]
        return {
            **({path: class_name(value)} if path else {}),
            **{name: text for at, item in pairs for name, text in plain_values(item, at).items()},
        }
    else:
        return {path: str(value)}
    return {name: text for at, item in pairs for name, text in plain_values(item, at).items()}
