"""Cases in forked children, which share the imports of this process, and end alone.

A child takes several cases, one after the other; one with a fault is judged again in a child of its
own, so that none is blamed for what an earlier one left.
"""

import faulthandler
import gc
import os
import pickle
import resource
import select
import signal
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil
from multiprocessing import get_context
from pathlib import Path
from random import Random
from shutil import rmtree
from time import monotonic, process_time, sleep
from traceback import format_exc
from typing import NoReturn

import torch

from tests.fuzzing.oracle import RIGHT, Case, Kind, Verdict, judge

MakeCase = Callable[[Random, Path], Case]
"""Writes one changed input into a folder, and returns what reads it."""

OpenReader = Callable[[Path], MakeCase]
"""Writes the valid inputs of a reader into a folder, once, and returns what makes its cases."""

_BATCH = 40  # cases of a child
_BUSY = 6  # times as long as a case takes, on a machine that does other things
_ROOM = Path("/dev/shm")  # where files are written and synced quickly


@dataclass(frozen=True, slots=True)
class Limits:
    """What a case may take: seconds, of the processor or waiting, and megabytes more."""

    seconds: float = 10.0
    megabytes: float = 1024.0


LIMITS = Limits()


def scratch() -> tempfile.TemporaryDirectory[str]:
    """Return a new folder for the files of all cases."""
    return tempfile.TemporaryDirectory(prefix="fuzz-", dir=_ROOM if _ROOM.is_dir() else None)


def judge_all(
    readers: Mapping[str, OpenReader],
    cases: int,
    *,
    seed: int = 0,
    jobs: int = 2,
    limits: Limits = LIMITS,
) -> Iterator[Verdict]:
    """Yield the verdicts on the cases of all readers, each of which gets an equal share."""
    share = ceil(cases / len(readers))
    with scratch() as root:
        for name, open_reader in readers.items():
            fuzzer = open_fuzzer(name, open_reader, Path(root), seed, limits)
            yield from run_cases(fuzzer, range(share), jobs)


def judge_elsewhere(
    readers: Mapping[str, OpenReader], cases: int, limits: Limits = LIMITS
) -> list[Verdict]:
    """Return the verdicts of `judge_all`, for which a new process is begun that has no threads."""
    with ProcessPoolExecutor(1, get_context("spawn")) as processes:
        return processes.submit(_verdicts, readers, cases, limits).result()


def _verdicts(readers: Mapping[str, OpenReader], cases: int, limits: Limits) -> list[Verdict]:
    return list(judge_all(readers, cases, limits=limits))


@dataclass(frozen=True, slots=True)
class Fuzzer:
    """A reader with its valid inputs; `root`: the folder of all its files."""

    name: str
    make: MakeCase
    root: Path
    seed: int
    limits: Limits

    def case(self, number: int, folder: Path) -> Case:
        """Return a case, whose input is written into a folder."""
        return self.make(Random(f"{self.seed}/{self.name}/{number}"), folder)

    def judge(self, number: int, begin: Callable[[str], object]) -> Verdict:
        """Return the verdict on a case, for which this process changes its folder and variables.

        `begin` is called with the case's label before it is read.
        """
        names = ("given", "outside", "here", "home")
        given, outside, here, home = (self.root / str(number) / name for name in names)
        for folder in (given, outside, here, home):
            folder.mkdir(parents=True)
        (outside / "victim").write_text("whole")
        os.chdir(here)
        os.environ.update(HOME=str(home), XDG_CACHE_HOME=str(home), COLUMNS="200")
        case = self.case(number, given)
        begin(case.label)
        before, since = _reset_peak(), process_time()
        kind, detail, where = judge(case, given, (outside, here, self.root / "valid"))
        grown, seconds = _megabytes("VmHWM") - before, process_time() - since
        if kind in RIGHT and grown > self.limits.megabytes:
            kind, detail, where = Kind.MEMORY, f"{grown:.0f} MB; {detail}", ""
        os.chdir(self.root)
        return Verdict(self.name, number, kind, case.label, detail, where, seconds, grown)

    def clean(self, number: int) -> None:
        """Remove the files of a case."""
        rmtree(self.root / str(number), ignore_errors=True)


def open_fuzzer(
    name: str, open_reader: OpenReader, root: Path, seed: int = 0, limits: Limits = LIMITS
) -> Fuzzer:
    """Return the fuzzer of a reader, whose valid inputs are written below `root`."""
    valid = root / name / "valid"
    valid.mkdir(parents=True)
    return Fuzzer(name, open_reader(valid), root / name, seed, limits)


def run_cases(fuzzer: Fuzzer, numbers: Iterable[int], jobs: int = 2) -> Iterator[Verdict]:
    """Yield the verdicts on cases as they end, with at most `jobs` children at once."""
    torch.set_num_threads(1)  # a forked child has no other threads
    gc.freeze()  # its collections then touch, and copy, only what is new
    todo = list(numbers)
    queue = [todo[i : i + _BATCH] for i in range(0, len(todo), _BATCH)]
    running: list[_Child] = []
    while queue or running:
        while queue and len(running) < jobs:
            running.append(_start(fuzzer, queue.pop(0)))
        ready = select.select(running, [], [], 0.1)[0]
        for child in [*running]:
            child.watch()
            for verdict in child.read() if child in ready else ():
                if child.is_alone or verdict.kind in RIGHT:
                    yield verdict
                else:
                    queue.append([verdict.number])
            if child.is_over:
                running.remove(child)
                if child.left and (child.killed or child.is_alone):
                    yield child.verdict()
                    del child.left[0]
                    queue += [child.left] if child.left else []
                else:
                    queue += [each for each in (child.left[:1], child.left[1:]) if each]


@dataclass(slots=True, eq=False)
class _Child:
    """A forked process and the cases that it has still to judge.

    `size`: megabytes when it began. `used`: seconds of the processor before the present case.
    """

    fuzzer: Fuzzer
    pid: int
    pipe: int
    left: list[int]
    is_alone: bool
    size: float
    since: float = field(default_factory=monotonic)
    used: float = 0.0
    label: str = ""
    buffer: bytes = b""
    killed: Kind | None = None
    is_over: bool = False

    def fileno(self) -> int:
        """Return the end of the pipe that it writes to."""
        return self.pipe

    def read(self) -> Iterator[Verdict]:
        """Yield the verdicts that came, and note whether it has ended."""
        got = os.read(self.pipe, 2**16)
        *lines, self.buffer = (self.buffer + got).split(b"\n")
        for line in lines:
            said = pickle.loads(bytes.fromhex(line.decode()))
            if isinstance(said, Exception):
                raise said
            if isinstance(said, str):
                self.label = said
                continue
            self.left.remove(said.number)
            self.since, self.used = monotonic(), _processor_time(self.pid)
            self.fuzzer.clean(said.number)
            yield said
        if not got:
            self.is_over = True
            os.close(self.pipe)
            os.waitpid(self.pid, 0)
            for number in self.left:
                self.fuzzer.clean(number)

    def watch(self) -> None:
        """Kill the child where its case takes too long, or too much memory."""
        most = self.fuzzer.limits
        wall, used = monotonic() - self.since, _processor_time(self.pid) - self.used
        waits = wall > most.seconds and used < 0.1 * wall
        if self.killed:
            return
        if waits or used > most.seconds or wall > _BUSY * most.seconds:
            self.killed = Kind.HANG
        elif _megabytes("VmRSS", self.pid) - self.size > 1.5 * most.megabytes:
            self.killed = Kind.MEMORY
        if self.killed:
            os.kill(self.pid, signal.SIGABRT)  # faulthandler then writes where it was
            for _ in range(20):
                if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                    return
                sleep(0.1)
            os.kill(self.pid, signal.SIGKILL)

    def verdict(self) -> Verdict:
        """Return the verdict on the case in which it died."""
        kind, seconds = self.killed or Kind.DIED, monotonic() - self.since
        stack = self.fuzzer.root / f"stack-{self.pid}"
        ours = [line for line in stack.read_text().splitlines() if "/neptune_nas/" in line]
        where = ours[0].rpartition("/neptune_nas/")[2] if ours else ""
        return Verdict(self.fuzzer.name, self.left[0], kind, self.label, "", where, seconds)


def _start(fuzzer: Fuzzer, numbers: list[int]) -> _Child:
    """Return a new child that judges these cases."""
    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(receive)
        _judge_all(fuzzer, numbers, send)
    os.close(send)
    return _Child(fuzzer, pid, receive, [*numbers], len(numbers) == 1, _megabytes("VmRSS", pid))


def _judge_all(fuzzer: Fuzzer, numbers: list[int], pipe: int) -> NoReturn:
    """Write labels and verdicts to a pipe, and end this process."""

    def say(what: object) -> None:
        os.write(pipe, pickle.dumps(what).hex().encode() + b"\n")

    try:
        os.setsid()  # so that no signal of the terminal, nor one to a group, reaches another
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        stack = (fuzzer.root / f"stack-{os.getpid()}").open("w")
        faulthandler.enable(stack, all_threads=False)
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nothing, stream)
        for number in numbers:
            say(fuzzer.judge(number, say))
    except BaseException:
        say(
            RuntimeError(
                f"a case of {fuzzer.name}, one of {numbers}, failed:\n{format_exc(limit=-4)}"
            )
        )
    finally:
        os._exit(0)


# Linux's own figures of a process; those of a dead one are 0.


def _processor_time(pid: int) -> float:
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _megabytes(name: str, pid: int | str = "self") -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _reset_peak() -> float:
    """Forget the peak of this process so far, and return its memory in megabytes."""
    Path("/proc/self/clear_refs").write_text("5")
    return _megabytes("VmRSS")
