"""Costs that a table says of its networks: each a sound number, and one a network."""

from collections.abc import Mapping
from math import isfinite

from neptune_nas.errors import FileFormatError
from neptune_nas.metrics.registry import COSTS

NAMES = tuple(cost.name for cost in COSTS)
NEVER_0 = ("flops", "macs")  # no network has none


def check_costs(costs: Mapping[str, float], where: str) -> None:
    """Refuse known costs that are no costs; `where` names the place in the table."""
    for name in NAMES:
        least = 1 if name in NEVER_0 else 0
        value = costs.get(name, least)
        if not (isfinite(value) and value >= least):
            raise FileFormatError(
                f"{where}: `{name}` must be a number of at least {least}, but is {value:g}: "
                f"correct it, or leave it empty if it is unknown."
            )


def joined_costs(
    earlier: Mapping[str, float], costs: Mapping[str, float], where: str
) -> dict[str, float]:
    """What the rows of one network say of it so far; refuses known costs that differ."""
    for name in NAMES:
        if name in earlier and costs.get(name, earlier[name]) != earlier[name]:
            raise FileFormatError(
                f"{where}: `{name}` is {costs[name]!r}, but {earlier[name]!r} in an earlier row of "
                f"the same network: say the same in all of its rows, or say it once."
            )
    return {**earlier, **costs}
