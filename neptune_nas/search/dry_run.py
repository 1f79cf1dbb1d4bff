"""Dry runs: a forecast of what a search would do."""

from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

from neptune_nas.architecture.codec import key
from neptune_nas.devices.processor import torch_threads
from neptune_nas.evaluators.seeds import seed_for
from neptune_nas.metrics.registry import COST
from neptune_nas.metrics.score import Score
from neptune_nas.metrics.survey import Survey
from neptune_nas.search.assembly import Assembly
from neptune_nas.search.config import Say, Search, ignore
from neptune_nas.search.provenance import check_costs
from neptune_nas.search.resume import study_of
from neptune_nas.search.run import budget_notices
from neptune_nas.search.warm_start import first_of
from neptune_nas.study.progress import is_complete
from neptune_nas.study.rungs import Rungs
from neptune_nas.study.settings import Facts, Question
from neptune_nas.study.study import Study

_CANDIDATES = 21  # samples, of which the one with the median FLOPs is trained


@dataclass(frozen=True, slots=True)
class DryRun:
    """The study that a search would make, with the score of one candidate.

    `study`: the existing study under the new settings; None for a new one. `score`: None where
    nothing is left to search. `seconds`: estimated for the rest, from the candidate's time.
    `start`: seconds until measuring could begin, which a worker needs too. `pace`: seconds per unit
    of fidelity. `first`: how many given architectures would be tried first.
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
    first: int = 0
    start: float = 0.0
    pace: float = 0.0


def dry_run(search: Search, say: Say = ignore) -> DryRun:
    """Inspect the space and the data, and train one typical candidate in this process.

    No candidate is trained where the study has all its trials. `say`: as in `Search.run`.
    """
    began = perf_counter()
    parts, question = search.assembly, search.question
    parts.announce(say)
    parts.try_sampler()
    given = first_of(parts)
    settings = parts.settings(parts.facts())
    parts.check_places(settings)
    study = replace(study_of(search), settings=settings) if search.folder.exists else None
    if study is not None:
        check_costs(search.folder.path, study.trials, parts.costs.counted)
    begun = len(study.trials) if study else 0
    for sentence in budget_notices(begun, search.trials, len(given)):
        say(sentence)
    is_over = study is not None and is_complete(study)
    lowest = next(level for level in question.rungs if level)  # 0 is a proxy
    score = None if is_over else _score_candidate(parts, lowest)
    pace = score.seconds / lowest if score else 0.0
    start = perf_counter() - began - 2 * (score.seconds if score else 0.0)  # it is scored twice
    return DryRun(
        folder=search.folder.path,
        study=study,
        question=question,
        facts=settings.facts,
        survey=parts.survey,
        score=score,
        seconds=pace * epochs_left(question, search.trials, study) / parts.slots.jobs,
        trials=search.trials,
        jobs=parts.slots.jobs,
        first=min(len(given), max(0, search.trials - begun)),
        start=max(0.0, start),
        pace=pace,
    )


def _score_candidate(parts: Assembly, level: int) -> Score:
    """Return the score of a typical candidate at a rung, with as many threads as a worker has."""
    candidate, evaluator = _median_candidate(parts), parts.bench.evaluator
    seed = seed_for(parts.search.question.seed, key(candidate))
    with torch_threads(parts.slots.threads):
        evaluator(candidate, level, seed)  # warms up: the first call is slower
        begun = perf_counter()
        score = evaluator(candidate, level, seed)
    return replace(score, seconds=score.seconds or perf_counter() - begun)


def _median_candidate(parts: Assembly) -> Any:
    """Return the architecture with the median FLOPs among some feasible samples."""
    rng = Random(parts.search.question.seed)
    sampled = (parts.space.sample(rng) for _ in range(_CANDIDATES))
    fits = [each for each in sampled if parts.costs.feasible(each)]
    fits = fits or [parts.survey.require_example()]
    return sorted(fits, key=lambda each: parts.costs.value(COST.name, each))[len(fits) // 2]


def epochs_left(question: Question, trials: int, study: Study | None) -> float:
    """Estimate the epochs that `trials` trials take, less those that the study already trained."""
    each = expected_epochs(Rungs(question.rungs, question.reduction), question.repeats)
    scores = (s for trial in (study.trials if study else ()) for s in trial.scores)
    return max(0.0, trials * each - sum(score.fidelity for score in scores))


def expected_epochs(rungs: Rungs, repeats: int = 1) -> float:
    """Return the mean number of epochs per trial; `repeats`: seeds at the last rung.

    >>> expected_epochs(Rungs((1, 3, 9))), expected_epochs(Rungs((1, 4, 8), (2, 4)), 2)
    (3.0, 5.0)
    """
    shares = accumulate(rungs.reductions, lambda share, one_in: share / one_in, initial=1.0)
    *lower, last = (n * share for n, share in zip(rungs.levels, shares, strict=True))
    return sum(lower) + last * repeats
