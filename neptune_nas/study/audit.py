"""Rank fidelity: how well the rungs of a study rank architectures, compared with full budget.

`audit.json` stores the measurements as they arrive; everything else is computed on reading.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import fmean

from neptune_nas.files.rules import Count, Number, Size
from neptune_nas.metrics.registry import COST, PARAMS
from neptune_nas.metrics.score import Score
from neptune_nas.study.agreement import LEAST, Agreement, agreement
from neptune_nas.study.measured_file import read_measured, traced_json, write_measured
from neptune_nas.study.settings import Question
from neptune_nas.study.trial import Trial

_RELIABLE = 0.5  # least Kendall's tau of the last rung with the truth
ENOUGH = 8  # architectures: with fewer, a high tau is no evidence
NEEDED = f"an audit needs {LEAST} architectures to compare, and {ENOUGH} for a verdict"
_NAN = float("nan")
_SIZES = (PARAMS, COST)  # metrics that cost nothing to rank by

_Agreements = tuple[Agreement, ...]


@dataclass(frozen=True, slots=True)
class Truth:
    """The score of one trial's architecture at full budget, with its zero-cost proxies."""

    number: Count
    key: str
    score: Score
    proxies: dict[str, Number]


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """The measurements of an audit so far; `epochs` is the full budget."""

    epochs: Size
    truths: tuple[Truth, ...] = ()


@dataclass(frozen=True, slots=True)
class Audit:
    """The agreement of rungs, proxies and sizes with full budget, over `count` architectures.

    `epochs`: the full budget; `budget`: the same in words. `rungs`: from the lowest to the last, by
    which the study is ranked. `others`: proxies and sizes, which cost almost nothing. `failed`:
    architectures whose training failed.
    """

    epochs: int
    budget: str
    count: int
    failed: int
    rungs: _Agreements
    others: _Agreements

    @property
    def reliable(self) -> bool:
        """True if the last rung ranks well enough: tau at least 0.5 of at least 8 architectures."""
        return self.count >= ENOUGH and self.rungs[-1].tau.value >= _RELIABLE

    @property
    def verdict(self) -> str:
        """A sentence that states the result."""
        tau = self.rungs[-1].tau
        said = "ranking reliable" if self.reliable else "ranking unreliable"
        if self.count < ENOUGH:
            said = f"too few to say whether the ranking is reliable ({NEEDED})"
        return (
            f"{said}: after {self.budget}, {self.count} architectures rank as at the last "
            f"rung with a Kendall tau of {tau.value:.2f} (95% interval {tau.low:.2f} to "
            f"{tau.high:.2f}; at least {_RELIABLE} is required)"
        )


def pick(
    ranked: Sequence[Trial], count: int, seed: int, known: Collection[int] = ()
) -> Iterator[Trial]:
    """Yield trials spread over the range of scores: a random one from each of `count` quantiles.

    A trial whose number is `known`, since it was measured before, is preferred in its quantile.
    """
    rng = Random(seed)
    ordered = sorted(ranked, key=lambda t: (t.score.main if t.score else 0.0, t.number))
    count = min(count, len(ordered))
    for i in range(count):
        share = ordered[i * len(ordered) // count : (i + 1) * len(ordered) // count]
        yield rng.choice([trial for trial in share if trial.number in known] or share)


def audit_of(measured: AuditRecord, trials: Sequence[Trial], question: Question) -> Audit | None:
    """Return the audit of a study's trials, or None while there are too few measurements."""
    by_key = {trial.key: trial for trial in trials}
    good = [truth for truth in measured.truths if truth.score.ok and truth.key in by_key]
    audited = [by_key[truth.key] for truth in good]
    proxies = dict.fromkeys(name for truth in good for name in truth.proxies)
    rungs = {
        _rung_name(question, level): [_value_at(trial, level) for trial in audited]
        for level in question.rungs
    }
    others = {
        **{name: [truth.proxies.get(name, _NAN) for truth in good] for name in proxies},
        **{cost.title: [trial.values.get(cost.name, _NAN) for trial in audited] for cost in _SIZES},
    }
    if len(good) < LEAST:
        return None
    full = [truth.score.main for truth in good]
    return Audit(
        epochs=measured.epochs,
        budget=question.budget(measured.epochs),
        count=len(good),
        failed=len(measured.truths) - len(good),
        rungs=_agreements(rungs, full),
        others=_agreements(others, full),
    )


def _agreements(columns: Mapping[str, Sequence[float]], truth: Sequence[float]) -> _Agreements:
    """Return the agreement of each column with the truth, where it has enough values."""
    return tuple(filter(None, (agreement(name, values, truth) for name, values in columns.items())))


def _rung_name(question: Question, level: int) -> str:
    """Return a short label of a rung."""
    return f"rung 0 ({question.proxy})" if level == 0 and question.proxy else f"rung {level}"


def _value_at(trial: Trial, level: int) -> float:
    """Return the mean of a trial's scores at a rung; NaN without any."""
    scores = trial.scores_at(level)
    return fmean(score.rank_value for score in scores) if scores else _NAN


def write_audit(file: Path, measured: AuditRecord) -> None:
    """Write `audit.json`."""
    truths = [
        {
            "number": truth.number,
            "key": truth.key,
            "score": traced_json(truth.score),
            "proxies": truth.proxies,
        }
        for truth in measured.truths
    ]
    write_measured(file, {"epochs": measured.epochs, "truths": truths})


def read_audit(file: Path) -> AuditRecord:
    """Return the content of an `audit.json`; raises `FileFormatError` for a malformed file."""
    return read_measured(file, AuditRecord)
