"""What an architecture costs, asked before it is trained and remembered."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Protocol

from neptune_nas.architecture.codec import key
from neptune_nas.errors import ArchitectureError
from neptune_nas.metrics.constraints import Constraint
from neptune_nas.metrics.trial import Cost
from neptune_nas.study.objectives import EXACT, value_of


class Costs(Protocol):
    """What knows the exact cost of an architecture; a `CostModel`, or a table."""

    def cost(self, architecture: Any, /) -> Cost:
        """The cost; raises `ArchitectureError` where there is none."""


@dataclass(slots=True)
class Gauge:
    """Counts exact costs, and tells latency where `clock` (architecture to ms) is given."""

    costs: Costs
    constraints: Sequence[Constraint] = ()
    clock: Callable[[Any], float] | None = None
    latencies: dict[str, float] = field(init=False, default_factory=dict)

    @property
    def timed(self) -> list[Constraint]:
        """The constraints on latency."""
        return [limit for limit in self.constraints if limit.name == "latency"]

    def cost(self, architecture: Any) -> Cost:
        """The exact cost of one forward pass of one image."""
        return self.costs.cost(architecture)

    def latency(self, architecture: Any) -> float | None:
        """Milliseconds for one image, asked of the clock once; None where there is none."""
        if self.clock is None:
            return None
        name = key(architecture)
        if name not in self.latencies:
            self.latencies[name] = self.clock(architecture)
        return self.latencies[name]

    def value(self, name: str, architecture: Any) -> float:
        """The cost of one kind."""
        latency = self.latency(architecture) if name == "latency" else None
        return value_of(name, self.cost(architecture), None, latency)

    def value_if_any(self, name: str, architecture: Any) -> float:
        """The same; less than any other for what cannot be built."""
        try:
            return self.value(name, architecture)
        except ArchitectureError:
            return -inf

    def exact(self, architecture: Any) -> Mapping[str, float]:
        """All costs that are known without running anything, by name."""
        cost = self.cost(architecture)
        return {name: value_of(name, cost, None, None) for name in EXACT}

    def measure(self, architecture: Any) -> tuple[Cost, float | None]:
        """The exact cost, and the latency where there is a clock."""
        return self.cost(architecture), self.latency(architecture)

    def feasible(self, architecture: Any) -> bool:
        """Whether an architecture can be built for the images and keeps all constraints.

        Latency is asked for last, since it may have to be measured. Raises as `fits` does.
        """
        return self.obstacle(architecture) is None

    def obstacle(self, architecture: Any) -> str | None:
        """Why an architecture is not feasible, in words; None if it is. Raises as `fits` does."""
        return self._unfit(architecture) or self._broken(architecture, self.timed)

    def fits(self, architecture: Any) -> bool:
        """Whether it can be built for the images and keeps the constraints on exact costs.

        Raises `OwnCodeError` where the user's own code fails, which is a mistake and no property
        of the architecture.
        """
        return self._unfit(architecture) is None

    def is_quick(self, architecture: Any) -> bool:
        """Whether it keeps the constraints on latency."""
        return self._broken(architecture, self.timed) is None

    def _unfit(self, architecture: Any) -> str | None:
        try:
            self.cost(architecture)
        except ArchitectureError as error:
            return f"it cannot be built, or has no cost: {str(error).rstrip('.')}"
        exact = (limit for limit in self.constraints if limit.name != "latency")
        return self._broken(architecture, exact)

    def _broken(self, architecture: Any, limits: Iterable[Constraint]) -> str | None:
        for limit in limits:
            if not limit.holds(value := self.value(limit.name, architecture)):
                return f"it breaks {limit} with {value:,.10g}"
        return None
