"""Evaluators that do what a contract has to be tested against; workers import this module."""

import multiprocessing
import os
import signal
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

import torch

from neptune_nas.architecture.records import Architecture
from neptune_nas.errors import ArchitectureError
from neptune_nas.metrics.score import Score


@dataclass(frozen=True, slots=True)
class Echo:
    """Scores what it was asked, so that a result can be told from any other."""

    seconds: float = 0.0

    def __call__(self, architecture: Architecture, fidelity: int, seed: int) -> Score:
        loss = float(architecture.stages[0].width)
        return Score(
            fidelity, {"accuracy": seed / 1000, "loss": loss}, seed=seed, seconds=self.seconds
        )


@dataclass(frozen=True, slots=True)
class Forgets:
    """Says nothing of its seed, always the same fidelity, and has another clock."""

    def __call__(self, architecture: Architecture, fidelity: int, seed: int) -> Score:  # noqa: ARG002  # the protocol's arguments
        return Score(1, {"accuracy": 0.5, "loss": 1.0}, started=5.0)


@dataclass(frozen=True, slots=True)
class Raises:
    """Raises at odd seeds, as a bug of the evaluator's would."""

    error: BaseException

    def __call__(self, architecture: Architecture, fidelity: int, seed: int) -> Score:
        if seed % 2:
            raise self.error
        return Echo()(architecture, fidelity, seed)


class OddError(ArchitectureError):
    """A user's mistake that cannot be pickled."""

    def __init__(self, part: str, rule: str) -> None:
        super().__init__(f"{part} {rule}")


@dataclass(frozen=True, slots=True)
class RaisesOdd:
    def __call__(self, architecture: Architecture, fidelity: int, seed: int) -> Score:  # noqa: ARG002  # the protocol's arguments
        raise OddError("`kernel`", "must be odd.")


@dataclass(frozen=True, slots=True)
class Dies:
    """Kills its own process `times` times at odd seeds, then echoes."""

    folder: Path
    times: int
    signal: int = signal.SIGKILL

    def __call__(self, architecture: Architecture, fidelity: int, seed: int) -> Score:
        deaths = len(list(self.folder.glob(f"{seed}-*")))
        if seed % 2 and deaths < self.times:
            (self.folder / f"{seed}-{deaths}").touch()
            os.kill(os.getpid(), self.signal)
        return Echo()(architecture, fidelity, seed)


@dataclass(frozen=True, slots=True)
class LeavesChild:
    """Starts a process that would run for long, notes it, and kills its own."""

    folder: Path

    def __call__(self, architecture: Architecture, fidelity: int, seed: int) -> Score:
        child = subprocess.Popen(["sleep", "600"])
        (self.folder / str(child.pid)).touch()
        os.kill(os.getpid(), signal.SIGKILL)
        return Echo()(architecture, fidelity, seed)


@dataclass(frozen=True, slots=True)
class Quits:
    """Ends its own process at odd seeds, as a library's code may."""

    code: int

    def __call__(self, architecture: Architecture, fidelity: int, seed: int) -> Score:
        if seed % 2:
            os._exit(self.code)
        return Echo()(architecture, fidelity, seed)


@dataclass(frozen=True, slots=True)
class Hangs:
    """Never returns at odd seeds; notes that it began."""

    folder: Path

    def __call__(self, architecture: Architecture, fidelity: int, seed: int) -> Score:
        if seed % 2:
            (self.folder / f"{seed}-{os.getpid()}").touch()
            threading.Event().wait()
        return Echo()(architecture, fidelity, seed)


@dataclass(frozen=True, slots=True)
class Interrupts:
    """Sends Ctrl-C to a process, and then never returns."""

    process: int

    def __call__(self, architecture: Architecture, fidelity: int, seed: int) -> Score:
        os.kill(self.process, signal.SIGINT)
        threading.Event().wait()
        return Echo()(architecture, fidelity, seed)


@dataclass(frozen=True, slots=True)
class KillsParent:
    """Kills the process that its worker was forked from, once, and then never returns."""

    folder: Path

    def __call__(self, architecture: Architecture, fidelity: int, seed: int) -> Score:
        marker = self.folder / "killed"
        if seed % 2 and not marker.exists():
            marker.touch()
            os.kill(os.getppid(), signal.SIGKILL)
            threading.Event().wait()
        return Echo()(architecture, fidelity, seed)


@dataclass(frozen=True, slots=True)
class Meets:
    """Returns only when an even and an odd seed are evaluated at once."""

    fifo: Path

    def __call__(self, architecture: Architecture, fidelity: int, seed: int) -> Score:
        with self.fifo.open("r" if seed % 2 else "w"):  # blocks until the other end opens
            return Echo()(architecture, fidelity, seed)


@dataclass(frozen=True, slots=True)
class Placed:
    """Scores the place it runs in: loss is the torch threads, accuracy a hundredth of the index."""

    device: str = "cpu"

    def __call__(self, architecture: Architecture, fidelity: int, seed: int) -> Score:  # noqa: ARG002  # the protocol's arguments
        index = torch.device(self.device).index or 0
        return Score(fidelity, {"accuracy": index / 100, "loss": float(torch.get_num_threads())})


@dataclass(frozen=True, slots=True)
class Reports:
    """Scores the process it runs in: loss is its id."""

    def __call__(self, architecture: Architecture, fidelity: int, seed: int) -> Score:  # noqa: ARG002  # the protocol's arguments
        return Score(fidelity, {"accuracy": 0.0, "loss": float(os.getpid())})


@dataclass(frozen=True, slots=True)
class Announces:
    """Says on standard output that it runs, and never ends."""

    def __call__(self, architecture: Architecture, fidelity: int, seed: int) -> Score:  # noqa: ARG002  # the protocol's arguments
        os.write(1, b"busy\n")
        while True:
            pass


@dataclass(frozen=True, slots=True)
class HasChild:
    """Starts a process, as loading data in parallel does; loss is its exit code."""

    def __call__(self, architecture: Architecture, fidelity: int, seed: int) -> Score:  # noqa: ARG002  # the protocol's arguments
        child = multiprocessing.get_context("forkserver").Process(target=os._exit, args=(7,))
        child.start()
        child.join()
        return Score(fidelity, {"accuracy": 1.0, "loss": float(child.exitcode or 0)})


def refuse() -> None:
    """Return a setup that finds a mistake of the user's."""
    raise ArchitectureError("no `SPACE` in my_space.py: add one.")


def break_down() -> None:
    """Return a setup that has a bug."""
    raise LookupError("nothing there")


def leave() -> None:
    """Return a setup that exits with a message."""
    raise SystemExit("no GPU here")


def die() -> None:
    """Return a setup that takes its worker along."""
    os._exit(3)
