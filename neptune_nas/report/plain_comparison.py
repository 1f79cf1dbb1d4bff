"""The comparison of a study's trials with the plain networks trained beside them."""

from dataclasses import dataclass, replace
from shlex import quote
from statistics import fmean

from neptune_nas.files.schema import decode
from neptune_nas.metrics.registry import COST, Metric
from neptune_nas.nn.references import is_plain
from neptune_nas.study.folder import Folder
from neptune_nas.study.measures import cost_axis
from neptune_nas.study.noise import Noise, Repeats, noise_of, repeats, unselected_scores
from neptune_nas.study.objectives import value_of
from neptune_nas.study.references import Reference
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial
from neptune_nas.text import redact, short
from neptune_nas.training.recipe import Recipe, final_recipe

BETWEEN_SEEDS = "95% between seeds"  # names an interval on the same validation images
_LEAST_IMAGES = 1.5  # half of the narrowest interval of a lead, in images
_ALIKE = 1.1  # times the cost of a trial that a plain network in its place may have


@dataclass(frozen=True, slots=True)
class Comparison:
    """A trial compared with a plain network: its lead in points, with a 95% interval if known.

    The interval is that between seeds on the same validation images, but a lead of one image is
    never clear.
    `times`: the plain network's cost on `axis`, as a multiple of the trial's; None if not known.
    `is_within`: whether there are limits, and the plain network is known to meet them all.
    """

    plain: Reference
    points: float
    axis: Metric
    times: float | None = None
    is_within: bool = False
    low: float | None = None
    high: float | None = None

    @property
    def is_dearer(self) -> bool:
        """True if the plain network is known to cost more than the trial."""
        return self.times is not None and self.times > _ALIKE

    @property
    def favours_plain(self) -> bool:
        """True if the plain network is clearly better, or as good at no higher cost: take it.

        A dearer one is taken only within limits, which say what a user can pay.
        """
        if self.low is None or self.high is None or self.times is None:
            return False
        return (self.high < 0 and self.is_within) if self.is_dearer else self.low <= 0

    @property
    def advice(self) -> str:
        """The end of a sentence on a trial that is not clearly better; may be empty."""
        if self.favours_plain and not self.is_dearer:
            return "; take the plain one"
        return f", with {self.times:.1f} times the {self.axis.title}" if self.is_dearer else ""

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
        how = "worse" if self.points < 0 and self.is_dearer else "better"
        return (
            f"not clearly {how} ({self.points:+.1f} points, {self.low:+.1f} to {self.high:+.1f}, "
            f"{BETWEEN_SEEDS}) than {network}{self.advice}"
        )


def plain_networks(study: Study) -> list[Reference]:
    """Return the plain networks that were trained like a study's trials and break no limit."""
    limits = study.settings.question.limits
    return [
        each
        for each in study.references
        if is_plain(each.name)
        and each.seed_scores
        and all(limit.holds(each.costs[limit.name]) for limit in limits if limit.name in each.costs)
    ]


def beside_plain(study: Study, trial: Trial) -> Comparison | None:
    """Compare a trial with the most accurate plain network; None without any.

    A trial that was confirmed is judged by the scores that it was not selected by.
    """
    best = max(plain_networks(study), key=lambda each: each.score, default=None)
    ours = unselected_scores(trial)
    if best is None or not ours:
        return None
    question, lead = study.settings.question, fmean(ours) - best.score
    axis = cost_axis(question)
    known, limits = best.costs.get(axis.name), {limit.name for limit in question.limits}
    compared = Comparison(
        best,
        100 * lead,
        axis,
        times=None if known is None else known / max(value_of(axis, trial), 1),
        is_within=bool(limits) and limits <= {*best.costs},
    )
    spread = seed_noise(study)
    if spread is None:
        return compared
    half = spread.half_width((fmean(ours), len(ours)), (best.score, len(best.seed_scores)))
    half = max(half, _LEAST_IMAGES / max(study.settings.facts.images[1], 1))
    return replace(compared, low=100 * (lead - half), high=100 * (lead + half))


def seed_noise(study: Study) -> Noise | None:
    """Return the noise between seeds of the trials and the plain networks together."""
    found = [*map(repeats, study.ranked), *map(_repeats_of, plain_networks(study))]
    return noise_of([each for each in found if each.degrees])


def _repeats_of(network: Reference) -> Repeats:
    scores = network.seed_scores
    squares = sum((score - fmean(scores)) ** 2 for score in scores)
    return Repeats(network.score, squares, len(scores) - 1)


def favoured_plain(study: Study) -> Reference | None:
    """Return the plain network to take instead of the most accurate trial, if any."""
    if not study.ranked:
        return None
    compared = beside_plain(study, study.best(study.settings.question.main.name))
    return compared.plain if compared is not None and compared.favours_plain else None


def plain_command(study: Study, plain: Reference) -> tuple[str, ...]:
    """Return the command that trains a plain network as `train` does a trial, quoted for a shell.

    It names the study's recipe where trials are trained by that, and not by the strong one.
    """
    data = f"--data {quote(study.settings.question.data)}"
    scored = decode(Recipe, study.settings.question.recipe)
    file = quote(redact(str(Folder(study.folder).settings)))
    recipe = (f"--recipe {file}",) if final_recipe(scored) == scored else ()
    int8 = ("--int8",) if study.settings.question.calibration else ()
    return "neptune-nas", "train", plain.name, data, *recipe, *int8, *_teacher_options(study)


def _teacher_options(study: Study) -> tuple[str, ...]:
    """Return the options that name a study's teacher; none without one."""
    teacher, views = study.settings.facts.teacher, study.settings.question.teacher_views
    return (f"--teacher {quote(redact(teacher))}", f"--teacher-views {views}") if teacher else ()
