"""The run of a search, from its parts to the study with its tables, report and best."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from time import monotonic, time
from typing import Any

from threadpoolctl import threadpool_limits

from neptune_nas.engine.engine import Engine
from neptune_nas.engine.plan import preloads
from neptune_nas.engine.process import start_fork_server
from neptune_nas.errors import NeptuneError
from neptune_nas.interrupts import ctrl_c_held
from neptune_nas.report.outputs import write_outputs
from neptune_nas.search.assembly import Assembly
from neptune_nas.search.config import Say
from neptune_nas.search.coordinator import Coordinator
from neptune_nas.search.proposals import Proposer
from neptune_nas.search.provenance import (
    check_complete,
    check_costs,
    rewrite_if_lost,
    write_if_new,
)
from neptune_nas.search.warm_start import excess_notice, first_of
from neptune_nas.study.lease import folder_id, hold_lease
from neptune_nas.study.objectives import directions
from neptune_nas.study.own_code import keep_source, register
from neptune_nas.study.progress import OnProgress, Tracker
from neptune_nas.study.read import snapshot
from neptune_nas.study.rungs import Rungs
from neptune_nas.study.settings import Settings
from neptune_nas.study.store import Store
from neptune_nas.study.stored_trial import check_trials
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial
from neptune_nas.text import counted

_COUNTS_EVERY = 25  # results between two writes of the totals that no trial records


def run_search(parts: Assembly, watch: OnProgress, say: Say) -> Study:
    """Search until it is over, then write the study's tables, report and best, as `Search.run`.

    If the search ends with an error, the results so far are written before it is raised.
    """
    search, folder = parts.search, parts.search.folder
    if search.engine == "local":
        start_fork_server(preloads(parts.evaluator))  # its imports overlap with `facts`
    if not folder.exists:
        _ = parts.slots  # refuses what this machine or the cluster lacks
    parts.announce(say)
    first = first_of(parts)
    facts = parts.facts()
    if not folder.exists:
        parts.try_sampler()
    with ctrl_c_held(), folder.locked():
        settings = parts.settings(facts)
        store = parts.open_store(settings)
        check_complete(folder, store.size())
        with hold_lease(store, folder_id(folder.id), say, parts.lease_terms) as is_held:
            store.keep_numerics(settings.facts.numerics)
            if store.size() and not folder.exists:
                say(
                    f"{folder.settings} is missing, but the study's trials are there: it is "
                    f"written again."
                )
            write_if_new(folder, settings)
            if parts.latencies is not None:
                parts.latencies.keep()
            if search.space_place:
                keep_source(folder, search.space_place)
            register(folder, settings, (*parts.places, settings.question.latency_on))
            coordinator = _coordinator_of(parts, store, first)
            try:
                coordinator.load()
                check_trials(settings.question, coordinator.trials.values())
                check_costs(folder.path, coordinator.trials.values(), parts.costs.counted)
                for sentence in budget_notices(len(coordinator.trials), search.trials, len(first)):
                    say(sentence)
                coordinator.watch = _progress_to(watch, settings, coordinator.trials.values())
                _run_session(coordinator, store, parts.engine)
            except BaseException:
                if is_held():  # else another search writes the results
                    with suppress(NeptuneError):  # the first error is the one to report
                        rewrite_if_lost(folder, settings, say)
                    with suppress(NeptuneError):
                        write_outputs(snapshot(folder, settings, store))
                raise
            study = snapshot(folder, settings, store)
            write_outputs(study)
            rewrite_if_lost(folder, settings, say)
    return study


def budget_notices(begun: int, asked: int, given: int) -> Iterator[str]:
    """Yield sentences on a total below the trials begun, and on `given` ones without room."""
    if begun > asked:
        yield (
            f"The study already has {counted(begun, 'trial')}, more than the {asked} that "
            f"`trials` (--trials) asks for: no new ones are started."
        )
    if sentence := excess_notice(given, asked - begun):
        yield sentence


def _coordinator_of(parts: Assembly, store: Store, first: Sequence[Any]) -> Coordinator:
    """Return the coordinator of a search."""
    search, question = parts.search, parts.search.question
    aims = directions(question.aims)
    return Coordinator(
        question,
        store,
        Proposer(parts.problem, parts.sampler(), aims, deque(first)),
        Rungs(question.rungs, question.reduction),
        parts.costs.measure,
        budget=search.trials,
        seconds=search.timeout,
        patience=search.patience,
    )


def _progress_to(
    watch: OnProgress, settings: Settings, earlier: Iterable[Trial]
) -> Callable[[Coordinator, Trial], None]:
    """Return a function that reports progress to `watch` after each result."""
    tracker = Tracker(settings, earlier)
    return lambda coordinator, trial: watch(tracker.progress(len(coordinator.trials), trial))


def _run_session(coordinator: Coordinator, store: Store, make_engine: Callable[[], Engine]) -> None:
    """Search until it is over; an engine is started only if there is work."""
    if not coordinator.has_work:
        return
    began, before, results = monotonic(), {**store.counts(), "began": time()}, count(1)
    store.set_counts(before)
    # The samplers' linear algebra is small: more threads would only take cores from the workers.
    # The engine comes first, since a teacher's outputs are computed with all threads.
    with make_engine() as engine, threadpool_limits(limits=1):
        watch = coordinator.watch

        def note() -> None:
            store.set_counts(_session_totals(before, coordinator, engine, monotonic() - began))

        def watch_and_note(coordinator: Coordinator, trial: Trial) -> None:
            if next(results) % _COUNTS_EVERY == 0:
                note()
            watch(coordinator, trial)

        coordinator.watch = watch_and_note
        try:
            coordinator.run(engine)
            note()
        except KeyboardInterrupt:
            note()
            raise


def _session_totals(
    before: Mapping[str, float], coordinator: Coordinator, engine: Engine, seconds: float
) -> dict[str, float]:
    """Return the totals that no trial records, over earlier sessions and this one."""
    session = {
        "duplicates": coordinator.proposer.duplicates,
        "infeasible": coordinator.proposer.infeasible,
        "wall_seconds": seconds,
        "slot_seconds": seconds * engine.slots,
        "worker_deaths": engine.usage.deaths,
    }
    sums = {name: before.get(name, 0) + value for name, value in session.items()}
    return {**before, **sums, "exhausted": float(coordinator.exhausted)}
