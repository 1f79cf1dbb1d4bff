"""A search at work: from what is asked to the study with its tables, report and best."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from optuna.samplers import BaseSampler

from neptune_nas.architecture.fields import record_classes
from neptune_nas.engine.engine import Engine
from neptune_nas.errors import NeptuneError
from neptune_nas.interrupts import ctrl_c_held
from neptune_nas.report.outputs import write_outputs
from neptune_nas.search.coordinator import Coordinator, Limits
from neptune_nas.search.opening import Opening
from neptune_nas.search.proposals import Proposer
from neptune_nas.search.provenance import begin
from neptune_nas.search.recount import check_costs
from neptune_nas.search.session import run_session
from neptune_nas.search.subject import Subject
from neptune_nas.search.warm_start import left_out
from neptune_nas.study.objectives import directions
from neptune_nas.study.progress import Progress, Tracker
from neptune_nas.study.read import snapshot
from neptune_nas.study.rungs import Rungs
from neptune_nas.study.settings import Settings
from neptune_nas.study.store import Store
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial
from neptune_nas.text import counted
from neptune_nas.watch import ignore

Watch = Callable[[Progress], None]
Say = Callable[[str], None]


def run_search(
    opening: Opening,
    subject: Subject,
    make_engine: Callable[[], Engine],
    limits: Limits,
    watch: Watch,
    say: Say = ignore,
    *,
    first: Sequence[Any] = (),
) -> Study:
    """Search until a limit is met, then write the study's tables, report and best.

    `first`: feasible architectures of the space, to be tried before the sampler's own; `say` is
    told how many of them have no trial left, of a study that has more trials than asked for, and
    that networks cannot be built. What was found is written too where the search ends with an
    error, which is then raised.
    """
    facts, sampler = subject.facts(), subject.sampler()
    if subject.left_out:
        say(subject.left_out)
    if not opening.folder.exists:
        subject.try_sampler()
    with ctrl_c_held(), opening.folder.locked():
        settings = opening.settle(facts)
        store = opening.open_store(settings, record_classes(subject.space.template))
        begin(opening.folder, settings)
        coordinator = coordinator_of(subject, sampler, store, first)
        try:
            coordinator.load()
            check_costs(opening.folder.path, coordinator.trials.values(), subject.costs.counted)
            for sentence in unexpected(len(coordinator.trials), limits.trials, len(first)):
                say(sentence)
            coordinator.watch = told(settings, coordinator.trials.values(), watch)
            run_session(coordinator, store, make_engine, limits)
        except BaseException:
            with suppress(NeptuneError):  # the first mistake is the one to tell
                write_outputs(snapshot(opening.folder, settings, store))
            raise
        study = snapshot(opening.folder, settings, store)
        write_outputs(study)
    return study


def unexpected(begun: int, asked: int, given: int) -> Iterator[str]:
    """That so many trials in all are fewer than are begun, or have no room for what is given."""
    if begun > asked:
        yield (
            f"The study has {counted(begun, 'trial')} already, more than the {asked} in all that "
            f"`trials` (--trials) asks for: no new ones are begun."
        )
    if sentence := left_out(given, asked - begun):
        yield sentence


def coordinator_of(
    subject: Subject, sampler: BaseSampler, store: Store, first: Sequence[Any]
) -> Coordinator:
    """The one who asks, submits and tells."""
    question = subject.question
    proposer = Proposer(subject.problem, sampler, directions(question.aims), deque(first))
    rungs = Rungs(question.rungs, question.reduction)
    return Coordinator(question, store, proposer, rungs, subject.costs.measure)


def told(
    settings: Settings, earlier: Iterable[Trial], watch: Watch
) -> Callable[[Coordinator, Trial], None]:
    """What has `watch` know after each result how far the search is."""
    tracker = Tracker(settings, earlier)
    return lambda coordinator, trial: watch(tracker.progress(len(coordinator.trials), trial))
