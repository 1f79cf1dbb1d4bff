"""Searches that measure in the test's own process."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from neptune_nas.engine.engine import Engine
from neptune_nas.search.assembly import Assembly
from neptune_nas.search.config import Search


@dataclass(frozen=True)
class OnEngine(Assembly):
    """The parts of a search, with an engine of another make."""

    make: Callable[[], Engine]

    def engine(self) -> Engine:
        """Return what `make` makes."""
        return self.make()


def on_engine(search: Search, make: Callable[[], Engine]) -> Search:
    """Return the same search, measured by what `make` makes."""
    other = replace(search)
    vars(other)["assembly"] = OnEngine(other, make)  # where the cached property keeps it
    return other
