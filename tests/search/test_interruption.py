"""Searches that are killed, stopped or watched, and scripts that search."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from neptune_nas.search.config import Search
from neptune_nas.search.coordinator import StopSearch
from neptune_nas.study.progress import Progress
from neptune_nas.study.read import read_study
from neptune_nas.study.trial import State
from tests.study.fakes import Arithmetic

ROOT = Path(__file__).parents[2]


SCRIPT = """
from pathlib import Path
from neptune_nas.search.config import Search
from tests.study.fakes import Arithmetic, failing
search = Search(space="tiny", trials=24, evaluator=Arithmetic(), out=Path({out!r}), jobs=2)
search.run(lambda progress: print(progress.done, flush=True))
"""


UNGUARDED = """
from pathlib import Path
from neptune_nas.search.config import Search
from tests.study.fakes import Arithmetic, failing
Search(space="tiny", trials=4, evaluator=Arithmetic(), out=Path({out!r}), jobs=2).run()
"""


def arithmetic(out: Path, **changes: Any) -> Search:
    """Return a search that trains nothing."""
    asked = {"space": "tiny", "trials": 24, "jobs": 2, **changes}
    return Search(evaluator=Arithmetic(), out=out, **asked)


@pytest.mark.parametrize("results_seen", [1, 7, 23])
def test_killed_at_any_moment_and_run_again_it_has_every_trial_once(
    tmp_path: Path, results_seen: int
) -> None:
    command = [sys.executable, "-c", SCRIPT.format(out=str(tmp_path))]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(results_seen):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    finished = {
        trial.key: trial.scores
        for trial in read_study(tmp_path / "tiny-digits").trials
        if trial.state is State.FINISHED
    }
    assert len(finished) >= results_seen
    study = arithmetic(tmp_path).run()
    assert [trial.state for trial in study.trials] == [State.FINISHED] * 24
    assert {t.key: t.scores for t in study.trials if t.key in finished} == finished


def test_a_script_is_run_by_no_worker_again(tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text("print('begun')\n" + UNGUARDED.format(out=str(tmp_path)))
    ended = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert (ended.stdout, ended.stderr) == ("begun\n", "")
    assert len(read_study(tmp_path / "tiny-digits").ranked) == 4


def test_a_script_from_stdin_searches_and_prints_nothing_but_what_it_says(tmp_path: Path) -> None:
    script = UNGUARDED.format(out=str(tmp_path)) + "print('done')"
    ended = subprocess.run(
        [sys.executable], input=script, capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (ended.stdout, ended.stderr) == ("done\n", "")
    assert len(read_study(tmp_path / "tiny-digits").ranked) == 4


OWN = """
from dataclasses import dataclass
from neptune_nas import Architecture, Conv, Score, Search, Space, Stage, choice
from torch import nn

@dataclass(frozen=True)
class Gate:
    def build(self, width):
        return nn.Conv2d(width, width, 1)

def measure(architecture, fidelity, seed):
    gated = isinstance(architecture.stages[0].substages[0], Gate)
    return Score(fidelity, {{"accuracy": 0.5 + gated / 4, "loss": 0.0}}, seed)

stage = Stage(width=choice(8, 16, 24), substages=(choice(Conv(), Gate()),))
space = Space("gated", Architecture(stages=(stage,)))
asked = Search(space, trials=6, evaluator=measure, rungs=(1,), jobs=2, out={out!r}, name="own")
for trial in asked.run().trials:
    assert isinstance(trial.architecture.stages[0].substages[0], Gate) == (trial.score.main > 0.6)
"""


@pytest.mark.parametrize("how", ["script", "stdin", "-c"])
def test_what_the_main_program_defines_reaches_the_workers(tmp_path: Path, how: str) -> None:
    text, script = OWN.format(out=str(tmp_path)), tmp_path / "own.py"
    script.write_text(text)
    more = {"script": [str(script)], "-c": ["-c", text], "stdin": []}[how]
    ended = subprocess.run(
        [sys.executable, *more],
        input=text,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert (ended.stdout, ended.stderr) == ("", "")
    assert len(read_study(tmp_path / "own").ranked) == 6


def test_ctrl_c_leaves_a_whole_study(tmp_path: Path) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    search = arithmetic(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        search.run(interrupt)
    folder = tmp_path / "tiny-digits"
    assert (folder / "trials.csv").exists()
    assert (folder / "best.json").exists()
    assert len(search.run().ranked) == 24


class Loses:
    """Loses Ctrl-C: what is raised in a destructor is printed, and then lost."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("ctrl_c_raises")
def test_ctrl_c_ends_a_search_wherever_it_comes(tmp_path: Path) -> None:
    search, seen = arithmetic(tmp_path), []

    def lose(progress: Progress) -> None:
        seen.append(progress.done)
        Loses()

    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        search.run(lose)
    assert len(seen) == 1
    assert not search.folder.is_in_use
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert len(search.run().ranked) == 24


def test_a_watcher_sees_each_trial_as_its_result_comes(tmp_path: Path) -> None:
    seen: list[Progress] = []
    study = arithmetic(tmp_path, trials=5).run(seen.append)
    assert [p.done for p in seen] == [1, 2, 3, 4, 5]
    assert {p.newest.number: p.newest for p in seen if p.newest} == dict(enumerate(study.trials))


def test_a_watcher_that_has_seen_enough_ends_the_search_which_can_go_on(tmp_path: Path) -> None:
    def enough(progress: Progress) -> None:
        if progress.done >= 3:
            raise StopSearch

    search = arithmetic(tmp_path)
    study = search.run(enough)
    assert 3 <= len(study.ranked) < 24  # what had come in with the third is kept too
    assert (study.folder / "report.html").exists()
    assert len(search.run().ranked) == 24


def test_what_a_watcher_raises_is_raised_once_all_is_written(tmp_path: Path) -> None:
    def fail(_: Progress) -> None:
        raise ZeroDivisionError("the watcher's own mistake")

    with pytest.raises(ZeroDivisionError, match="own mistake"):
        arithmetic(tmp_path).run(fail)
    assert (tmp_path / "tiny-digits" / "report.html").exists()
