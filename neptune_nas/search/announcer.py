"""Announcements of slow steps of a search."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic

from neptune_nas.metrics.costs import Costs
from neptune_nas.metrics.counted import WHOLE
from neptune_nas.metrics.survey import MEASURED
from neptune_nas.search.config import Say, ignore

_AFTER, _EVERY = 2.0, 10.0  # seconds until the first sentence, and between two


@dataclass(slots=True)
class Announcer:
    """Says how far a slow step has come: after 2 seconds, then every 10."""

    say: Say = ignore
    clock: Callable[[], float] = monotonic

    def progress(self, doing: str) -> Callable[[int, int], None]:
        """Return a function to call with the number of things done and the total."""
        due = self.clock() + _AFTER

        def note(done: int, total: int) -> None:
            nonlocal due
            if self.clock() >= due:
                due = self.clock() + _EVERY
                self.say(f"{doing}: {done:,} of {total:,} checked.")

        return note


def slow_steps(costs: Costs) -> Iterator[str]:
    """Yield sentences on the limits that can only be checked by measuring networks."""
    titles = {
        limit.metric.title: "Counting" if limit.name in WHOLE else "Timing" for limit in costs.late
    }
    for title, how in titles.items():
        yield f"{how} up to {MEASURED} random networks, to see how many meet the {title} limit."
