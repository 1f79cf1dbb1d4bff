"""The survival of a study under random `kill -9` of its workers and coordinator.

Run it with `python -m benchmarks.kill_storm --kills 50 --trials 200`. It starts a real search as a
separate process, kills one of its processes at random moments, restarts the search whenever the
coordinator dies, and at the end checks every trial that was ever seen finished.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from time import sleep

from neptune_nas.errors import NeptuneError
from neptune_nas.metrics.score import Score
from neptune_nas.study.read import read_study
from neptune_nas.study.trial import State

SPACE, EPOCHS = "tiny", 2


def start(out: Path, trials: int) -> subprocess.Popen[bytes]:
    options = ("--space", SPACE, "--trials", str(trials), "--epochs", str(EPOCHS))
    command = [sys.executable, "-m", "neptune_nas", "search", *options, "--out", str(out), "-q"]
    return subprocess.Popen(command)


def workers_of(coordinator: int) -> list[int]:
    """Return the processes below the coordinator (Linux): its fork server and its workers."""
    found, queue = [], [coordinator]
    while queue:
        parent = queue.pop()
        for tasks in Path(f"/proc/{parent}/task").glob("*/children"):
            children = [int(pid) for pid in tasks.read_text().split()]
            found += children
            queue += children
    return found


def finished(folder: Path) -> dict[int, tuple[str, tuple[Score, ...]]]:
    """Return the finished trials that a reader sees now: key and scores by number."""
    try:
        trials = read_study(folder).trials
    except NeptuneError:
        return {}
    return {t.number: (t.key, t.scores) for t in trials if t.state is State.FINISHED}


def kill_one(search: subprocess.Popen[bytes], rng: Random) -> str:
    """Kill the coordinator or one process below it, and return which."""
    below = workers_of(search.pid)
    victim = search.pid if not below or rng.random() < 0.5 else rng.choice(below)
    try:
        os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:
        return "nobody"
    return "coordinator" if victim == search.pid else "worker"


def storm(out: Path, kills: int, trials: int, seed: int) -> None:
    rng, killed = Random(seed), {"coordinator": 0, "worker": 0, "nobody": 0}
    seen: dict[int, tuple[str, tuple[Score, ...]]] = {}
    folder, starts = out / f"{SPACE}-digits", 0
    search = start(out, trials)
    while search.poll() != 0:
        if search.poll() is not None:
            search, starts = start(out, trials), starts + 1
        if killed["coordinator"] + killed["worker"] < kills:
            sleep(rng.uniform(0.5, 8.0))
            if search.poll() is None:
                killed[kill_one(search, rng)] += 1
            check(seen, finished(folder))
        else:
            search.wait()
    study = read_study(folder)
    check(seen, finished(folder))
    keys = [trial.key for trial in study.trials]
    states = {state.value: sum(t.state is state for t in study.trials) for state in State}
    print(f"killed: {killed}; restarts: {starts}; trials by state: {states}")
    print(f"distinct architectures: {len(set(keys))} of {len(keys)}")
    print(f"failures: {study.ledger.failures}")
    assert len(keys) == len(set(keys)) == trials
    assert states["running"] == 0


def check(
    seen: dict[int, tuple[str, tuple[Score, ...]]], now: dict[int, tuple[str, tuple[Score, ...]]]
) -> None:
    """Check that no trial seen finished is lost or scored again."""
    for number, before in seen.items():
        assert now.get(number, before) == before, f"trial {number} was run again"
    seen.update(now)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as out:
        storm(Path(out), asked.kills, asked.trials, asked.seed)


if __name__ == "__main__":
    main()
