"""The effects of decisions: how much each decision of the space moved score and cost.

Importance is the permutation importance (Breiman 2001, doi 10.1023/A:1010933404324) of a random
forest on the picks, on held-out trials. Accuracy is taken at the lowest rung, where every trial
was scored: higher rungs hold promoted trials only.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neptune_nas.errors import OptionError, StudyError
from neptune_nas.metrics.pareto import Floats
from neptune_nas.report.progress import first_rung
from neptune_nas.study.measures import cost_axis
from neptune_nas.study.objectives import value_of
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestRegressor

_Pick = str | int | float | bool | None

LEAST_TRIALS = 40  # fewer say nothing about dozens of decisions
_MOST_TRIALS = 1_500  # more add seconds, not insight
_SHOWN_OPTIONS = 8
_ABSENT = -1.0


@dataclass(frozen=True, slots=True)
class _Importance:
    """The R^2 that the forest loses if a decision is shuffled, for main score and log cost."""

    path: str
    score: float
    cost: float


@dataclass(frozen=True, slots=True)
class Effects:
    """The importances according to forests fitted on this many `trials`.

    `r2_score`, `r2_cost`: the share of variance that they explain on held-out trials.
    """

    importances: tuple[_Importance, ...]
    r2_score: float
    r2_cost: float
    trials: int


@dataclass(frozen=True, slots=True)
class Effect:
    """The trials with one option of a decision, against all trials that took the decision.

    `score`: difference of means, 0..1, `error` its standard error. `cost`: ratio of geometric
    means.
    """

    path: str
    option: str
    trials: int
    score: float
    error: float
    cost: float


def _first_scores(study: Study, trials: Sequence[Trial]) -> Floats:
    """Return the main score of each trial at the lowest rung, where all have one."""
    rung = first_rung(study)
    return np.array([trial.scores_at(rung)[0].main for trial in trials], dtype=np.float64)


def _usable_trials(study: Study) -> list[Trial]:
    """Return trials with picks, a score at the lowest rung and a known cost, evenly thinned."""
    axis, rung = cost_axis(study.settings.question), first_rung(study)
    found = [
        trial
        for trial in study.trials
        if trial.picks and trial.scores_at(rung) and 0 < value_of(axis, trial) < float("inf")
    ]
    step = max(len(found) // _MOST_TRIALS, 1)
    return found[::step][:_MOST_TRIALS]


def measure_effects(study: Study, seed: int = 0) -> Effects | None:
    """Return the importance of each decision, the greatest first; None with too few trials."""
    trials = _usable_trials(study)
    if len(trials) < LEAST_TRIALS:
        return None
    axis = cost_axis(study.settings.question)
    paths, features = _encode(trials)
    score = _first_scores(study, trials)
    cost = np.log([value_of(axis, trial) for trial in trials])
    drops_score, r2_score = _importance_drops(features, score, seed)
    drops_cost, r2_cost = _importance_drops(features, cost, seed)
    found = sorted(
        map(_Importance, paths, drops_score.tolist(), drops_cost.tolist()),
        key=lambda importance: -max(importance.score, 0) - max(importance.cost, 0),
    )
    return Effects(tuple(found), r2_score, r2_cost, len(trials))


def require_effects(studies: Sequence[Study]) -> Effects:
    """Return the effects of decisions in a single study.

    Raises `OptionError` for several, and `StudyError` where it has too few trials.
    """
    if len(studies) > 1:
        raise OptionError(
            f"importance and effects are shown for one study at a time, but got "
            f"{len(studies)}: name one."
        )
    found = measure_effects(studies[0])
    if found is None:
        count = len(_usable_trials(studies[0]))
        raise StudyError(
            f"study {studies[0].folder} has {count} scored trials, but at least {LEAST_TRIALS} "
            f"are needed to tell decisions apart: run more trials first."
        )
    return found


def _encode(trials: list[Trial]) -> tuple[list[str], Floats]:
    """Return the paths of all decisions, and their codes per trial; -1 if not taken."""
    paths = list(dict.fromkeys(path for trial in trials for path in trial.picks))
    codes = {path: _codes_of([t.picks[path] for t in trials if path in t.picks]) for path in paths}
    rows = [
        [codes[path][t.picks[path]] if path in t.picks else _ABSENT for path in paths]
        for t in trials
    ]
    return paths, np.array(rows, dtype=np.float64)


def _codes_of(values: list[_Pick]) -> dict[_Pick, float]:
    """Return a number for each option of a decision, in their order if they have one."""
    return {value: float(i) for i, value in enumerate(sorted({*values}, key=_order))}


def _order(value: _Pick) -> tuple[bool, float, str]:
    """Return a key that sorts numbers before words."""
    number = isinstance(value, int | float)
    return not number, float(value) if isinstance(value, int | float) else 0.0, str(value)


def _importance_drops(features: Floats, target: Floats, seed: int) -> tuple[Floats, float]:
    """Return the drop of R^2 on held-out rows if each column is shuffled, and that R^2."""
    from sklearn.ensemble import RandomForestRegressor  # slow to import, often not needed
    from sklearn.inspection import permutation_importance

    shuffled = np.random.default_rng(seed).permutation(len(target))
    held, used = np.split(shuffled, [len(target) // 3])
    if np.ptp(target[used]) == 0 or np.ptp(target[held]) == 0:
        return np.zeros(features.shape[1]), 0.0
    forest = RandomForestRegressor(30, min_samples_leaf=3, max_features=0.5, random_state=seed)
    forest.fit(features[used], target[used])
    found = permutation_importance(
        forest, features[held], target[held], scoring=_r2, n_repeats=3, random_state=seed
    )
    drops: NDArray[np.float64] = found.importances_mean
    return drops, _r2(forest, features[held], target[held])


def _r2(forest: "RandomForestRegressor", features: Floats, target: Floats) -> float:
    """Return `forest.score`, without its check and its threads for each of hundreds of calls."""
    from sklearn.metrics import r2_score

    rows = features.astype(np.float32)
    found = np.mean([tree.tree_.predict(rows)[:, 0] for tree in forest.estimators_], axis=0)
    return float(r2_score(target, found))


def effects_of(study: Study, path: str) -> list[Effect]:
    """Return the effects of the most frequent options of a decision, in their order."""
    axis = cost_axis(study.settings.question)
    trials = [trial for trial in _usable_trials(study) if path in trial.picks]
    options = [option for option, _ in Counter(t.picks[path] for t in trials).most_common()]
    everyone = _first_scores(study, trials)
    costs = [log(value_of(axis, trial)) for trial in trials]
    picked = [trial.picks[path] for trial in trials]
    effects = []
    for option in sorted(options[:_SHOWN_OPTIONS], key=_order):
        chosen = np.array([pick == option for pick in picked])
        count = int(chosen.sum())
        spread = float(everyone[chosen].std(ddof=1)) if count > 1 else 0.0
        effects.append(
            Effect(
                path=path,
                option=str(option),
                trials=count,
                score=float(everyone[chosen].mean() - everyone.mean()),
                error=spread / sqrt(count),
                cost=exp(float(np.array(costs)[chosen].mean() - np.mean(costs))),
            )
        )
    return effects
