"""The survival of a study under random `kill -9` of its workers and coordinator.

Run it with `python -m benchmarks.kill_storm --kills 50 --trials 200`. It starts a real search as a
separate process, kills one of its processes at random moments, restarts the search whenever the
coordinator dies, and at the end checks every trial that was ever seen finished.

With `--storage sqlite` or `--storage postgres` two searches contend for one study, from two folders
and with evaluations that only take time: whichever holds the lease goes on with it, the other is
refused and tries again. Either is killed at random, or suspended until the other has taken over.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from random import Random
from time import monotonic, sleep

from benchmarks.contenders import LOST, NAME, REFUSED, Contender, Nursery, nursery
from neptune_nas.errors import NeptuneError
from neptune_nas.metrics.score import Score
from neptune_nas.study.read import read_study
from neptune_nas.study.store import open_store
from neptune_nas.study.trial import State, Trial
from tests.postgres import new_database, server

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
    return ended(trials)


def ended(trials: Sequence[Trial]) -> dict[int, tuple[str, tuple[Score, ...]]]:
    """Return the finished ones of trials: key and scores by number."""
    return {t.number: (t.key, t.scores) for t in trials if t.state is State.FINISHED}


def kill_one(search: int, rng: Random) -> str:
    """Kill a coordinator or one process below it, and return which."""
    below = workers_of(search)
    victim = search if not below or rng.random() < 0.5 else rng.choice(below)
    if not signalled(victim, signal.SIGKILL):
        return "nobody"
    return "coordinator" if victim == search else "worker"


def signalled(pid: int, number: int) -> bool:
    """Send a signal to a process, and return whether there is one."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


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
                killed[kill_one(search.pid, rng)] += 1
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


@dataclass(slots=True)
class Contest:
    """Two contenders for one study, and what became of them."""

    born: Nursery
    contenders: tuple[Contender, ...]
    rng: Random
    running: dict[int, int] = field(default_factory=dict)
    begins: dict[int, float] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    seen: dict[int, tuple[str, tuple[Score, ...]]] = field(default_factory=dict)
    holders: list[object] = field(default_factory=list)
    asleep: dict[int, float] = field(default_factory=dict)

    def step(self) -> bool:
        """Note how contenders ended, begin them again, and return whether any is not done."""
        self.wake()
        for which, contender in enumerate(self.contenders):
            if which not in self.running:
                if monotonic() >= self.begins.get(which, 0.0):
                    self.running[which] = self.born.start(contender)
            elif (code := self.born.exit_code(self.running[which])) is not None:
                del self.running[which]
                names = {REFUSED: "refused", LOST: "lost the lease", -9: "was killed", 0: "done"}
                self.counts[names.get(code, f"exit code {code}")] += 1
                self.begins[which] = monotonic() + self.rng.uniform(0, contender.stale)
                if code == 0:
                    self.begins[which] = inf
        return any(self.begins.get(which) != inf for which in range(len(self.contenders)))

    def look(self) -> tuple[Trial, ...]:
        """Check what the database holds now against what was seen before."""
        try:
            store = open_store(self.contenders[0].url, NAME)
            holder = store.storage.get_study_system_attrs(store.study_id).get("neptune:lease")
            trials = store.trials()
        except NeptuneError:
            return ()
        if holder and holder not in self.holders[-1:]:
            self.holders.append(holder)
        check(self.seen, ended(trials))
        return trials

    def harm(self) -> None:
        """Kill a process, or suspend a coordinator for longer than its lease lasts."""
        awake = [which for which in self.running if which not in self.asleep]
        if not awake:
            return
        which = self.rng.choice(awake)
        if self.asleep or self.rng.random() > 0.2:
            self.counts["kill of a " + kill_one(self.running[which], self.rng)] += 1
        elif signalled(self.running[which], signal.SIGSTOP):
            self.counts["suspended"] += 1
            self.asleep[which] = monotonic() + 5 * self.contenders[which].stale

    def wake(self) -> None:
        """Let coordinators go on that were suspended for long enough."""
        for which in [which for which, until in self.asleep.items() if monotonic() > until]:
            del self.asleep[which]
            signalled(self.running[which], signal.SIGCONT)

    @property
    def kills(self) -> int:
        """The number of processes killed so far."""
        return self.counts["kill of a coordinator"] + self.counts["kill of a worker"]


def contest(born: Nursery, contenders: Sequence[Contender], kills: int, seed: int) -> Contest:
    """Let contenders search, killing one of their processes now and then; check what came of it."""
    rng = Random(seed)
    going = Contest(born, tuple(contenders), rng)
    pause = 2 * contenders[0].stale
    harm_at = monotonic() + pause / 6
    while going.step():
        going.look()
        if going.kills < kills and monotonic() > harm_at:
            going.harm()
            harm_at = monotonic() + rng.uniform(pause / 60, pause)
        sleep(pause / 60)
    trials = going.look()
    keys = [trial.key for trial in trials]
    assert len(keys) == len(set(keys)) == contenders[0].trials, f"{len(set(keys))} of {len(keys)}"
    assert all(t.state is State.FINISHED and len(t.scores) == 1 for t in trials)
    return going


@contextmanager
def database(kind: str, out: Path) -> Iterator[str]:
    """Yield the URL of a new database of a kind."""
    if kind == "sqlite":
        yield f"sqlite:///{out / 'studies.db'}"
    else:
        with server() as url:
            yield new_database(url)


def contended(storage: str, out: Path, kills: int, trials: int, seed: int) -> None:
    """Print what became of a study that two searches contend for."""
    with database(storage, out) as url, nursery(out / "log.txt") as born:
        both = [Contender(str(out / name), url, trials) for name in ("a", "b")]
        going = contest(born, both, kills, seed)
    print(f"{storage}: {trials} trials, {len(going.seen)} finished, none lost, none twice")
    print(f"{going.kills} kills; {dict(going.counts)}; {len(going.holders)} holders of the lease")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--storage", choices=("folder", "sqlite", "postgres"), default="folder")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as out:
        if asked.storage == "folder":
            storm(Path(out), asked.kills, asked.trials, asked.seed)
        else:
            contended(asked.storage, Path(out), asked.kills, asked.trials, asked.seed)


if __name__ == "__main__":
    main()
