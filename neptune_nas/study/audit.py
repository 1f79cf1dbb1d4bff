"""Rank fidelity: do the rungs of a study rank as training at full budget does?

`audit.json` keeps what was measured, as it comes; what follows from it is worked out on reading.
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

RELIABLE = 0.5  # Kendall's tau of the last rung with the truth
ENOUGH = 8  # architectures: of fewer, a high tau is no evidence
NEEDED = f"an audit needs {LEAST} architectures to compare, and {ENOUGH} for a verdict"
NAN = float("nan")
SIZES = (PARAMS, COST)  # what costs nothing to rank by

Agreements = tuple[Agreement, ...]


@dataclass(frozen=True, slots=True)
class Truth:
    """One trial's architecture at full budget, and what zero-cost proxies say of it."""

    number: Count
    key: str
    score: Score
    proxies: dict[str, Number]


@dataclass(frozen=True, slots=True)
class Measured:
    """What an audit has measured so far: `epochs` is the full budget."""

    epochs: Size
    truths: tuple[Truth, ...] = ()


@dataclass(frozen=True, slots=True)
class Audit:
    """How the study's rungs, proxies and sizes rank `count` architectures against full budget.

    `epochs`: that budget, which `budget` says in words. `rungs`: from the lowest to the last, which
    the study is ranked by. `others`: what costs almost nothing. `failed`: architectures that could
    not be trained to the end.
    """

    epochs: int
    budget: str
    count: int
    failed: int
    rungs: Agreements
    others: Agreements

    @property
    def reliable(self) -> bool:
        """Whether the last rung ranks well enough: a tau of at least 0.5, of 8 at the least."""
        return self.count >= ENOUGH and self.rungs[-1].tau.value >= RELIABLE

    @property
    def verdict(self) -> str:
        """What the audit says, in a sentence."""
        tau = self.rungs[-1].tau
        said = "ranking reliable" if self.reliable else "ranking unreliable"
        if self.count < ENOUGH:
            said = f"too few to say whether the ranking is reliable ({NEEDED})"
        return (
            f"{said}: after {self.budget}, {self.count} architectures rank as at the last "
            f"rung with a Kendall tau of {tau.value:.2f} (95% interval {tau.low:.2f} to "
            f"{tau.high:.2f}; at least {RELIABLE} is asked for)"
        )


def pick(
    ranked: Sequence[Trial], count: int, seed: int, known: Collection[int] = ()
) -> Iterator[Trial]:
    """Trials spread over the range of scores: one at random of each of `count` equal shares.

    A trial whose number is `known`, measured before, stands for its share.
    """
    rng = Random(seed)
    ordered = sorted(ranked, key=lambda t: (t.score.main if t.score else 0.0, t.number))
    count = min(count, len(ordered))
    for i in range(count):
        share = ordered[i * len(ordered) // count : (i + 1) * len(ordered) // count]
        yield rng.choice([trial for trial in share if trial.number in known] or share)


def audit_of(measured: Measured, trials: Sequence[Trial], question: Question) -> Audit | None:
    """What the measurements say of a study's trials; None while they are too few."""
    by_key = {trial.key: trial for trial in trials}
    good = [truth for truth in measured.truths if truth.score.ok and truth.key in by_key]
    audited = [by_key[truth.key] for truth in good]
    proxies = dict.fromkeys(name for truth in good for name in truth.proxies)
    rungs = {
        rung_name(question, level): [value_at(trial, level) for trial in audited]
        for level in question.rungs
    }
    others = {
        **{name: [truth.proxies.get(name, NAN) for truth in good] for name in proxies},
        **{cost.title: [trial.values.get(cost.name, NAN) for trial in audited] for cost in SIZES},
    }
    if len(good) < LEAST:
        return None
    full = [truth.score.main for truth in good]
    return Audit(
        epochs=measured.epochs,
        budget=question.budget(measured.epochs),
        count=len(good),
        failed=len(measured.truths) - len(good),
        rungs=agreements(rungs, full),
        others=agreements(others, full),
    )


def agreements(columns: Mapping[str, Sequence[float]], truth: Sequence[float]) -> Agreements:
    """The agreement of each column with the truth, where there are enough values."""
    return tuple(filter(None, (agreement(name, values, truth) for name, values in columns.items())))


def rung_name(question: Question, level: int) -> str:
    """A rung in a few letters."""
    return f"rung 0 ({question.proxy})" if level == 0 and question.proxy else f"rung {level}"


def value_at(trial: Trial, level: int) -> float:
    """The mean of a trial's scores at a rung; NaN without any."""
    scores = trial.scores_at(level)
    return fmean(score.rank_value for score in scores) if scores else NAN


def write_audit(file: Path, measured: Measured) -> None:
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


def read_audit(file: Path) -> Measured:
    """Return what `write_audit` wrote; raises `FileFormatError` for another file."""
    return read_measured(file, Measured)
