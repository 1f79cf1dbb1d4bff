"""The verdict on a study: its picks, their lead over plain networks, and what to beware of."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from shlex import quote
from statistics import fmean

from neptune_nas.metrics.registry import COST
from neptune_nas.nn.references import PLAIN
from neptune_nas.study.folder import Folder
from neptune_nas.study.measures import beats_chance, chance, cost_axis, main_score
from neptune_nas.study.noise import (
    Noise,
    Repeats,
    accuracy_interval,
    noise_of,
    repeats,
    sampling_interval,
    seed_scores,
    unselected_scores,
)
from neptune_nas.study.objectives import value_of
from neptune_nas.study.ranking import EFFICIENCY, KNEE
from neptune_nas.study.references import Reference
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial
from neptune_nas.text import counted, redact, short

BETWEEN_SEEDS = "95% between seeds"  # on the same validation images
ON_NEW_IMAGES = "on new images"
_IMAGES = 1.5  # half of the narrowest interval of a lead
_ABOUT = 1.1  # times the FLOPs of a trial, which a plain network in its place may have


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


@dataclass(frozen=True, slots=True)
class Comparison:
    """A trial compared with a plain network: its lead in points, with a 95% interval if known.

    The interval is that between seeds on the same validation images, but a lead of one image is
    never clear.
    `times`: the plain network's FLOPs, as a multiple of the trial's.
    """

    plain: Reference
    points: float
    times: float
    low: float | None = None
    high: float | None = None

    @property
    def favours_plain(self) -> bool:
        """Whether to take the plain network: clearly better, or as good at about the same FLOPs."""
        if self.low is None or self.high is None:
            return False
        return self.high < 0 or (self.low <= 0 and self.times <= _ABOUT)

    @property
    def advice(self) -> str:
        """What to do if the trial is not clearly better, or what a dearer plain network costs."""
        if self.times <= _ABOUT:
            return "; take the plain one"
        return f", which costs {self.times:.1f} times as much"

    def __str__(self) -> str:
        flops = short(self.plain.costs[COST.name])
        network = f"a plain network of {flops} {COST.title} ({self.plain.name})"
        if self.low is None or self.high is None:
            how = "better" if self.points >= 0 else "worse"
            return f"{abs(self.points):.1f} points {how} than {network}; the noise is not known"
        if self.low > 0:
            interval = f"({self.low:.1f} to {self.high:.1f}, {BETWEEN_SEEDS})"
            return f"{self.points:.1f} points {interval} better than {network}"
        if self.high < 0:
            interval = f"({-self.high:.1f} to {-self.low:.1f}, {BETWEEN_SEEDS})"
            return f"{-self.points:.1f} points {interval} worse than {network}{self.advice}"
        how = "worse" if self.points < 0 and self.times > _ABOUT else "better"
        return (
            f"not clearly {how} ({self.points:+.1f} points, {self.low:+.1f} to {self.high:+.1f}, "
            f"{BETWEEN_SEEDS}) than {network}{self.advice}"
        )


def plain_networks(study: Study) -> list[Reference]:
    """Return the plain networks that were trained like a study's trials, within its limits."""
    return [
        each
        for each in study.references
        if each.name.startswith(f"{PLAIN}-")
        and each.seed_scores
        and all(
            limit.holds(each.costs[limit.name])
            for limit in study.settings.question.limits
            if limit.name in each.costs
        )
    ]


def beside_plain(study: Study, trial: Trial) -> Comparison | None:
    """Compare a trial with the most accurate plain network; None without any.

    A trial that was confirmed is judged by the scores that it was not selected by.
    """
    best = max(plain_networks(study), key=lambda each: each.score, default=None)
    ours = unselected_scores(trial)
    if best is None or not ours:
        return None
    lead = fmean(ours) - best.score
    times = best.costs[COST.name] / max(value_of(COST, trial), 1)
    spread = seed_noise(study)
    if spread is None:
        return Comparison(best, 100 * lead, times)
    half = spread.half_width((fmean(ours), len(ours)), (best.score, len(best.seed_scores)))
    half = max(half, _IMAGES / max(study.settings.facts.images[1], 1))
    return Comparison(best, 100 * lead, times, 100 * (lead - half), 100 * (lead + half))


def seed_noise(study: Study) -> Noise | None:
    """Return the noise between seeds of the trials and the plain networks together."""
    found = [*map(repeats, study.ranked), *map(_repeats_of, plain_networks(study))]
    return noise_of([each for each in found if each.degrees])


def _repeats_of(network: Reference) -> Repeats:
    scores = network.seed_scores
    squares = sum((score - fmean(scores)) ** 2 for score in scores)
    return Repeats(network.score, squares, len(scores) - 1)


def verdict(study: Study) -> str:
    """Return a sentence on whether the search was worth it; empty where that is not known."""
    if not study.ranked:
        return ""
    compared = beside_plain(study, study.best(study.settings.question.main.name))
    return "" if compared is None else f"The most accurate is {compared}."


def recommendation(study: Study) -> str:
    """Return a sentence on what to take; empty if no trial clearly beats chance."""
    if not study.ranked or any(cautions(study)):
        return ""
    question = study.settings.question
    axis, title = cost_axis(question), question.main.title
    best = study.best(question.main.name)
    if plain := favoured_plain(study):
        parts = [f"{title} {plain.score:.2%}", f"{COST.title} {short(plain.costs[COST.name])}"]
        command = " ".join(plain_command(study, plain))
        return f"Take the plain network {plain.name}: {', '.join(parts)}. To train it: `{command}`"
    parts = [f"{title} {main_score(best):.2%}", interval_text(study, best, seed_noise(study))]
    if isfinite(spent := value_of(axis, best)):
        parts.append(f"{axis.title} {axis.text(spent)}")
    return f"Take trial {best.number}: {', '.join(filter(None, parts))}."


def favoured_plain(study: Study) -> Reference | None:
    """Return the plain network to take instead of the most accurate trial, if any."""
    if not study.ranked:
        return None
    compared = beside_plain(study, study.best(study.settings.question.main.name))
    return compared.plain if compared is not None and compared.favours_plain else None


def plain_command(study: Study, plain: Reference) -> tuple[str, ...]:
    """Return the command that trains a plain network as the search did, quoted for a shell."""
    recipe = quote(redact(str(Folder(study.folder).settings)))
    data = quote(study.settings.question.data)
    return "neptune-nas", "train", plain.name, f"--data {data}", f"--recipe {recipe}"


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
        f"No network is clearly better than chance: the best {main.title} is {best:.4f}, "
        f"chance is {chance(study.settings):.4f}; {remedy}."
    )


def limits_text(study: Study) -> str:
    """Return the end of a sentence on a study's limits; empty if it has none."""
    limits = study.settings.question.limits
    return f" within {' and '.join(map(str, limits))}" if limits else ""
