"""The seam between a search and whatever measures its architectures."""

from typing import Protocol, runtime_checkable

from neptune_nas.architecture.records import Architecture
from neptune_nas.metrics.score import Score


@runtime_checkable
class Evaluator(Protocol):
    """Measures one architecture: `(architecture, fidelity, seed) -> score`.

    A pure function as far as the hardware allows: no state that changes between calls, picklable,
    and the same score for the same arguments on whichever worker and in whichever order it runs.
    `fidelity` is how much of the budget to use (epochs, for training; >= 1); every call is complete
    in itself, with its own fully annealed schedule, so an interrupted call is simply made again.
    A measurement that fails (divergence, out of memory) is returned as a `Score` whose `failure`
    says why; only a mistake of the user's raises `NeptuneError`. The `fidelity` and `seed` of a
    `Score` are those of the call: an engine writes them over whatever an evaluator says there, so
    one that uses less of the budget than it was given still answers for all of it. The fields of a
    dataclass are part of a study's question, see `neptune_nas.evaluators.parameters`; those of
    other classes are unseen.
    """

    def __call__(self, architecture: Architecture, fidelity: int, seed: int) -> Score:
        """Measure `architecture` with `fidelity` of the budget."""
