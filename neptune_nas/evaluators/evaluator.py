"""The seam between a search and whatever measures its architectures."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from inspect import isfunction
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from neptune_nas.architecture.codec import type_name
from neptune_nas.errors import OptionError
from neptune_nas.metrics.registry import CLASSIFICATION, Metric
from neptune_nas.metrics.score import Score
from neptune_nas.text import counted


@runtime_checkable
class Evaluator(Protocol):
    """Measures one architecture: `(architecture, fidelity, seed) -> score`.

    A value: a pure function as far as the hardware allows, with no state that changes between
    calls, picklable, and with the same score for the same arguments on whichever worker and in
    whichever order it runs. `fidelity` is how much of the budget to use (epochs, for training;
    >= 1); every call is complete in itself, with its own fully annealed schedule, so an interrupted
    call is simply made again. A measurement that fails (divergence, out of memory) is returned as a
    `Score` whose `failure` says why; only a mistake of the user's raises `NeptuneError`. The
    `fidelity` and `seed` of a `Score` are those of the call: an engine writes them over whatever an
    evaluator says there, so one that uses less of the budget than it was given still answers for
    all of it. The fields of a dataclass are part of a study's question, see
    `neptune_nas.evaluators.parameters`; those of other classes are unseen.

    Two members may be left out. `traits`, a `Traits`, says what is measured and how; without it an
    evaluator measures accuracy and loss at fidelities. `prepare(folder) -> Evaluator` makes once
    what all workers share, such as a teacher's outputs, in `folder`, and returns the evaluator that
    is sent to them; it is called again when a study goes on, and finds there what it made.
    """

    def __call__(self, architecture: Any, fidelity: int, seed: int) -> Score:
        """Measure `architecture` with `fidelity` of the budget."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What a study has to know of an evaluator, so that nobody asks which one it is.

    `name`: as the study calls it; empty is the name of its class. `metrics`: what it measures, the
    main one first, of which more is better. `unit`: of fidelity, such as "epoch"; empty for a plain
    number. `trains`: whether it builds networks and trains them by a recipe. `uses_device`: whether
    it computes where `device` says.

    Raises `OptionError` for metrics that no ranking can begin with.
    """

    name: str = ""
    metrics: tuple[Metric, ...] = CLASSIFICATION
    unit: str = ""
    trains: bool = False
    uses_device: bool = True

    def __post_init__(self) -> None:
        check_scored(self.metrics)


def check_scored(metrics: Sequence[Metric]) -> None:
    """Refuse metrics of an evaluator that are not scored, repeated, or begin with a loss."""
    names = [each.name for each in metrics]
    if not metrics or metrics[0].better != "more":
        raise OptionError(
            f"an evaluator's metrics must begin with one of which more is better, but are "
            f"{', '.join(names) or 'none'}."
        )
    if len({*names}) < len(names):
        raise OptionError(f"an evaluator's metrics must differ, but are {', '.join(names)}.")
    for each in metrics:
        if not each.is_scored:
            raise OptionError(
                f"an evaluator's metric must be of the source 'scored', but '{each.name}' is "
                f"'{each.source}'."
            )


def traits_of(evaluator: Evaluator) -> Traits:
    """Return the traits of an evaluator, those of one that names none included."""
    traits = getattr(evaluator, "traits", None)
    if not isinstance(traits, Traits):
        traits = Traits()
    return traits if traits.name else replace(traits, name=type_name(code_of(evaluator)))


def prepared(evaluator: Evaluator, folder: Path) -> Evaluator:
    """Return the evaluator that is sent to workers, with what they share made in `folder`."""
    prepare = getattr(evaluator, "prepare", None)
    made: Evaluator = evaluator if prepare is None else prepare(folder)
    return made


def code_of(evaluator: Any) -> Any:
    """Return what an evaluator is named by: its class, or itself where it is a function."""
    return evaluator if isfunction(evaluator) else type(evaluator)


def budget_text(unit: str, fidelity: int) -> str:
    """Return a fidelity in words, in the unit of an evaluator.

    >>> budget_text("epoch", 3), budget_text("", 3)
    ('3 epochs', 'fidelity 3')
    """
    return counted(fidelity, unit) if unit else f"fidelity {fidelity}"
