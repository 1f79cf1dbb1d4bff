"""The checklist of whether a study can be trusted, filled in from what it recorded.

After the checklist of Lindauer and Hutter 2020 (arXiv 1909.02453).
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from neptune_nas.deploy.restriction import restrict_for
from neptune_nas.errors import SpaceError
from neptune_nas.report.baselines import baseline_verdicts
from neptune_nas.space import Space, find_space, list_spaces
from neptune_nas.space.locate import AUTO
from neptune_nas.study.audit import ENOUGH
from neptune_nas.study.ledger import Ledger
from neptune_nas.study.measures import beats_chance, chance, main_score
from neptune_nas.study.noise import noise, sampling_interval, seed_scores, tied_groups
from neptune_nas.study.settings import PROCESSOR_TIME, Question, Settings
from neptune_nas.study.study import Study
from neptune_nas.study.trial import State
from neptune_nas.text import counted, with_commas

MARKS = {True: ("yes", "✓", "holds"), False: ("no", "✗", "does not hold"), None: ("", "?", "open")}
"""Kind on the page, mark, and mark in words of a claim, by whether it holds."""


@dataclass(frozen=True, slots=True)
class Check:
    """One claim: whether it holds (None: not checked), and the evidence."""

    claim: str
    holds: bool | None
    evidence: str


def checklist(study: Study) -> tuple[Check, ...]:
    """Fill in the honest-evaluation checklist of a study."""
    return (
        *_data_checks(study),
        *_chance_check(study),
        *_budget_checks(study),
        _seeds_check(study),
        luck_check(study),
        *_given_checks(study),
        *_rung_checks(study),
        _audit_check(study),
        _comparison_check(study),
        *_record_checks(study),
    )


def _data_checks(study: Study) -> tuple[Check, ...]:
    """Check that the splits can be reproduced, and that the test split is unused."""
    facts, question = study.settings.facts, study.settings.question
    train, validation, test = facts.images
    split = f"{train:,} train, {validation:,} validation, {test:,} test images of {question.data}"
    if not any(facts.images):
        evidence = f"scores are those of {question.evaluator}; fingerprint {facts.data_fingerprint}"
        return (Check("Nothing was trained: scores are looked up", None, evidence),)
    return (
        Check(
            "The split is fixed",
            bool(facts.data_fingerprint),
            f"{split}; fingerprint of pixels, labels and split: {facts.data_fingerprint or 'none'}",
        ),
        _test_check(question),
        Check(
            "Validation is large enough for the differences claimed",
            None,
            f"one image is {100 / max(validation, 1):.2f} points{_sampling_text(study)}",
        ),
    )


def _sampling_text(study: Study) -> str:
    """Return how far sampling alone moves the best accuracy, where that is known."""
    best = max(map(main_score, study.ranked), default=None)
    sampling = None if best is None else sampling_interval(study.settings, best)
    if best is None or sampling is None:
        return ""
    low, high = sampling
    return f"; by sampling alone the best, {best:.4f}, is anywhere from {low:.4f} to {high:.4f}"


def _test_check(question: Question) -> Check:
    """Check whether the test split influenced what is recommended."""
    claim = "No score was measured on the test split"
    if not question.trains:
        return Check(claim, None, f"scores are those of {question.evaluator}: ask whoever wrote it")
    return Check(
        claim,
        True,
        "short training scores on the validation split; test images are decoded for the data's "
        "fingerprint and used for nothing else",
    )


def _chance_check(study: Study) -> tuple[Check, ...]:
    """Check whether the best network is clearly better than a guess, where chance is known."""
    settings, main = study.settings, study.settings.question.main
    if main.name not in settings.facts.guess or not study.ranked:
        return ()
    best = max(map(main_score, study.ranked))
    evidence = (
        f"{main.title} {best:.4f}; always giving the most frequent answer of the scored images "
        f"gets {chance(settings):.4f}"
    )
    return (
        Check("The best is clearly better than chance", beats_chance(settings, best), evidence),
    )


def _budget_checks(study: Study) -> tuple[Check, ...]:
    """Check budgets, failures and duplicates."""
    ledger, question = study.ledger, study.settings.question
    last = question.rungs[-1]
    equal = {t.score.fidelity for t in study.ranked if t.score} <= {last}
    failed = sum(trial.state is State.FAILED for trial in study.trials)
    again = len(study.trials) - len({trial.key for trial in study.trials})
    repeated = ledger.duplicates
    reasons = ", ".join(f"{reason} ({count})" for reason, count in ledger.failures.items())
    why = f": {reasons} (failures.txt says where)" if reasons else ""
    return (
        Check(
            "All ranked trials had equal budgets",
            equal,
            f"{counted(len(study.ranked), 'trial')}, {question.budget(last)} each, one recipe",
        ),
        Check(
            "Failures are counted, not hidden",
            ledger.failed == failed,
            f"{ledger.failed} failed{why}{_mishaps(ledger)}",
        ),
        Check(
            "Nothing was trained twice by accident",
            not again,
            f"{again} of {counted(len(study.trials), 'trial')} with the architecture of another"
            + f"; {counted(repeated, 'proposed network')} already known" * (repeated > 0),
        ),
    )


def _mishaps(ledger: Ledger) -> str:
    """Return the end of a sentence on proposals outside the limits and dead workers, if any."""
    over, died = ledger.infeasible, ledger.worker_deaths
    outside = f"; {counted(over, 'proposed network')} outside the limits, not trained"
    return outside * (over > 0) + f"; {counted(died, 'worker')} died" * (died > 0)


def _seeds_check(study: Study) -> Check:
    """Check that the noise between seeds is known, and which trials it ties with the best."""
    spread = noise(study.ranked)
    claim = "The noise between seeds is known"
    if spread is None:
        return Check(claim, False, f"one seed a trial (study seed {study.settings.question.seed})")
    means = [main_score(trial) for trial in study.ranked]
    counts = [len(seed_scores(trial)) for trial in study.ranked]
    best, tied = max(means), tied_groups(means, counts, spread).count(1)
    near = f"the {spread.nearest} nearest of " if spread.nearest < spread.trials else ""
    return Check(
        claim,
        True,
        f"standard deviation {100 * spread.deviation(best):.2f} points around an accuracy of "
        f"{best:.4f}, the best, from {near}{counted(spread.trials, 'trial')} with repeated "
        f"seeds; {counted(tied, 'trial')} cannot be told from the most accurate",
    )


def luck_check(study: Study) -> Check:
    """Check whether the front was measured again: the best of many scores is partly luck."""
    front = study.pareto()
    again = sum(len(seed_scores(trial)) > 1 for trial in front)
    missing = "" if again == len(front) else ": 'neptune-nas confirm' scores the others again"
    return Check(
        "The front was scored with more than one seed",
        0 < again == len(front),
        f"{again} of {counted(len(front), 'trial')} on it{missing}",
    )


def _given_checks(study: Study) -> tuple[Check, ...]:
    """Check which trials were given to the search rather than sampled, if any."""
    given = [trial for trial in study.trials if trial.given]
    if not given:
        return ()
    on_front = sum(trial.given for trial in study.pareto())
    evidence = (
        f"{counted(len(given), 'trial')} given by the user, {on_front} of "
        f"{len(study.pareto())} on the front; baselines get them too"
    )
    return (Check("The search found everything by itself", False, evidence),)


def _rung_checks(study: Study) -> tuple[Check, ...]:
    """Check whether the lower rungs rank as the last one does."""
    last = study.settings.question.rungs[-1]
    return tuple(_rung_check(study, rung, last) for rung in study.settings.question.rungs[:-1])


def _rung_check(study: Study, rung: int, last: int) -> Check:
    """Check Spearman's correlation of a rung with the last one, on trials scored at both."""
    low_text, high_text = map(study.settings.question.budget, (rung, last))
    claim = f"The ranking after {low_text} matches that after {high_text}"
    both = [t for t in study.ranked if t.scores_at(rung)]
    low = [t.scores_at(rung)[0].rank_value for t in both]
    high = [main_score(t) for t in both]
    if len(both) < ENOUGH:
        few = f"{counted(len(both), 'trial')} scored at both: a verdict needs {ENOUGH}"
        return Check(claim, None, few)
    if len({*low}) < 3 or len({*high}) < 3:
        return Check(claim, None, f"{len(both)} trials scored at both, but most of them equal")
    from scipy.stats import spearmanr  # its import takes half a second

    rho = float(spearmanr(low, high).statistic)
    return Check(
        claim,
        None if 0.5 <= rho < 0.8 else rho >= 0.8,
        f"Spearman's rho {rho:.2f} on {len(both)} trials scored at both; they were promoted for "
        f"their early scores, so over all trials it would be higher",
    )


def _audit_check(study: Study) -> Check:
    """Check whether the last rung ranks as training at full budget does."""
    claim, audit = "The last rung ranks as full training does", study.audit
    if audit is None:
        return Check(claim, None, "not checked: 'neptune-nas audit' trains some again, for longer")
    taus = ", ".join(f"{a.name} {a.tau.value:.2f}" for a in (*audit.rungs, *audit.others))
    holds = audit.reliable if audit.count >= ENOUGH else None
    return Check(claim, holds, f"{audit.verdict}; tau of each: {taus}")


def _comparison_check(study: Study) -> Check:
    """Check for baselines at equal budget and hand-designed networks under the same recipe."""
    trained = (reference.name for reference in study.references if reference.seed_scores)
    names = [*study.baselines, *trained]
    return Check(
        "It was compared under equal conditions",
        bool(names),
        "; ".join((f"with {', '.join(names)}", *map(str, baseline_verdicts(study))))
        if names
        else "no baseline or hand-designed network was run",
    )


def _record_checks(study: Study) -> tuple[Check, ...]:
    """Check the record of the space, the hardware and the versions."""
    facts = study.settings.facts
    versions = ", ".join(f"{name} {version}" for name, version in facts.versions.items())
    return (
        _space_check(study),
        Check("Hardware is named", bool(facts.hardware), _hardware(study.settings)),
        Check("Versions are named", bool(versions), versions),
    )


def _hardware(settings: Settings) -> str:
    """Return the hardware, precision and layout of training, and how networks were timed."""
    facts = settings.facts
    trained = f"; trained in {facts.numerics}" if facts.numerics else ""
    return f"{facts.device}: {facts.hardware}{trained}{_timing(settings)}"


def _timing(settings: Settings) -> str:
    """Return how each metric was timed, if any was."""
    return "".join(
        f"; {name} is {how}" + " of the machine's processor, not of a GPU" * (how == PROCESSOR_TIME)
        for name, how in settings.facts.timed.items()
    )


def _as_searched(study: Study) -> Space[Any]:
    """Return the shipped space of a study, without what its target has no kernel for."""
    question = study.settings.question
    space, in_int8 = find_space(question.space), question.calibration is not None
    with suppress(SpaceError):  # nothing is left, so the study had another
        return restrict_for(space, question.target, in_int8=in_int8)[0]
    return space


def _space_check(study: Study) -> Check:
    """Check whether others have access to the space: a shipped one, unmodified."""
    facts, where = study.settings.facts, study.settings.question.space
    shipped = where == AUTO or (  # which is scaled to the images
        where in list_spaces() and _as_searched(study).fingerprint == facts.space_fingerprint
    )
    evidence = (
        f"'{facts.space_name}', {with_commas(facts.space_size)} architectures, fingerprint "
        f"{facts.space_fingerprint}"
    )
    if shipped:
        return Check("The space is published", True, f"{evidence}; neptune-nas comes with it")
    return Check("The space is published", None, f"{evidence}; publish {where} with the study")
