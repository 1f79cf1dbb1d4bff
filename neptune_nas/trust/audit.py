"""Rank fidelity, measured by training some architectures of a study again at full budget."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from neptune_nas.engine.engine import Call, Result
from neptune_nas.errors import OptionError, StudyError
from neptune_nas.evaluators.seeds import seed_for
from neptune_nas.evaluators.zero_cost import ZeroCost
from neptune_nas.files.regular import is_there
from neptune_nas.metrics.score import Score
from neptune_nas.search.config import Search
from neptune_nas.study.agreement import LEAST
from neptune_nas.study.audit import NEEDED, AuditRecord, Truth, pick, read_audit, write_audit
from neptune_nas.study.folder import Folder
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial
from neptune_nas.text import counted
from neptune_nas.trust.loop import Forecast, OnStep, follow_up, forecast

_PROXIES = ("synflow", "naswot")
_FRESH = 1_000  # first seed of audits, beyond those of searches and confirmations
_FULL = 5  # default budget, as a multiple of the last rung
_SHOWN = 10  # at most, fidelities listed in a message


@dataclass(slots=True)
class _FullBudget:
    """The architectures to train at full budget, spread over the range of the study's scores."""

    search: Search
    study: Study
    measured: AuditRecord
    trials: dict[int, Trial]
    begun: set[int] = field(init=False, default_factory=set)

    @property
    def fidelity(self) -> int:
        """The full budget, in units of fidelity."""
        return self.measured.epochs

    @property
    def missing(self) -> int:
        """The number of architectures still to be trained."""
        return len(self.trials)

    def calls(self) -> Iterator[Call]:
        """Yield a call for each architecture that has not begun; its id is the trial's number."""
        for trial in [t for t in self.trials.values() if t.number not in self.begun]:
            self.begun.add(trial.number)
            seed = seed_for(self.search.seed, trial.key, _FRESH)
            yield Call(trial.number, trial.architecture, self.fidelity, seed)

    def take(self, results: Sequence[Result]) -> list[str]:
        """Write scores, and the proxies of the same networks, to `audit.json`."""
        texts = []
        for result in results:
            trial, score = self.trials.pop(result.call.id), result.score
            truth = _truth_of(self.search, trial, score)
            self.measured = replace(self.measured, truths=(*self.measured.truths, truth))
            write_audit(Folder(self.study.folder).audit, self.measured)
            found = f"{score.main:.4f}" if score.ok else f"failed: {score.failure}"
            texts.append(f"trial {trial.number}: {found}")
        return texts


def run_audit(
    search: Search,
    architectures: int = 12,
    epochs: int | None = None,
    watch: OnStep | None = None,
) -> Study:
    """Train architectures of a search's study for `epochs`, and compare how they rank.

    They are drawn over the whole range of scores at the last rung and measured on the validation
    split, with seeds that the study has not used. `epochs`: by default five times the last rung, or
    the highest fidelity that the study's table has for every network. Each result is written to
    `audit.json` at once, so an interrupted audit can go on. Raises `StudyError` where too few
    trials are ranked, where the table has no such fidelity above the last rung, and as `follow_up`
    does; raises `OptionError` for `epochs` that the table lacks for some network.
    """
    _check_count(architectures)
    return follow_up(
        search, lambda study: _full_budget_of(search, study, architectures, epochs), watch
    )


def forecast_audit(search: Search, architectures: int = 12, epochs: int | None = None) -> Forecast:
    """Return what `run_audit` would do; raises as it does."""
    _check_count(architectures)
    return forecast(search, lambda study: _full_budget_of(search, study, architectures, epochs))


def _check_count(architectures: int) -> None:
    """Refuse a number of architectures that is too small for a ranking."""
    if architectures < LEAST:
        raise OptionError(
            f"`architectures` (--architectures) must be at least {LEAST}, but got {architectures}: "
            f"{NEEDED}."
        )


def _full_budget_of(
    search: Search, study: Study, architectures: int, epochs: int | None
) -> _FullBudget:
    """Return the audit of a study, including what was measured before."""
    measured = _earlier_measurements(search, study, epochs)
    known = {truth.number for truth in measured.truths}
    chosen = list(pick(study.ranked, architectures, search.seed, known))
    if len(chosen) < LEAST:
        raise StudyError(
            f"study {study.folder} has {counted(len(chosen), 'trial')} at its last rung, but "
            f"{NEEDED}: run more trials first."
        )
    missing = {trial.number: trial for trial in chosen if trial.number not in known}
    return _FullBudget(search, study, measured, missing)


def _earlier_measurements(search: Search, study: Study, epochs: int | None) -> AuditRecord:
    """Return the earlier measurements, or an empty record; refuse a change of the budget."""
    full = _full_budget(search, study.settings.question.rungs[-1], epochs)
    file = Folder(study.folder).audit
    if not is_there(file):
        return AuditRecord(full)
    measured = read_audit(file)
    if epochs not in (None, measured.epochs):
        raise StudyError(
            f"{file} holds an audit at {study.settings.question.budget(measured.epochs)}, not "
            f"{epochs}: use the same number, or move it away."
        )
    return measured


def _full_budget(search: Search, last: int, epochs: int | None) -> int:
    """Return the requested budget, or the default; refuse one that gives no new information."""
    if epochs is not None and epochs <= last:
        raise OptionError(
            f"`epochs` must be more than those of the last rung, {last}, not {epochs}."
        )
    fidelities = search.assembly.bench.fidelities
    if search.assembly.bench.most_seeds is None:
        return epochs or _FULL * last
    above = tuple(fidelity for fidelity in fidelities if fidelity > last)
    if not above:
        raise StudyError(
            f"{search.table} has no fidelity of every network above the last rung, {last}, so "
            f"there is nothing to audit: `neptune-nas confirm` looks at more runs of the best."
        )
    if epochs not in (None, *above):
        few = ("..., " if len(above) > _SHOWN else "") + ", ".join(map(str, above[-_SHOWN:]))
        raise OptionError(
            f"`epochs` (--epochs) must be a fidelity that {search.table} has of every network "
            f"({few}), but got {epochs}."
        )
    return epochs or above[-1]


def _truth_of(search: Search, trial: Trial, score: Score) -> Truth:
    """Return a trial's score at full budget, with its proxies if the study trains networks."""
    seed = seed_for(search.seed, trial.key)
    names = _PROXIES if search.question.trains else ()
    evaluators = (ZeroCost(name, search.question.data, search.data_dir) for name in names)
    found = ((str(each.proxy), each(trial.architecture, 0, seed)) for each in evaluators)
    proxies = {name: proxy.rank_value for name, proxy in found if proxy.ok}
    return Truth(trial.number, trial.key, score, proxies)
