"""The settings of a study: its question, and the facts that it began with."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256
from typing import Annotated, Any

from neptune_nas.deploy.int8_accuracy import Calibration
from neptune_nas.deploy.latency_place import ELSEWHERE, TORCH, place_in
from neptune_nas.deploy.targets import Target
from neptune_nas.devices.numerics import Numerics
from neptune_nas.errors import OptionError
from neptune_nas.evaluators.evaluator import budget_text, check_scored
from neptune_nas.evaluators.short_training import TRAINING
from neptune_nas.files.rules import NOT_NAN, Count, SeedCount, Sides, Size, between
from neptune_nas.files.schema import check, fault
from neptune_nas.metrics.constraints import Constraint, parse_constraint
from neptune_nas.metrics.registry import CLASSIFICATION, OBJECTIVES, Metric
from neptune_nas.study.objectives import objectives_in
from neptune_nas.study.rungs import REDUCTION, Reduction, Rungs
from neptune_nas.training.recipe import with_defaults

SEEDS = 2**32  # the range of numpy's seeds

# How latencies are timed, in words.
PROCESSOR_TIME = "processor time of one thread"
BY_TABLE = "as the table says"
PREDICTED = "measured for picks, predicted for other networks"


def timed_in(place: str) -> str:
    """Return how latencies are timed in a place that a question names, in words."""
    found = place_in(place)
    if found is None:
        return "from a file of measurements" if place == ELSEWHERE else PROCESSOR_TIME
    return f"{found}; {PREDICTED}"


@dataclass(frozen=True, slots=True)
class Question:
    """Everything that decides the scores: studies are comparable only where their questions agree.

    `space`: as named on the command line. `data`: as `load_data` takes it. `rungs`: epochs at which
    trials are compared; the report ranks by the last. `evaluator`: its name, see
    `neptune_nas.evaluators.evaluator.Traits`. `repeats`: seeds at the last rung, whose mean counts.
    `reduction`: one trial in that many is promoted, for all rungs or for each (see `Rungs`).
    `proxy`: the zero-cost proxy that is rung 0, if any. `sampler_kwargs`: numbers, text, booleans,
    and lists and dicts of these, as `study.toml` can hold. `evaluator_kwargs`: the parameters of an
    evaluator in the same form; None where they are not known. `scored`: the metrics that the
    evaluator measures, the main one first. `unit`: of its fidelity, and `trains`: see `Traits`.
    `calibration`: the training images that int8 is calibrated on; None where it is not measured.
    `target`: the device that is searched for; objectives and constraints include what it stands
    for, and the space is what its runtime has kernels for. `latency_on`: where latency is measured,
    see `neptune_nas.deploy.latency_place`. `start`: the SHA-256 of the trained model that networks
    start from; empty for fresh weights. `teacher_digest`: that of the teacher that networks learn
    from (`neptune_nas.models.teacher`), which sees `teacher_views` views of each image; empty
    without a teacher.

    Raises `OptionError` for a question that no study can have.
    """

    space: str
    data: str = "digits"
    evaluator: str = TRAINING.name
    objectives: tuple[str, ...] = OBJECTIVES
    constraints: tuple[str, ...] = ()
    rungs: tuple[int, ...] = (1,)
    sampler: str = "auto"
    sampler_kwargs: dict[str, Any] = field(default_factory=dict)
    seed: Annotated[int, between(0, SEEDS - 1)] = 0
    recipe: dict[str, Any] = field(default_factory=dict)
    repeats: SeedCount = 1
    proxy: str = ""
    reduction: Reduction = REDUCTION
    evaluator_kwargs: dict[str, Any] | None = None
    scored: tuple[Metric, ...] = CLASSIFICATION
    unit: str = "epoch"
    trains: bool = True
    calibration: Calibration | None = None
    target: Target | None = None
    latency_on: str = TORCH
    start: str = ""
    teacher_digest: str = ""
    teacher_views: Count = 0

    def __post_init__(self) -> None:
        check(self)
        place_in(self.latency_on)
        check_scored(self.scored)
        objectives_in(self.objectives, self.scored)
        object.__setattr__(self, "reduction", Rungs(self.rungs, self.reduction).reduction)
        for text in self.constraints:
            parse_constraint(text)
        if self.proxy and self.rungs[0] > 0:
            raise OptionError(
                f"`proxy` is measured at rung 0: `rungs` must begin with it, as in 0,1,3, "
                f"but got {self.rungs[0]}."
            )
        check_plain("sampler_kwargs", self.sampler_kwargs)
        check_plain("evaluator_kwargs", self.evaluator_kwargs or {})

    def budget(self, fidelity: int) -> str:
        """Return a fidelity in the evaluator's words, such as `3 epochs`."""
        if fidelity == 0 and self.proxy:
            return self.proxy
        return budget_text(self.unit, fidelity)

    @property
    def aims(self) -> tuple[Metric, ...]:
        """The objectives as metrics."""
        return objectives_in(self.objectives, self.scored)

    @property
    def main(self) -> Metric:
        """The scored metric that rankings use, of which more is better."""
        return self.scored[0]

    @property
    def limits(self) -> tuple[Constraint, ...]:
        """The constraints, parsed."""
        return tuple(map(parse_constraint, self.constraints))

    @property
    def limited_aims(self) -> frozenset[str]:
        """The names of the objectives that a constraint limits."""
        return frozenset(aim.name for aim in self.aims) & {limit.name for limit in self.limits}

    @property
    def costs(self) -> frozenset[str]:
        """The names of the costs that objectives or constraints use."""
        aims = (aim.name for aim in self.aims if not aim.is_scored)
        return frozenset((*aims, *(limit.name for limit in self.limits)))


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts about space, data and machine, found when the study began.

    `space_size`: exact, or an estimate with its interval, as text, since it may exceed TOML's
    integers. `outline`: the options at each path of the space, to report what has changed.
    `input_shape`: channels, height, width. `images`: sizes of the training, validation and test
    splits. `guess`: the score of guessing, by metric. `reference`: the corner for hypervolume, one
    number per objective: the score of guessing, and the largest cost allowed (found in the space,
    or set by a constraint). `created`: ISO 8601, UTC. `source`: the data measured on, in words.
    `choices`: sentences on what was chosen where the user left it open, and why. `numerics`: the
    precision and memory layout of training; None where nothing is trained. `timed`: how each timed
    metric of the question was timed, in words, by its name. `code`: digests of the records and the
    evaluator that a notebook or the main script defined, by their names. `start`: the trained model
    that networks start from, in words. `teacher`: its file or function, as the user named it.
    `weights`: the SHA-256 of each file of weights that networks of the space name, by its path.

    Raises `OptionError` for numbers out of range.
    """

    space_name: str
    space_size: str
    space_fingerprint: str
    data_fingerprint: str
    input_shape: Sides
    classes: Size
    images: tuple[Count, Count, Count]
    guess: dict[str, float]
    reference: tuple[Annotated[float, NOT_NAN], ...]
    device: str
    hardware: str
    created: str
    versions: dict[str, str]
    outline: dict[str, str]
    source: str = ""
    numerics: Numerics | None = None
    timed: dict[str, str] = field(default_factory=dict)
    choices: tuple[str, ...] = ()
    code: dict[str, str] = field(default_factory=dict)
    start: str = ""
    teacher: str = ""
    weights: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True)
class Settings:
    """The content of `study.toml`: a study's name, its question and its facts.

    `storage`: the URL of the database without its password; empty for `study.db` beside it. `id`: a
    random name, by which its user's own register knows it (`study/own_code`).
    """

    name: str
    trials: Size
    question: Question
    facts: Facts
    storage: str = ""
    id: str = ""

    def __post_init__(self) -> None:
        check(self)
        objectives, reference = self.question.objectives, self.facts.reference
        if len(reference) != len(objectives):
            words = f"one number for each of {', '.join(objectives)}"
            raise OptionError(fault("reference", words, list(reference)))
        for metric in self.question.scored:
            guess = self.facts.guess.get(metric.name, 0.0)
            if not metric.admits(guess):
                words = "a number in 0..1" if metric.unit == "share" else "a number"
                raise OptionError(fault(f"guess.{metric.name}", words, guess))

    def timed_as(self, metric: Metric) -> str:
        """Return how a metric was timed, in words; empty where it was not."""
        return self.facts.timed.get(metric.name, "")

    @property
    def identity(self) -> str:
        """A digest of everything that the scores depend on, to tell studies of one name apart.

        Fields of the question at their defaults do not enter it, so that fields can be added.
        """
        blank = Question(space="")
        asked = {
            name: value
            for name, value in asdict(self.question).items()
            if getattr(self.question, name) != getattr(blank, name)
        }
        begun_with = (asked, self.facts.space_fingerprint, self.facts.data_fingerprint)
        return sha256(json.dumps(begun_with, sort_keys=True).encode()).hexdigest()


def question_differences(then: Question, now: Question) -> Iterator[tuple[str, Any, Any]]:
    """Yield the differences of two questions: the field, its present and its former value.

    Rungs are called epochs where both questions have one only. Another target comes first, since
    it changes other fields.
    """
    if then.target != now.target:
        yield from _target_differences(then.target, now.target)
    for each in fields(then):
        old, new = getattr(then, each.name), getattr(now, each.name)
        if each.name == "recipe":
            old, new = with_defaults(old), with_defaults(new)
        if each.name == "rungs" and new != old and len(new) == len(old) == 1:
            yield "epochs", new[0], old[0]
        elif each.name == "start" and new != old:
            ours, theirs = ((f"sha256 {text[:12]}",) if text else () for text in (new, old))
            yield "`start` (--first)", ours, theirs
        elif each.name not in ("evaluator_kwargs", "target") and new != old:
            yield each.name.replace("_", " "), new, old
    yield from parameter_differences(then.evaluator_kwargs, now.evaluator_kwargs)


def _target_differences(then: Target | None, now: Target | None) -> Iterator[tuple[str, Any, Any]]:
    """Yield how two targets differ: in their names, or in what stands for one name."""
    ours, theirs = ((target.name,) if target else () for target in (now, then))
    if ours != theirs:
        yield "target", ours, theirs
    elif then and now:
        for each in fields(Target):
            old, new = getattr(then, each.name), getattr(now, each.name)
            if each.compare and old != new:
                yield f"{each.name.replace('_', ' ')} of the target", new, old


def parameter_differences(
    then: Mapping[str, Any] | None, now: Mapping[str, Any] | None
) -> Iterator[tuple[str, Any, Any]]:
    """Yield the parameters of an evaluator that differ; none where the former are not known."""
    if then is None:
        return
    now = now or {}
    for name in dict.fromkeys([*then, *now]):
        if then.get(name) != now.get(name):
            yield f"`{name}` of the evaluator", now.get(name), then.get(name)


def code_differences(
    then: Mapping[str, str], now: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    """Yield the definitions that differ, of those known both then and now."""
    for name in _changed(then, now):
        yield f"code of `{name.partition(':')[2]}`", now[name], then[name]


def weights_differences(
    then: Mapping[str, str], now: Mapping[str, str]
) -> Iterator[tuple[str, str, str]]:
    """Yield the files of weights whose content differs, of those known both then and now."""
    for file in _changed(then, now):
        yield f"weights in {file} of SHA-256", now[file], then[file]


def _changed(then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """Yield the names whose digests differ, of those known both then and now."""
    return (name for name in then if now.get(name, then[name]) != then[name])


def check_plain(name: str, values: Mapping[str, Any]) -> None:
    """Refuse arguments that TOML cannot store without a change."""
    for path, value in values_toml_cannot_hold(values):
        words = "a number, a string, true, false, or a list or dict of these"
        raise OptionError(fault(f"{name}.{path}", words, value, "leave it out"))


def values_toml_cannot_hold(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield the values that TOML cannot store without a change, with their places."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from values_toml_cannot_hold(item, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from values_toml_cannot_hold(item, f"{path}.{i}")
    elif type(value) not in (bool, int, float, str):
        yield path, value
