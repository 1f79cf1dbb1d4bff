"""The comparison of several studies whose scores have the same meaning."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from neptune_nas.errors import StudyError
from neptune_nas.report.baselines import verdict_on
from neptune_nas.study.measures import main_score
from neptune_nas.study.settings import parameter_differences
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial


@dataclass(frozen=True, slots=True)
class StudyNumbers:
    """One study of several: `first` in its ranking, `hypervolume` over a common reference point."""

    name: str
    sampler: str
    seed: int
    trials: int
    scored: int
    best_score: float
    first: Trial
    hypervolume: float
    worker_seconds: float


def check_comparable(studies: Sequence[Study], force: bool = False) -> tuple[str, ...]:
    """Return the reasons why the studies' scores are not comparable, a sentence each.

    Raises `StudyError` for the first such difference unless `force`, and always for different
    objectives, which have no common front.
    """
    first = studies[0]
    names = tuple(study.settings.name for study in studies)
    found: list[str] = []
    for other in studies[1:]:
        pair = f"studies '{names[0]}' and '{other.settings.name}'"
        ours, theirs = first.settings.question, other.settings.question
        if ours.objectives != theirs.objectives:
            raise StudyError(
                f"{pair} have no common front: one minimises {', '.join(ours.objectives)}, the "
                f"other {', '.join(theirs.objectives)}; report them one by one."
            )
        found += [f"{pair} {what}" for what in _differences(first, other)]
    if found and not force:
        raise StudyError(
            f"{found[0]}, so their scores do not compare; `force` (--force) shows them anyway."
        )
    return tuple(found)


def _differences(a: Study, b: Study) -> list[str]:
    """Return the differences in data, recipe and budget between two studies."""
    ours, theirs = a.settings.question, b.settings.question
    data = a.settings.facts.data_fingerprint, b.settings.facts.data_fingerprint
    found = []
    if data[0] != data[1]:
        found.append(f"use different data or splits ({data[0]} and {data[1]})")
    if ours.evaluator != theirs.evaluator:
        found.append(f"use different evaluators ({ours.evaluator} and {theirs.evaluator})")
    elif theirs.evaluator_kwargs is not None:
        unlike = parameter_differences(ours.evaluator_kwargs, theirs.evaluator_kwargs)
        found += [f"differ in {what} ({one!r} and {other!r})" for what, other, one in unlike]
    if ours.start != theirs.start:
        starts = [each.settings.facts.start or "fresh weights" for each in (a, b)]
        found.append(f"start from different weights ({' and '.join(starts)})")
    if ours.rungs[-1] != theirs.rungs[-1]:
        found.append(f"rank at different fidelities ({ours.rungs[-1]} and {theirs.rungs[-1]})")
    for aim in ours.aims:
        kinds = [each.settings.timed_as(aim) or "one that it does not name" for each in (a, b)]
        if kinds[0] != kinds[1]:
            found.append(f"have a {aim.name} of different kinds ({' and '.join(kinds)})")
    changed = sorted(
        name
        for name in ours.recipe.keys() | theirs.recipe.keys()
        if ours.recipe.get(name) != theirs.recipe.get(name)
    )
    if changed:
        found.append(f"train with different recipes ({', '.join(changed)})")
    taught = [(each.teacher_digest, each.teacher_views) for each in (ours, theirs)]
    if taught[0] != taught[1]:
        places = (each.settings.facts.teacher or "none" for each in (a, b))
        found.append(f"learn from different teachers ({' and '.join(places)})")
    return found


def compare_studies(studies: Sequence[Study], force: bool = False) -> tuple[StudyNumbers, ...]:
    """Return the numbers that compare the studies.

    Raises as `check_comparable` does, and where nothing is scored.
    """
    check_comparable(studies, force)
    return tuple(_numbers(study) for study in with_common_reference(studies))


def verdicts(studies: Sequence[Study], labels: Sequence[str]) -> Iterator[str]:
    """Yield a sentence on each study but the best: whether the best is better, and by how much.

    `labels`: a name for each study. The best has the largest hypervolume over the common reference.
    """
    common = [*zip(labels, with_common_reference(studies), strict=True)]
    best, leader = max(common, key=lambda each: each[1].hypervolume())
    for label, other in common:
        if other is not leader:
            found = verdict_on(leader, label, other.trials, other.settings.question.rungs[-1])
            first, second = (best, label) if found.ahead >= 0 else (label, best)
            is_clear = found.low > 0 or found.high < 0
            how = "is better than" if is_clear else "is not clearly different from"
            yield f"{first} {how} {second}: {found.evidence}.{_confirmed(leader, other)}"


def _confirmed(*studies: Study) -> str:
    """Return a note on confirmations, which the table of studies counts, if there are any."""
    any_of_them = any(trial.confirmations for study in studies for trial in study.trials)
    return " Confirmations, which only the best have, do not count here." * any_of_them


def _numbers(study: Study) -> StudyNumbers:
    """Return the numbers of one study."""
    return StudyNumbers(
        name=study.settings.name,
        sampler=study.settings.question.sampler,
        seed=study.settings.question.seed,
        trials=len(study.trials),
        scored=len(study.ranked),
        best_score=main_score(study.best(study.settings.question.main.name)),
        first=study.best(),
        hypervolume=study.hypervolume(),
        worker_seconds=study.ledger.worker_seconds,
    )


def with_common_reference(studies: Sequence[Study]) -> tuple[Study, ...]:
    """Return the studies with the worst corner of all of them as reference point."""
    aims = studies[0].settings.question.aims
    corners = zip(*(study.settings.facts.reference for study in studies), strict=True)
    pairs = zip(aims, corners, strict=True)
    common = tuple(min(c) if aim.better == "more" else max(c) for aim, c in pairs)
    return tuple(
        replace(r, settings=replace(r.settings, facts=replace(r.settings.facts, reference=common)))
        for r in studies
    )
