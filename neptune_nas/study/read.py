"""Snapshots of studies on disk, read without a lock, also while a search writes to them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from neptune_nas.files.regular import is_there
from neptune_nas.metrics.registry import COST
from neptune_nas.study.audit import audit_of, read_audit
from neptune_nas.study.confirmation import read_confirmations, with_confirmations
from neptune_nas.study.database_url import sqlite_url, trials_url
from neptune_nas.study.exports import read_exports
from neptune_nas.study.folder import Folder, open_folder, read_settings
from neptune_nas.study.latencies import latency_rows, with_latencies
from neptune_nas.study.ledger import Ledger
from neptune_nas.study.own_code import records_in
from neptune_nas.study.references import read_references
from neptune_nas.study.settings import Settings
from neptune_nas.study.store import Store, open_store
from neptune_nas.study.stored_trial import check_trials
from neptune_nas.study.study import Study
from neptune_nas.study.trial import State, Trial


def read_study(
    path: str | Path, storage: str | None = None, allow: tuple[type, ...] | None = None
) -> Study:
    """Return the study in the folder at `path`.

    `storage`: the URL of its trials, if they are not in the folder and the URL needs a password.
    `allow`: the user's records that its architectures contain (default: those of its space, if
    this user began it here and the space's file has not changed); others are kept as data
    (`UnknownRecord`). Raises `StudyError` or `FileFormatError` for what is not a study or cannot be
    read.
    """
    folder = open_folder(Path(path))
    settings = read_settings(folder.settings)
    url = trials_url(folder, settings.storage, storage)
    known = records_in(folder, settings) if allow is None else allow
    return snapshot(folder, settings, open_store(url, settings.name, known, settings.identity))


def snapshot(folder: Folder, settings: Settings, store: Store) -> Study:
    """Return the present state of a study whose store is open."""
    searched = store.trials()
    check_trials(settings.question, searched)
    timed = with_latencies(settings.question, searched, latency_rows(folder))
    trials = with_confirmations(timed, read_confirmations(folder.confirmations))
    measured = read_audit(folder.audit) if is_there(folder.audit) else None
    return Study(
        folder=folder.path,
        settings=settings,
        trials=trials,
        ledger=ledger_of(trials, settings.facts.images[0], store.counts()),
        baselines=dict(_baselines_in(folder, store.allow)),
        references=read_references(folder.references),
        exports=read_exports(folder),
        audit=None if measured is None else audit_of(measured, searched, settings.question),
        full_budget=measured,
    )


def _baselines_in(
    folder: Folder, allow: tuple[type, ...]
) -> Iterator[tuple[str, tuple[Trial, ...]]]:
    """Return the trials of other samplers on the same question, by sampler name."""
    for path in sorted(folder.baselines.glob("*/")):
        inner = Folder(path)
        if inner.exists and is_there(inner.database):
            settings = read_settings(inner.settings)
            url = sqlite_url(inner.database)
            store = open_store(url, settings.name, allow, settings.identity)
            trials = store.trials()
            check_trials(settings.question, trials)
            yield settings.question.sampler, trials


def ledger_of(trials: Sequence[Trial], images: int, counts: Mapping[str, float]) -> Ledger:
    """Return the ledger of trials on that many training images, with the totals of the store."""
    states = Counter(trial.state for trial in trials)
    scores = [(t, score) for t in trials for score in (*t.scores, *t.confirmations)]
    return Ledger(
        finished=states[State.FINISHED],
        pruned=states[State.PRUNED],
        failed=states[State.FAILED],
        running=states[State.RUNNING],
        duplicates=int(counts.get("duplicates", 0)),
        infeasible=int(counts.get("infeasible", 0)),
        failures=dict(Counter(t.failure for t in trials if t.failure is not None)),
        epochs=sum(score.fidelity for _, score in scores if score.ok),
        flops_trained=sum(
            3.0 * t.values.get(COST.name, 0) * images * s.fidelity for t, s in scores if s.ok
        ),
        worker_seconds=sum(score.seconds for t in trials for score in t.scores),
        confirm_seconds=sum(score.seconds for t in trials for score in t.confirmations),
        wall_seconds=counts.get("wall_seconds", 0.0),
        slot_seconds=counts.get("slot_seconds", 0.0),
        worker_deaths=int(counts.get("worker_deaths", 0)),
        exhausted=bool(counts.get("exhausted", False)),
        began=counts.get("began", 0.0),
    )
