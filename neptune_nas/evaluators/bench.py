"""The data that an evaluator measures on, with all that is known before measuring."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from neptune_nas.data.images import ImageData
from neptune_nas.data.load import load_once
from neptune_nas.data.notes import notes_on
from neptune_nas.evaluators.evaluator import Evaluator, traits_of
from neptune_nas.metrics.costs import CostSource
from neptune_nas.metrics.counted import CostModel
from neptune_nas.metrics.registry import IN_INT8, Metric
from neptune_nas.nn.builder import Shape
from neptune_nas.tasks.registry import task_of


class EvaluatorQuestion(Protocol):
    """The part of a study's question that an evaluator may need."""

    @property
    def data(self) -> str:
        """The data set, as `load_data` takes it."""

    @property
    def aims(self) -> Sequence[Metric]:
        """The objectives."""

    @property
    def costs(self) -> frozenset[str]:
        """The names of the costs that objectives or constraints use."""

    @property
    def rungs(self) -> tuple[int, ...]:
        """The fidelities to measure at, rising."""

    @property
    def repeats(self) -> int:
        """The number of seeds at the last rung."""


@dataclass(frozen=True, slots=True)
class Bench:
    """An evaluator with the facts about the data it measures on.

    `input_shape`: channels, height, width. `classes`: how many. `guess`: the score of guessing, by
    metric. `fingerprint`: of the data, or of the table. `images`: sizes of the training, validation
    and test splits. `source`: the data, in words. `costs`: the source of counted metrics.
    `clocks`: functions that know a timed metric, by its name; other timed metrics are measured.
    `fidelities`: those at which it can measure every network, rising; empty if any will do.
    `most_seeds`: how many seeds it has of every network at a fidelity; None if any number will do.
    """

    evaluator: Evaluator
    input_shape: Shape
    classes: int
    guess: Mapping[str, float]
    fingerprint: str
    images: tuple[int, int, int]
    source: str
    costs: CostSource
    clocks: Mapping[str, Callable[[Any], float]] = field(default_factory=dict)
    fidelities: tuple[int, ...] = ()
    most_seeds: Callable[[int], int] | None = None


def bench_of(evaluator: Evaluator, asked: EvaluatorQuestion, data_dir: str | Path | None) -> Bench:
    """Return the evaluator's own bench if it has one, else a bench of the question's images.

    Reads the data. Raises `OptionError` for a question that the evaluator cannot answer.
    """
    own = getattr(evaluator, "bench", None)
    if own is not None:
        found: Bench = own(asked, data_dir)
        return found
    return _image_bench(evaluator, load_once(asked.data, data_dir, 0), asked.data)


def data_notes(
    evaluator: Evaluator, asked: EvaluatorQuestion, data_dir: str | Path | None
) -> tuple[str, ...]:
    """Return sentences on the question's images, if the evaluator measures on them."""
    if getattr(evaluator, "bench", None) is not None:
        return ()
    return tuple(notes_on(load_once(asked.data, data_dir, 0), data_dir))


def _image_bench(evaluator: Evaluator, data: ImageData, name: str) -> Bench:
    """Return the bench of an evaluator that measures on the images of data set `name`."""
    task = task_of(data)
    guess = dict(task.chance(len(data.classes), data.validation.targets))
    main = task.metrics[0]
    if IN_INT8.get(main) in traits_of(evaluator).metrics:
        guess[IN_INT8[main].name] = guess[main]
    return Bench(
        evaluator=evaluator,
        input_shape=data.input_shape,
        classes=len(data.classes),
        guess=guess,
        fingerprint=data.fingerprint,
        images=(len(data.train), len(data.validation), len(data.test)),
        source=f"on {name}",
        costs=CostModel(data.input_shape, task.outputs(data)),
    )
