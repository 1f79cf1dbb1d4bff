"""Rank fidelity, measured: some architectures of a study are trained again, at full budget."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from neptune_nas.engine.engine import Call, Result
from neptune_nas.errors import OptionError, StudyError
from neptune_nas.evaluators.seeds import seed_for
from neptune_nas.evaluators.zero_cost import ZeroCost
from neptune_nas.metrics.score import Score
from neptune_nas.search.config import Search, ignore
from neptune_nas.study.agreement import LEAST
from neptune_nas.study.audit import NEEDED, Measured, Truth, pick, read_audit, write_audit
from neptune_nas.study.folder import Folder
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial
from neptune_nas.text import counted
from neptune_nas.trust.loop import Forecast, OnStep, follow_up, forecast

PROXIES = ("synflow", "naswot")
FRESH = 1_000  # seeds from there on are none that a search or its confirmation uses
FULL = 5  # times the last rung, unless it is said
SHOWN = 10  # fidelities in a message


@dataclass(slots=True)
class FullBudget:
    """Architectures of a study at full budget, spread over the range of its scores."""

    search: Search
    study: Study
    measured: Measured
    trials: dict[int, Trial]
    begun: set[int] = field(init=False, default_factory=set)

    @property
    def fidelity(self) -> int:
        """The full budget."""
        return self.measured.epochs

    @property
    def missing(self) -> int:
        """How many architectures are still to be trained."""
        return len(self.trials)

    def calls(self) -> Iterator[Call]:
        """Yield the architectures that have not begun, each by its trial's number."""
        for trial in [t for t in self.trials.values() if t.number not in self.begun]:
            self.begun.add(trial.number)
            seed = seed_for(self.search.seed, trial.key, FRESH)
            yield Call(trial.number, trial.architecture, self.fidelity, seed)

    def take(self, results: Sequence[Result]) -> list[str]:
        """Keep scores, and what proxies say of their networks, in `audit.json`."""
        texts = []
        for result in results:
            trial, score = self.trials.pop(result.call.id), result.score
            truth = truth_of(self.search, trial, score)
            self.measured = replace(self.measured, truths=(*self.measured.truths, truth))
            write_audit(Folder(self.study.folder).audit, self.measured)
            found = f"{score.main:.4f}" if score.ok else f"failed: {score.failure}"
            texts.append(f"trial {trial.number}: {found}")
        return texts


def run_audit(
    search: Search, architectures: int = 12, epochs: int | None = None, watch: OnStep = ignore
) -> Study:
    """Train architectures of a search's study for `epochs`, and compare how they rank.

    They are drawn over the whole range of scores at the last rung (`epochs`: five times that by
    default, or the highest fidelity that the study's table has of every network), and measured on
    the validation split with seeds that the study has not used. Each result is kept in `audit.json`
    as it comes, so an audit that is stopped goes on. Raises `StudyError` where too few trials are
    ranked, or the table has no such fidelity above the last rung, and as `follow_up` does, and
    `OptionError` for `epochs` that a table has not of every network.
    """
    check_count(architectures)
    return follow_up(search, lambda study: audit_of(search, study, architectures, epochs), watch)


def forecast_audit(search: Search, architectures: int = 12, epochs: int | None = None) -> Forecast:
    """Return what `run_audit` would do; raises as it does."""
    check_count(architectures)
    return forecast(search, lambda study: audit_of(search, study, architectures, epochs))


def check_count(architectures: int) -> None:
    """Refuse fewer architectures than have a ranking."""
    if architectures < LEAST:
        raise OptionError(
            f"`architectures` (--architectures) must be at least {LEAST}, but got {architectures}: "
            f"{NEEDED}."
        )


def audit_of(search: Search, study: Study, architectures: int, epochs: int | None) -> FullBudget:
    """Return the follow-up of a study as it stands."""
    measured = settled(search, study, epochs)
    known = {truth.number for truth in measured.truths}
    chosen = list(pick(study.ranked, architectures, search.seed, known))
    if len(chosen) < LEAST:
        raise StudyError(
            f"study {study.folder} has {counted(len(chosen), 'trial')} at its last rung, but "
            f"{NEEDED}: search on first."
        )
    missing = {trial.number: trial for trial in chosen if trial.number not in known}
    return FullBudget(search, study, measured, missing)


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
    fidelities = search.assembly.bench.fidelities
    if search.assembly.bench.most_seeds is None:
        return epochs or FULL * last
    above = tuple(fidelity for fidelity in fidelities if fidelity > last)
    if not above:
        raise StudyError(
            f"{search.table} has no fidelity of every network above the last rung, {last}, to "
            f"compare with: there is nothing to audit, and `neptune-nas confirm` looks at more "
            f"runs of the best."
        )
    if epochs not in (None, *above):
        few = ("..., " if len(above) > SHOWN else "") + ", ".join(map(str, above[-SHOWN:]))
        raise OptionError(
            f"`epochs` (--epochs) must be a fidelity that {search.table} has of every network "
            f"({few}), but got {epochs}."
        )
    return epochs or above[-1]


def truth_of(search: Search, trial: Trial, score: Score) -> Truth:
    """One trial's score at full budget beside what proxies say of it, where there are images."""
    seed = seed_for(search.seed, trial.key)
    names = PROXIES if search.question.trains else ()
    evaluators = (ZeroCost(name, search.question.data, search.data_dir) for name in names)
    found = ((str(each.proxy), each(trial.architecture, 0, seed)) for each in evaluators)
    proxies = {name: proxy.rank_value for name, proxy in found if proxy.ok}
    return Truth(trial.number, trial.key, score, proxies)
