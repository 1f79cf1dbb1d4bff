"""Searches of one study from several folders, each in a process that can be killed and begun anew.

They are forked from a process that has imported everything, so that beginning one costs little.
"""

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import sleep
from typing import Any

from neptune_nas.architecture.codec import key
from neptune_nas.errors import NeptuneError
from neptune_nas.metrics.score import Score
from neptune_nas.search.assembly import Assembly
from neptune_nas.search.config import Search, ignore
from neptune_nas.search.run import run_search
from neptune_nas.study.folder import Folder
from neptune_nas.study.lease import LeaseLostError, Terms, folder_id, hold_lease
from neptune_nas.study.store import create_store
from tests.study.builders import AIMS, coordinator_on, question
from tests.study.fakes import InlineEngine

ROOT = Path(__file__).parents[1]
NAME = "contended"
REFUSED, LOST = 3, 4  # exit codes


@dataclass(frozen=True, slots=True)
class Slow:
    """An evaluator that takes `seconds` and scores a network by its name."""

    seconds: float

    def __call__(self, architecture: Any, fidelity: int, seed: int) -> Score:
        """Return the score."""
        sleep(self.seconds)
        accuracy = int(key(architecture)[:4], 16) / 0xFFFF
        return Score(fidelity, {"accuracy": accuracy, "loss": 1.0}, seed, seconds=self.seconds)


@dataclass(frozen=True, slots=True)
class Contender:
    """One search of the study in the database at `url`, from the folder `out`.

    `is_light`: without worker processes, and without all that a search makes but its trials.
    """

    out: str
    url: str
    trials: int
    seconds: float = 0.2
    jobs: int = 2
    beat: float = 0.3
    stale: float = 3.0
    is_light: bool = False

    @property
    def terms(self) -> Terms:
        """The times of its lease."""
        return Terms(self.beat, self.stale)

    def run(self) -> int:
        """Search, and return an exit code."""
        try:
            self._search_lightly() if self.is_light else self._search()
        except LeaseLostError as error:
            return _ended(error, LOST)
        except NeptuneError as error:
            return _ended(error, REFUSED if "is being searched by" in str(error) else 1)
        return 0

    def _search_lightly(self) -> None:
        folder = Folder(Path(self.out))
        with folder.locked():
            store = create_store(self.url, NAME, AIMS, "a question")
            with hold_lease(store, folder_id(folder.id), ignore, self.terms):
                made = coordinator_on(store, question(rungs=(1,)), self.trials)
                made.run(InlineEngine(Slow(self.seconds)))

    def _search(self) -> None:
        search = Search(
            space="tiny",
            evaluator=Slow(self.seconds),
            trials=self.trials,
            jobs=self.jobs,
            threads=1,
            sampler="random",
            name=NAME,
            out=self.out,
            storage=self.url,
        )
        run_search(_Contending(search, self.terms), ignore, ignore)


def _ended(error: NeptuneError, code: int) -> int:
    print(error, file=sys.stderr, flush=True)
    return code


@dataclass(frozen=True)
class _Contending(Assembly):
    """The parts of a search whose lease has other times."""

    terms: Terms

    @property
    def lease_terms(self) -> Terms:
        return self.terms


class Nursery:
    """A process that begins contenders; what they say goes into the file `log`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def start(self, contender: Contender) -> int:
        """Begin a contender, and return its process."""
        return int(self._ask({"start": asdict(contender)}))

    def exit_code(self, pid: int) -> int | None:
        """Return how a contender ended, negative if it was killed; None while it runs."""
        code = self._ask({"poll": pid})
        return None if code is None else int(code)

    def wait(self, pid: int) -> int:
        """Wait for a contender, and return how it ended."""
        while (code := self.exit_code(pid)) is None:
            sleep(0.05)
        return code

    def _ask(self, question: object) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@contextmanager
def nursery(log: Path) -> Iterator[Nursery]:
    """Run a nursery inside the context; its contenders must have ended by then."""
    code = "from benchmarks.contenders import serve; serve()"
    command = [sys.executable, "-c", code]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with (
        log.open("ab") as said,
        subprocess.Popen(command, cwd=ROOT, stderr=said, text=True, **pipes) as process,  # type: ignore[call-overload]  # the pipes
    ):
        yield Nursery(process)
        assert process.stdin is not None
        process.stdin.close()


def serve() -> None:
    """Begin contenders and say how they ended, as stdin asks, a line each."""
    for line in sys.stdin:
        asked = json.loads(line)
        if "start" in asked:
            answer: int | None = _fork(Contender(**asked["start"]))
        else:
            pid, status = os.waitpid(asked["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        print(json.dumps(answer), flush=True)


def _fork(contender: Contender) -> int:
    if pid := os.fork():
        return pid
    code = 1
    try:
        with open(os.devnull) as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(2, 1)  # stdout is the nursery's answer
        code = contender.run()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)
