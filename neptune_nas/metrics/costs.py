"""The costs of architectures, counted or timed before training, and cached."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Protocol

from neptune_nas.architecture.codec import key
from neptune_nas.errors import ArchitectureError
from neptune_nas.metrics.constraints import Constraint


class CostSource(Protocol):
    """A source of the counted metrics of architectures: a `CostModel` or a table.

    Both methods raise `ArchitectureError` for an architecture without costs.
    """

    def value(self, name: str, architecture: Any, /) -> float:
        """Return one counted metric."""

    def values(self, architecture: Any, names: Iterable[str] = (), /) -> Mapping[str, float]:
        """Return the metrics that are always known, and the counted ones among `names`."""


@dataclass(slots=True)
class Costs:
    """Counts and times architectures, and decides which of them may be tried.

    `names`: the costs that objectives or constraints use. `clocks`: by timed metric, the function
    that times an architecture. `slow`: costs that take long to find, whose limits are checked last.
    """

    source: CostSource
    names: frozenset[str] = frozenset()
    constraints: Sequence[Constraint] = ()
    clocks: Mapping[str, Callable[[Any], float]] = field(default_factory=dict)
    slow: frozenset[str] = frozenset()
    times: dict[tuple[str, str], float] = field(init=False, default_factory=dict)

    @property
    def late(self) -> list[Constraint]:
        """The constraints on slow costs."""
        return [limit for limit in self.constraints if limit.name in self.slow]

    def value(self, name: str, architecture: Any) -> float:
        """Return one cost; a timed one is measured once by its clock, and infinite without one."""
        if name in self.clocks:
            place = name, key(architecture)
            if place not in self.times:
                self.times[place] = self.clocks[name](architecture)
            return self.times[place]
        return self.source.value(name, architecture)

    def value_if_any(self, name: str, architecture: Any) -> float:
        """Return one cost, or minus infinity for an architecture that cannot be built."""
        try:
            return self.value(name, architecture)
        except ArchitectureError:
            return -inf

    def counted(self, architecture: Any) -> Mapping[str, float]:
        """Return the counted costs of one forward pass of one image, by name."""
        return self.source.values(architecture, self.names)

    def measure(self, architecture: Any) -> dict[str, float]:
        """Return the counted and the timed costs, by name."""
        timed = {name: self.value(name, architecture) for name in self.clocks}
        return {**self.counted(architecture), **timed}

    def feasible(self, architecture: Any) -> bool:
        """Return whether an architecture can be built for the images and satisfies all constraints.

        Raises as `fits` does.
        """
        return self.obstacle(architecture) is None

    def obstacle(self, architecture: Any) -> str | None:
        """Return why an architecture is infeasible, or None if it is not; raises as `fits` does."""
        return self._misfit(architecture) or self._broken(architecture, self.late, {})

    def fits(self, architecture: Any) -> bool:
        """Return whether an architecture can be built and satisfies all limits but the late ones.

        Raises `OwnCodeError` where the user's code fails: that is a bug, not a property of the
        architecture.
        """
        return self._misfit(architecture) is None

    def keeps_late(self, architecture: Any) -> bool:
        """Return whether an architecture satisfies the constraints on slow costs."""
        return self._broken(architecture, self.late, {}) is None

    def _misfit(self, architecture: Any) -> str | None:
        early = [limit for limit in self.constraints if limit.name not in self.slow]
        try:
            known = self.source.values(architecture, self.names - self.slow)
            return self._broken(architecture, early, known)
        except ArchitectureError as error:
            return f"it cannot be built, or has no cost: {str(error).rstrip('.')}"

    def _broken(
        self, architecture: Any, limits: Iterable[Constraint], known: Mapping[str, float]
    ) -> str | None:
        """Return the first of some limits that an architecture breaks; `known`: costs by name."""
        for limit in limits:
            value = known.get(limit.name)
            value = self.value(limit.name, architecture) if value is None else value
            if not limit.holds(value):
                return f"it breaks {limit} with {limit.text(value)}"
        return None
