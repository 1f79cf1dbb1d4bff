"""The verdict on a search against its baselines: whether it leads by more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from neptune_nas.metrics.pareto import Floats, hypervolume
from neptune_nas.metrics.registry import COSTS
from neptune_nas.study.confirmation import without_confirmations
from neptune_nas.study.front import ranked_trials, scaled_losses
from neptune_nas.study.latencies import without_latencies
from neptune_nas.study.noise import seed_scores
from neptune_nas.study.objectives import value_of
from neptune_nas.study.progress import is_complete
from neptune_nas.study.study import Study
from neptune_nas.study.trial import State, Trial
from neptune_nas.text import counted

_RESAMPLES = 1_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """The lead of a search over another in hypervolume (0..1), with its 95% interval.

    `trials`: how many trials of each were compared, the earliest first. `seeds`: whether seeds were
    repeated, so that seeds were resampled as well as trials. `unfinished`: the progress of an
    unfinished study in words; empty for a finished one.
    """

    name: str
    trials: int
    ahead: float
    low: float
    high: float
    seeds: bool
    unfinished: str = ""

    def __str__(self) -> str:
        if self.low > 0:
            verdict = f"the search beat '{self.name}'"
        elif self.high < 0:
            verdict = f"'{self.name}' beat the search"
        else:
            verdict = f"the search cannot be told from '{self.name}'"
        return f"{verdict}: {self.evidence}"

    @property
    def evidence(self) -> str:
        """The lead in hypervolume, its interval, and what the interval covers."""
        seeds = "and their seeds" if self.seeds else "alone, as no seeds were repeated"
        return (
            f"{self.ahead:+.4f} of hypervolume, 95% interval {self.low:+.4f} to "
            f"{self.high:+.4f} by a bootstrap over trials {seeds} (the first "
            f"{counted(self.trials, 'trial')} of each{self.unfinished and f'; {self.unfinished}'})"
        )


def baseline_verdicts(study: Study) -> tuple[Verdict, ...]:
    """Return the verdict on the search against each of its baselines."""
    return tuple(verdict_on(study, name, trials) for name, trials in study.baselines.items())


def verdict_on(
    study: Study, name: str, trials: Sequence[Trial], last: int | None = None
) -> Verdict:
    """Compare a study with other trials at equal budget: the same number of trials of each.

    `name`: that of the others. `last`: their last rung (default: the study's). Scores that
    confirmed the best of either do not count, nor latencies measured of the picks of either.
    """
    last, count = last or study.settings.question.rungs[-1], min(len(study.trials), len(trials))
    first = {trial.number for trial in study.trials[:count]}
    searched = ranked_trials(study.settings.question, without_latencies(study.trials))
    ours = without_confirmations(t for t in searched if t.number in first)
    theirs = [
        t
        for t in without_confirmations(without_latencies(trials[:count]))
        if t.score is not None and t.score.fidelity == last
    ]
    rng = np.random.default_rng(0)
    seeds = any(len(seed_scores(trial)) > 1 for trial in (*ours, *theirs))
    differences = _resampled(study, ours, rng) - _resampled(study, theirs, rng)
    low, high = np.quantile(differences, [0.025, 0.975])
    ahead = study.hypervolume(ours) - study.hypervolume(theirs)
    return Verdict(name, count, ahead, float(low), float(high), seeds, _unfinished(study))


def _unfinished(study: Study) -> str:
    """Return the progress of an unfinished study in words; empty for a finished one."""
    if is_complete(study):
        return ""
    ended = sum(trial.state is not State.RUNNING for trial in study.trials)
    return f"the search is unfinished, with {ended} of {counted(study.settings.trials, 'trial')}"


def _resampled(study: Study, trials: Sequence[Trial], rng: np.random.Generator) -> Floats:
    """Return the hypervolumes of bootstrap samples of the trials and of each trial's seeds.

    Trials carry the chance of the search, seeds that of training.
    """
    points, corner = scaled_losses(study.settings, trials)
    cloud = np.array(points, dtype=np.float64).reshape(-1, len(corner))
    clouds = np.tile(cloud, (_RESAMPLES, 1, 1))
    scales = zip(study.settings.question.aims, study.settings.facts.reference, strict=True)
    for column, (aim, reference) in enumerate(scales):
        if aim.is_scored:
            scale = reference - aim.best
            for i, trial in enumerate(trials):
                clouds[:, i, column] += _moves(trial, aim.name, rng) / scale
    draws = rng.integers(max(len(cloud), 1), size=(_RESAMPLES, len(cloud)))
    return np.array([hypervolume(c[drawn], corner) for c, drawn in zip(clouds, draws, strict=True)])


def _moves(trial: Trial, name: str, rng: np.random.Generator) -> Floats:
    """Return the shifts of a trial's mean score when its seeds are drawn with replacement."""
    scores = trial.scores_at(trial.score.fidelity) if trial.score else ()
    values = np.array([score.values[name] for score in scores], dtype=np.float64)
    draws = rng.integers(len(values), size=(_RESAMPLES, len(values)))
    return np.asarray(values[draws].mean(axis=1) - values.mean())


def mean_random(study: Study) -> tuple[float, dict[str, float]] | None:
    """Return the mean main score and costs of the random baseline's trials at the last rung."""
    last = study.settings.question.rungs[-1]
    drawn = study.baselines.get("random", ())
    scored = [t for t in drawn if t.score is not None and t.score.fidelity == last]
    if not scored:
        return None
    costs = {cost.name: fmean(value_of(cost, t) for t in scored) for cost in COSTS}
    return fmean(t.score.main for t in scored if t.score), costs
