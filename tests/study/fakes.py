"""An engine without processes and an evaluator without training, both true to their contracts."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from neptune_nas.architecture.codec import key
from neptune_nas.architecture.records import Architecture
from neptune_nas.engine.engine import Call, Result, Usage
from neptune_nas.evaluators.evaluator import Evaluator
from neptune_nas.metrics.score import Score
from neptune_nas.search.config import Search


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Scores by a formula: wider and longer trained is better, a little noise by key and seed."""

    broken: frozenset[str] = frozenset()

    def __call__(self, architecture: Architecture, fidelity: int, seed: int) -> Score:
        """The score, or a failure for the architectures that are `broken`."""
        name = key(architecture)
        if name in self.broken:
            return Score(fidelity, seed=seed, failure="broken on purpose")
        width = sum(stage.width for stage in architecture.stages)
        noise = (int(name[:4], 16) + seed % 7) / 0xFFFF / 100
        accuracy = 1 - 1 / (1 + width / 20) + 0.02 * fidelity / (1 + fidelity) + noise
        return Score(fidelity, {"accuracy": min(accuracy, 1.0), "loss": 1.0}, seed, seconds=0.001)


def arithmetic_search(out: Path, trials: int = 12, **changes: Any) -> Search:
    """A search that trains nothing."""
    asked = {"space": "tiny", "jobs": 1, "rungs": (1,), **changes}
    return Search(evaluator=Arithmetic(), trials=trials, out=out, **asked)


class InlineEngine:
    """Runs one call at each `wait`, in the order they came; counts every call it made."""

    def __init__(self, evaluator: Evaluator, slots: int = 2) -> None:
        self.evaluator, self.slots = evaluator, slots
        self.queue: deque[Call] = deque()
        self.made: list[Call] = []
        self.usage = Usage(busy=(0.0,) * slots, cpu=(0.0,) * slots)
        self.before_call: Callable[[int], None] = lambda _: None

    @property
    def pending(self) -> frozenset[int]:
        return frozenset(call.id for call in self.queue)

    def submit(self, call: Call) -> None:
        assert call.id not in self.pending
        self.queue.append(call)

    def wait(self, timeout: float | None = None) -> list[Result]:
        if not self.queue or timeout == 0:
            return []
        self.before_call(len(self.made))
        call = self.queue.popleft()
        self.made.append(call)
        return [Result(call, self.evaluator(call.architecture, call.fidelity, call.seed))]

    def close(self) -> None:
        self.queue.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Together(InlineEngine):
    """Makes all pending calls at each `wait`, and hands out their results at once."""

    def wait(self, timeout: float | None = None) -> list[Result]:
        found: list[Result] = []
        while results := super().wait(timeout):
            found += results
        return found
