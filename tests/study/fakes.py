"""An engine without processes and an evaluator without training, both true to their contracts."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self, cast

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage

from neptune_nas.architecture.codec import key
from neptune_nas.architecture.records import Architecture
from neptune_nas.engine.engine import Call, Engine, Result, Usage
from neptune_nas.evaluators.bench import Asked, Bench
from neptune_nas.evaluators.evaluator import Evaluator
from neptune_nas.metrics.counted import CostModel
from neptune_nas.metrics.score import Score
from neptune_nas.search.assembly import Assembly
from neptune_nas.search.config import Search
from neptune_nas.study.store import Store
from neptune_nas.study.trial import Trial

SHAPE, CLASSES = (1, 8, 8), 10
GUESS = {"accuracy": 0.1, "loss": log(CLASSES)}


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


class OnBench:
    """`Arithmetic` with a bench of its own; `clocks` know timed metrics, which aren't measured."""

    def __init__(
        self,
        broken: frozenset[str] = frozenset(),
        clocks: Mapping[str, Callable[[Any], float]] | None = None,
    ) -> None:
        self.formula, self.clocks = Arithmetic(broken), clocks or {}

    def __call__(self, architecture: Architecture, fidelity: int, seed: int) -> Score:
        return self.formula(architecture, fidelity, seed)

    def bench(self, asked: Asked, _data_dir: str | Path | None) -> Bench:
        return Bench(
            evaluator=self,
            input_shape=SHAPE,
            classes=CLASSES,
            guess=GUESS,
            fingerprint="abc",
            images=(100, 20, 20),
            source=f"on {asked.data}",
            costs=CostModel(SHAPE, CLASSES),
            clocks=self.clocks,
        )


def arithmetic_search(out: Path, trials: int = 12, **changes: Any) -> Search:
    """A search that trains nothing."""
    usual = {"space": "tiny", "evaluator": Arithmetic(), "jobs": 1, "rungs": (1,)}
    return Search(trials=trials, out=out, **{**usual, **changes})


@dataclass(frozen=True)
class CrashingStore(Store):
    """A store that calls `before_write` before each write of a trial."""

    before_write: Callable[[], None] = lambda: None

    def add(
        self,
        trial: Trial,
        distributions: Mapping[str, BaseDistribution],
        system_attrs: Mapping[str, Any],
    ) -> Trial:
        self.before_write()
        return super().add(trial, distributions, system_attrs)

    def add_score(self, trial: Trial, is_last: bool) -> None:
        self.before_write()
        super().add_score(trial, is_last)

    def finish(self, trial: Trial, values: Sequence[float] | None) -> None:
        self.before_write()
        super().finish(trial, values)


class _Failing:
    def __init__(self, storage: BaseStorage, method: str, error: BaseException) -> None:
        self.storage, self.method, self.error = storage, method, error

    def __getattr__(self, name: str) -> Any:
        return self.fail if name == self.method else getattr(self.storage, name)

    def fail(self, *_: object, **__: object) -> NoReturn:
        raise self.error


def failing(storage: BaseStorage, method: str, error: BaseException) -> BaseStorage:
    """The same storage, but for a method that raises an error."""
    return cast("BaseStorage", _Failing(storage, method, error))


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


@dataclass(frozen=True)
class InlineAssembly(Assembly):
    """The parts of a search whose engine is that which `make` makes."""

    make: Callable[[], Engine]

    def engine(self) -> Engine:
        return self.make()


@dataclass(frozen=True)
class TimedAssembly(Assembly):
    """The parts of a search in which a network is timed by `clock`, and none is run for it."""

    clock: Callable[[Any], float]

    def _time(self, _name: str, architecture: Any) -> float:
        return self.clock(architecture)


class CudaAssembly(Assembly):
    """The parts of a search on a machine with two GPUs."""

    @cached_property
    def device(self) -> str:
        return "cpu" if self.search.device == "cpu" else "cuda"
