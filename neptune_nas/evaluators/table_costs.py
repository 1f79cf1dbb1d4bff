"""Costs that a table says of its networks: each a sound number, and one a network."""

from collections.abc import Mapping
from math import isfinite

from neptune_nas.errors import FileFormatError

COUNTED = ("flops", "macs")  # no network has none, and those of a table are taken as whole numbers
KNOWN = (*COUNTED, "params", "activations", "latency")


def check_costs(costs: Mapping[str, float], where: str) -> None:
    """Refuse known costs that are no costs; `where` names the place in the table."""
    for name in KNOWN:
        least = 1 if name in COUNTED else 0
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
    for name in KNOWN:
        if name in earlier and costs.get(name, earlier[name]) != earlier[name]:
            raise FileFormatError(
                f"{where}: `{name}` is {costs[name]!r}, but {earlier[name]!r} in an earlier row of "
                f"the same network: say the same in all of its rows, or say it once."
            )
    return {**earlier, **costs}
