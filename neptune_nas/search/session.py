"""One session of a study: an engine at work on a coordinator's calls, and what that cost."""

from collections.abc import Callable, Mapping
from itertools import count
from time import monotonic, time

from threadpoolctl import threadpool_limits

from neptune_nas.engine.engine import Engine
from neptune_nas.search.coordinator import Coordinator, Limits
from neptune_nas.study.store import Store
from neptune_nas.study.trial import State, Trial

COUNTS_EVERY = 25  # results between two notes of the sums that no trial holds


def run_session(
    coordinator: Coordinator, store: Store, make_engine: Callable[[], Engine], limits: Limits
) -> None:
    """Search until a limit is met; an engine is made only if there is anything to do."""
    if not has_work(coordinator, limits):
        return
    began, before, results = monotonic(), {**store.counts(), "began": time()}, count(1)
    store.set_counts(before)
    # The samplers' linear algebra is small: more threads would only take cores from the workers.
    with threadpool_limits(limits=1), make_engine() as engine:
        watch = coordinator.watch

        def note() -> None:
            store.set_counts(spent(before, coordinator, engine, monotonic() - began))

        def watch_and_note(coordinator: Coordinator, trial: Trial) -> None:
            if next(results) % COUNTS_EVERY == 0:
                note()
            watch(coordinator, trial)

        coordinator.watch = watch_and_note
        try:
            coordinator.run(engine, limits)
            note()
        except KeyboardInterrupt:
            note()
            raise


def has_work(coordinator: Coordinator, limits: Limits) -> bool:
    """Whether trials are missing or unfinished."""
    trials = coordinator.trials.values()
    return len(trials) < limits.trials or any(t.state is State.RUNNING for t in trials)


def spent(
    before: Mapping[str, float], coordinator: Coordinator, engine: Engine, seconds: float
) -> dict[str, float]:
    """The sums that no trial holds: those of earlier sessions and of this one."""
    session = {
        "duplicates": coordinator.proposer.duplicates,
        "infeasible": coordinator.proposer.infeasible,
        "wall_seconds": seconds,
        "slot_seconds": seconds * engine.slots,
        "worker_deaths": engine.usage.deaths,
    }
    sums = {name: before.get(name, 0) + value for name, value in session.items()}
    return {**before, **sums, "exhausted": float(coordinator.exhausted)}
