"""The progress of a search: hypervolume so far, workers' spans, survivors of each rung."""

from dataclasses import dataclass
from itertools import groupby

from neptune_nas.metrics.score import Score
from neptune_nas.study.confirmation import without_confirmations
from neptune_nas.study.front import Front, insert_into_front, losses_of
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial

_TIMELINE_STEPS = 1_000  # gaps below this fraction of the whole time are not drawn


@dataclass(frozen=True, slots=True)
class _ProgressStep:
    """The hypervolume after `trials` trials and `seconds` of evaluation, summed over workers."""

    trials: int
    seconds: float
    hypervolume: float


@dataclass(frozen=True, slots=True)
class Span:
    """A worker's uninterrupted time at one rung, in seconds since the first evaluation."""

    worker: int
    fidelity: int
    start: float
    end: float


def progress(study: Study) -> tuple[_ProgressStep, ...]:
    """Return the hypervolume after each trial in order of ending, by the search's own scores."""
    ranked = {trial.number for trial in study.ranked}
    front: Front = []
    seconds, volume = 0.0, 0.0
    steps: list[_ProgressStep] = []
    for count, trial in enumerate(
        sorted(without_confirmations(study.trials), key=_end_of), start=1
    ):
        seconds += sum(score.seconds for score in trial.scores)
        if trial.number in ranked:
            entered = insert_into_front(front, (trial, losses_of(study.settings.question, trial)))
            if entered is not front:
                front = entered
                volume = study.hypervolume([other for other, _ in front])
        steps.append(_ProgressStep(count, seconds, volume))
    return tuple(steps)


def corners(steps: tuple[_ProgressStep, ...]) -> tuple[_ProgressStep, ...]:
    """Return the first step, those that raised the hypervolume, and the last."""
    last = len(steps) - 1
    return tuple(
        step
        for i, step in enumerate(steps)
        if i in (0, last) or step.hypervolume != steps[i - 1].hypervolume
    )


def first_rung(study: Study) -> int:
    """Return the lowest rung that trains, that is, is not a proxy."""
    return next(rung for rung in study.settings.question.rungs if rung)


def _end_of(trial: Trial) -> tuple[float, int]:
    """Return the end of the trial's last evaluation (Unix time) and its number, to sort by."""
    return max((s.started + s.seconds for s in trial.scores), default=0.0), trial.number


def spans(study: Study) -> tuple[Span, ...]:
    """Return the spans of all workers, with evaluations that follow at once merged."""
    scores = [s for trial in study.trials for s in trial.scores if s.started and s.seconds]
    if not scores:
        return ()
    origin = min(score.started for score in scores)
    least = (max(s.started + s.seconds for s in scores) - origin) / _TIMELINE_STEPS
    return tuple(
        span
        for _, group in groupby(sorted(scores, key=_lane), key=_lane_of)
        for span in _merge(list(group), origin, least)
    )


def _lane_of(score: Score) -> tuple[int, int]:
    """Return the lane of an evaluation in the timeline: its worker and rung."""
    return score.worker, score.fidelity


def _lane(score: Score) -> tuple[int, int, float]:
    """Return the sort key of an evaluation in the timeline."""
    return score.worker, score.fidelity, score.started


def _merge(scores: list[Score], origin: float, least: float) -> list[Span]:
    """Return the spans of one lane's evaluations, closing gaps below `least` seconds."""
    result: list[Span] = []
    for score in scores:
        start = score.started - origin
        end = start + score.seconds
        if result and start - result[-1].end < least:
            last = result.pop()
            start, end = last.start, max(last.end, end)
        result.append(Span(score.worker, score.fidelity, start, end))
    return result


def survival(study: Study) -> tuple[tuple[str, int], ...]:
    """Return the numbers of trials that began, were scored at each rung, and are on the front."""
    question = study.settings.question
    highest = [trial.score.fidelity if trial.score else 0 for trial in study.trials]
    return (
        ("begun", len(study.trials)),
        *((question.budget(rung), sum(h >= rung for h in highest)) for rung in question.rungs),
        ("on the front", len(study.pareto())),
    )
