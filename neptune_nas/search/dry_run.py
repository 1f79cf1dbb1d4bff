"""What a search would do, said before it is done."""

from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

from neptune_nas.architecture.codec import key
from neptune_nas.devices.threads import torch_threads
from neptune_nas.evaluators.seeds import seed_for
from neptune_nas.metrics.constraints import Survey
from neptune_nas.metrics.trial import Score
from neptune_nas.search.config import Search
from neptune_nas.search.recount import check_costs
from neptune_nas.search.resume import study_of
from neptune_nas.search.run import Say, unexpected
from neptune_nas.search.subject import Subject
from neptune_nas.study.progress import is_complete
from neptune_nas.study.rungs import Rungs
from neptune_nas.study.settings import Facts, Question
from neptune_nas.study.study import Study
from neptune_nas.watch import ignore

CANDIDATES = 21  # of which the one with the median FLOPs is trained


@dataclass(frozen=True, slots=True)
class Plan:
    """The study that would be made, and one candidate trained.

    `study`: as it stands with what is asked of it now; None for a new one. `score`: None where
    nothing is left to search. `seconds`: for what is left, by the candidate's time. `sharing`: how
    many run on each GPU, and why. `first`: how many given architectures
    would be tried first.
    """

    folder: Path
    study: Study | None
    question: Question
    facts: Facts
    survey: Survey[Any]
    score: Score | None
    seconds: float
    trials: int
    jobs: int
    sharing: str = ""
    first: int = 0


def plan(search: Search, say: Say = ignore) -> Plan:
    """Look at the space and the data, and train one typical candidate in this process.

    None is trained where the study has all its trials. `say`: as of `Search.run`.
    """
    subject, opening, question = search.subject, search.opening, search.question
    if subject.takes_long:
        say(subject.takes_long)
    if subject.left_out:
        say(subject.left_out)
    subject.try_sampler()
    given = search.to_try_first()
    settings = opening.settle(subject.facts())
    opening.check_places(settings)
    study = replace(study_of(search), settings=settings) if search.folder.exists else None
    if study is not None:
        check_costs(search.folder.path, study.trials, subject.gauge.cost)
    begun = len(study.trials) if study else 0
    for sentence in unexpected(begun, search.trials, len(given)):
        say(sentence)
    sharing, jobs = search.sharing, search.slots.jobs  # before the candidate takes memory
    is_over = study is not None and is_complete(study)
    first = next(level for level in question.rungs if level)  # 0 is a proxy
    score = None if is_over else tried(subject, first, search.slots.threads)
    an_epoch = score.seconds / first if score else 0.0
    return Plan(
        folder=search.folder.path,
        study=study,
        question=question,
        facts=settings.facts,
        survey=subject.surveyed,
        score=score,
        seconds=an_epoch * epochs_left(question, search.trials, study) / jobs,
        trials=search.trials,
        jobs=jobs,
        sharing=sharing.why if sharing else "",
        first=min(len(given), max(0, search.trials - begun)),
    )


def tried(subject: Subject, level: int, threads: int) -> Score:
    """The score of a typical candidate at a rung, with as many threads as a worker has."""
    candidate = typical(subject)
    seed = seed_for(subject.question.seed, key(candidate))
    with torch_threads(threads):
        subject.ground.evaluator(candidate, level, seed)  # warms up: the first call is slower
        begun = perf_counter()
        score = subject.ground.evaluator(candidate, level, seed)
    return replace(score, seconds=score.seconds or perf_counter() - begun)


def typical(subject: Subject) -> Any:
    """The architecture with the median FLOPs of some that may be trained."""
    rng = Random(subject.question.seed)
    sampled = (subject.space.sample(rng) for _ in range(CANDIDATES))
    fits = [each for each in sampled if subject.gauge.feasible(each)]
    fits = fits or [subject.surveyed.require_example()]
    return sorted(fits, key=lambda each: subject.gauge.cost(each).flops)[len(fits) // 2]


def epochs_left(question: Question, trials: int, study: Study | None) -> float:
    """How many epochs so many trials take, about, without those that a study had already."""
    each = expected_epochs(Rungs(question.rungs, question.reduction), question.repeats)
    scores = (s for trial in (study.trials if study else ()) for s in trial.scores)
    return max(0.0, trials * each - sum(score.fidelity for score in scores))


def expected_epochs(rungs: Rungs, repeats: int = 1) -> float:
    """How many epochs a trial trains on average; `repeats`: how often at the last rung.

    >>> expected_epochs(Rungs((1, 3, 9))), expected_epochs(Rungs((1, 4, 8), (2, 4)), 2)
    (3.0, 5.0)
    """
    shares = accumulate(rungs.reductions, lambda share, one_in: share / one_in, initial=1.0)
    *lower, last = (n * share for n, share in zip(rungs.levels, shares, strict=True))
    return sum(lower) + last * repeats
