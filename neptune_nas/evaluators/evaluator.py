"""The interface between a search and the evaluator of its architectures."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from inspect import isfunction
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from neptune_nas.architecture.codec import type_name
from neptune_nas.errors import NeptuneError, OptionError, OwnCodeError, failure_text, file_with
from neptune_nas.files.schema import check, check_value, cut
from neptune_nas.metrics.registry import CLASSIFICATION, Metric
from neptune_nas.metrics.score import Score
from neptune_nas.text import counted


@runtime_checkable
class Evaluator(Protocol):
    """Measures one architecture: `(architecture, fidelity, seed) -> score`.

    An evaluator is a value: picklable, without state that changes between calls, and as far as the
    hardware allows a pure function, so the same arguments give the same score on any worker and in
    any order. `fidelity` is how much of the budget to use (epochs, for training; >= 1). Every call
    is complete in itself, with its own fully annealed schedule, so an interrupted call is simply
    repeated. A measurement that fails (divergence, out of memory) is returned as a `Score` whose
    `failure` says why; only a mistake of the user's raises `NeptuneError`. The `fidelity` and
    `seed` of a `Score` are those of the call: an engine overwrites what the evaluator put there, so
    one that uses less of the budget than it was given still answers for all of it. The fields of a
    dataclass are part of a study's question, see `neptune_nas.evaluators.parameters`; those of
    other classes are not recorded.

    Two members are optional. `traits`, a `Traits`, describes what is measured and how; without it
    an evaluator measures accuracy and loss at plain fidelities. `prepare(folder) -> Evaluator`
    makes once, in `folder`, what all workers share, such as a teacher's outputs, and returns the
    evaluator to send to them; it is called again when a study goes on, and then finds what it made.
    """

    def __call__(self, architecture: Any, fidelity: int, seed: int) -> Score:
        """Return the score of `architecture`, measured with `fidelity` of the budget."""


@dataclass(frozen=True, slots=True)
class Traits:
    """The properties of an evaluator that a study uses, so that no other code checks its type.

    `name`: as the study calls it; if empty, the name of its class. `metrics`: what it measures, the
    main metric first, of which more is better. `unit`: of fidelity, such as "epoch"; empty for a
    plain number. `trains`: whether it builds networks and trains them by a recipe. `uses_device`:
    whether it computes on the device named by `device`.

    Raises `OptionError` for metrics that no ranking can begin with.
    """

    name: str = ""
    metrics: tuple[Metric, ...] = CLASSIFICATION
    unit: str = ""
    trains: bool = False
    uses_device: bool = True

    def __post_init__(self) -> None:
        check(self)
        check_scored(self.metrics)


def check_scored(metrics: Sequence[Metric]) -> None:
    """Refuse metrics that are not scored, that repeat, or that begin with one to minimise."""
    names = [each.name for each in metrics]
    if not metrics or metrics[0].better != "more":
        raise OptionError(
            f"an evaluator's first metric must be better when it is more, but its metrics are "
            f"{', '.join(names) or 'none'}."
        )
    if len({*names}) < len(names):
        raise OptionError(f"an evaluator's metrics must differ, but are {', '.join(names)}.")
    for each in metrics:
        if not each.is_scored:
            raise OptionError(
                f"an evaluator's metric must have the source 'scored', but '{each.name}' is "
                f"'{each.source}'."
            )


def traits_of(evaluator: Evaluator) -> Traits:
    """Return the traits of an evaluator, or defaults where it declares none.

    Raises `OptionError` if they are not `Traits`.
    """
    traits = getattr(evaluator, "traits", None)
    check_value(traits, Traits | None, f"{code_of(evaluator).__name__}.traits")
    traits = traits or Traits()
    return traits if traits.name else replace(traits, name=type_name(code_of(evaluator)))


def prepare_evaluator(evaluator: Evaluator, folder: Path) -> Evaluator:
    """Return the evaluator to send to workers, after it made their shared files in `folder`.

    Raises `OwnCodeError` if its `prepare` fails, or returns something that cannot be called.
    """
    prepare, cls = getattr(evaluator, "prepare", None), code_of(evaluator)
    if prepare is None:
        return evaluator
    try:
        made: Evaluator = prepare(folder)
    except NeptuneError:
        raise
    except (Exception, SystemExit) as error:
        why = failure_text(error, file_with(cls), named=True)
        raise OwnCodeError(f"`{cls.__name__}.prepare` failed{why}") from error
    if not callable(made):
        raise OwnCodeError(
            f"`{cls.__name__}.prepare` must return an evaluator, such as `self`, but returned "
            f"{cut(made)}."
        )
    return made


def code_of(evaluator: Any) -> Any:
    """Return the object that an evaluator is named after: its class, or itself if a function."""
    return evaluator if isfunction(evaluator) else type(evaluator)


def budget_text(unit: str, fidelity: int) -> str:
    """Return a fidelity in words; `unit`: the evaluator's unit of fidelity, or empty.

    >>> budget_text("epoch", 3), budget_text("", 3)
    ('3 epochs', 'fidelity 3')
    """
    return counted(fidelity, unit) if unit else f"fidelity {fidelity}"
