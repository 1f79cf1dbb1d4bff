"""The verdict on a study: its picks, their lead over plain networks, and what to beware of."""

from collections.abc import Iterator
from math import isfinite

from neptune_nas.metrics.registry import COST
from neptune_nas.report.plain_comparison import (
    beside_plain,
    favoured_plain,
    plain_command,
    seed_noise,
)
from neptune_nas.study.measures import beats_chance, chance, cost_axis, main_score
from neptune_nas.study.noise import (
    Noise,
    accuracy_interval,
    sampling_interval,
    seed_scores,
)
from neptune_nas.study.objectives import value_of
from neptune_nas.study.ranking import EFFICIENCY, KNEE
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial
from neptune_nas.text import counted, short

ON_NEW_IMAGES = "on new images"


def picks(study: Study, min_accuracy: float | None = None) -> dict[str, str]:
    """Return the rankings whose first trial is recommended, with a heading each, in their order."""
    question = study.settings.question
    within = " within your limits" if question.limits else ""
    floor = " that is not clearly worse"
    if min_accuracy is not None:
        floor = f" with {question.main.title} of at least {min_accuracy:g}"
    return {
        question.main.name: f"Most accurate{within}",
        cost_axis(question).name: f"Cheapest{floor}",
        EFFICIENCY: f"Most efficient{floor}",
        KNEE: "Knee of the front",
    }


def interval_text(study: Study, trial: Trial, spread: Noise | None) -> str:
    """Return the interval of a trial's accuracy, and what it rests on; empty where not known."""
    interval = accuracy_interval(study.settings, trial, spread)
    if interval is None:
        return ""
    low, high = interval
    rests, what = counted(len(seed_scores(trial)), "seed"), interval_scope(study)
    if what == ON_NEW_IMAGES:
        rests += f" and {counted(study.settings.facts.images[1], 'image')}"
    return f"{100 * low:.1f} to {100 * high:.1f}% {what} (95% interval, from {rests})"


def interval_scope(study: Study) -> str:
    """Return what the interval of an accuracy covers: new images too, or only other seeds."""
    is_sampled = sampling_interval(study.settings, 0.5) is not None
    return ON_NEW_IMAGES if is_sampled else "between seeds"


def verdict(study: Study) -> str:
    """Return a sentence on whether the search was worth it; empty where that is not known."""
    if not study.ranked:
        return ""
    compared = beside_plain(study, study.best(study.settings.question.main.name))
    return "" if compared is None else f"The most accurate is {compared}."


def recommendation(study: Study) -> str:
    """Return a sentence on what to take.

    It is empty if no trial clearly beats chance, or if a plain network did better and the noise is
    not known.
    """
    if not study.ranked or any(cautions(study)):
        return ""
    question = study.settings.question
    axis, title = cost_axis(question), question.main.title
    best = study.best(question.main.name)
    if plain := favoured_plain(study):
        parts = [f"{title} {plain.score:.2%}", f"{COST.title} {short(plain.costs[COST.name])}"]
        command = " ".join(plain_command(study, plain))
        return f"Take the plain network {plain.name}: {', '.join(parts)}. To train it: `{command}`"
    compared = beside_plain(study, best)
    if compared is not None and compared.low is None and compared.points < 0:
        return ""
    parts = [f"{title} {main_score(best):.2%}", interval_text(study, best, seed_noise(study))]
    if isfinite(spent := value_of(axis, best)):
        parts.append(f"{axis.title} {axis.text(spent)}")
    return f"Take trial {best.number}: {', '.join(filter(None, parts))}."


def cautions(study: Study) -> Iterator[str]:
    """Yield what a user should know before anything else: a study at chance, with its remedy."""
    question, main = study.settings.question, study.settings.question.main
    if not study.ranked:
        return
    best = max(map(main_score, study.ranked))
    if beats_chance(study.settings, best):
        return
    remedy = "train longer, with more `rungs` (--epochs), or check the data"
    if not question.trains:
        remedy = f"check the evaluator ({question.evaluator})"
    yield (
        f"No trial is clearly better than chance: the best {main.title} is {best:.4f}, "
        f"chance is {chance(study.settings):.4f}; {remedy}."
    )


def limits_text(study: Study) -> str:
    """Return the end of a sentence on a study's limits; empty if it has none."""
    limits = study.settings.question.limits
    return f" within {' and '.join(map(str, limits))}" if limits else ""
