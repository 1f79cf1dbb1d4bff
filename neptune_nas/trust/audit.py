"""Rank fidelity, measured: some architectures of a study are trained again, at full budget."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from neptune_nas.engine.engine import Call
from neptune_nas.engine.process import end_if_unguarded
from neptune_nas.errors import OptionError, StudyError
from neptune_nas.evaluators.seeds import seed_for
from neptune_nas.evaluators.tabular import Tabular
from neptune_nas.evaluators.zero_cost import ZeroCost
from neptune_nas.interrupts import ctrl_c_held
from neptune_nas.metrics.score import Score
from neptune_nas.report.outputs import write_outputs
from neptune_nas.search.config import Search
from neptune_nas.search.resume import check_same, study_of
from neptune_nas.search.table import common_fidelities
from neptune_nas.study.agreement import LEAST
from neptune_nas.study.audit import NEEDED, Measured, Truth, pick, read_audit, write_audit
from neptune_nas.study.folder import Folder
from neptune_nas.study.settings import TRAINING
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial
from neptune_nas.text import counted
from neptune_nas.watch import ignore

PROXIES = ("synflow", "naswot")
FRESH = 1_000  # seeds from there on are none that a search or its confirmation uses
FULL = 5  # times the last rung, unless it is said
SHOWN = 10  # fidelities in a message

Watch = Callable[[int, int], None]


def run_audit(
    search: Search, architectures: int = 12, epochs: int | None = None, watch: Watch = ignore
) -> Study:
    """Train architectures of a search's study for `epochs`, and compare how they rank.

    They are drawn over the whole range of scores at the last rung (`epochs`: five times that by
    default, or the highest fidelity that the study's table has of every network), and measured on
    the validation split with seeds that the study has not used. Each result is kept in `audit.json`
    as it comes, so an audit that is stopped goes on. `watch` is told how many are done, and of how
    many. Raises `StudyError` where too few trials are ranked, or the table has no such fidelity
    above the last rung, and `OptionError` for `epochs` that it has not of every network.
    """
    end_if_unguarded()
    if architectures < LEAST:
        raise OptionError(
            f"`architectures` (--architectures) must be at least {LEAST}, but got {architectures}: "
            f"{NEEDED}."
        )
    folder = search.folder
    study = study_of(search)
    check_same(search, study)
    with ctrl_c_held(), folder.locked():
        measured = settled(search, study, epochs)
        known = {truth.number for truth in measured.truths}
        chosen = list(pick(study.ranked, architectures, search.seed, known))
        if len(chosen) < LEAST:
            raise StudyError(
                f"study {folder.path} has {counted(len(chosen), 'trial')} at its last rung, but "
                f"{NEEDED}: search on first."
            )
        missing = [trial for trial in chosen if trial.number not in known]
        told = count(1)
        for found in truths(search, missing, measured.epochs):
            before = len(measured.truths)
            for truth in found:
                measured = replace(measured, truths=(*measured.truths, truth))
                write_audit(folder.audit, measured)
            for _ in measured.truths[before:]:
                watch(next(told), len(missing))
        study = study_of(search)
        write_outputs(study)
    return study


def settled(search: Search, study: Study, epochs: int | None) -> Measured:
    """What was measured before, or nothing yet, at the budget that is asked for."""
    full = full_budget(search, study.settings.question.rungs[-1], epochs)
    file = Folder(study.folder).audit
    if not file.is_file():
        return Measured(full)
    measured = read_audit(file)
    if epochs not in (None, measured.epochs):
        raise StudyError(
            f"{file} holds an audit at {study.settings.question.budget(measured.epochs)}, not "
            f"{epochs}: ask for as many, or move it away."
        )
    return measured


def full_budget(search: Search, last: int, epochs: int | None) -> int:
    """The budget that is asked for, or the usual one; refuses one that tells nothing new."""
    if epochs is not None and epochs <= last:
        raise OptionError(
            f"`epochs` must be more than those of the last rung, {last}, not {epochs}."
        )
    if search.known is None:
        return epochs or FULL * last
    above = fidelities_above(search.known, last)
    if epochs not in (None, *above):
        few = ("..., " if len(above) > SHOWN else "") + ", ".join(map(str, above[-SHOWN:]))
        raise OptionError(
            f"`epochs` (--epochs) must be a fidelity that {search.table} has of every network "
            f"({few}), but got {epochs}."
        )
    return epochs or above[-1]


def fidelities_above(table: Tabular[Any], last: int) -> tuple[int, ...]:
    """A table's fidelities above the last rung, rising, which it has of every network.

    Raises `StudyError` where there is none.
    """
    above = tuple(fidelity for fidelity in common_fidelities(table) if fidelity > last)
    if not above:
        raise StudyError(
            f"{table.source} has no fidelity of every network above the last rung, {last}, to "
            f"compare with: there is nothing to audit, and `neptune-nas confirm` looks at more "
            f"runs of the best."
        )
    return above


def truths(search: Search, trials: Sequence[Trial], epochs: int) -> Iterator[Iterator[Truth]]:
    """Each trial at full budget, as they finish: those together that do so at once."""
    if not trials:
        return
    by_number = {trial.number: trial for trial in trials}
    with search.make_engine() as engine:
        for trial in trials:
            seed = seed_for(search.seed, trial.key, FRESH)
            engine.submit(Call(trial.number, trial.architecture, epochs, seed))
        while engine.pending:
            results = engine.wait()
            yield (truth_of(search, by_number[r.call.id], r.score) for r in results)


def truth_of(search: Search, trial: Trial, score: Score) -> Truth:
    """One trial's score at full budget beside what proxies say of it, where there are images."""
    seed = seed_for(search.seed, trial.key)
    names = PROXIES if search.question.evaluator == TRAINING else ()
    evaluators = (ZeroCost(name, search.question.data, search.data_dir) for name in names)
    found = ((str(each.proxy), each(trial.architecture, 0, seed)) for each in evaluators)
    proxies = {name: proxy.rank_value for name, proxy in found if proxy.ok}
    return Truth(trial.number, trial.key, score, proxies)
