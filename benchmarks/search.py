"""The evaluations that samplers need: ours and Optuna's on tables of trained networks.

    python -m benchmarks.search --table nas-bench-macro_cifar10.json.gz --space nasbench-macro \
        --floor 0.80 --seeds 20 --samplers auto,local,evolution,nsga2,random,tpe

Each evaluation draws one of the table's training runs. Accuracy alone: regret in points of the
network whose run was the best seen, valued at mean accuracies, and of the truly best seen. Accuracy
against FLOPs: hypervolume of the front of the runs seen (the best of each network), valued at mean
accuracies, from the reference point (floor, the largest FLOPs), as a share of the true front's.

With `--parallel 4` the sampler is asked while three proposals are pending, as by four workers that
take equally long; compare a row's later marks with the earlier ones of a row without.
"""

import argparse
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import optuna
from optuna.study import StudyDirection
from optuna.trial import TrialState

from neptune_nas.architecture.codec import key
from neptune_nas.evaluators.tabular import Tabular
from neptune_nas.metrics.pareto import Floats, hypervolume, non_dominated
from neptune_nas.samplers.factory import make_sampler
from neptune_nas.samplers.problem import Problem
from neptune_nas.search.proposals import ATTEMPTS
from neptune_nas.space import RejectedError, Space, find_space

WHOLE = 1_000_000  # a fidelity that no table exceeds
OBJECTIVES = {1: ("accuracy",), 2: ("accuracy", "flops")}
BY_HELP = "which proposals are the same: equal networks, or equal entries of the table"
DIRECTIONS = (StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE)


@dataclass(frozen=True)
class Bench:
    """A table with the true optima of its networks."""

    table: Tabular[Any]
    floor: float

    @property
    def space(self) -> Space[Any]:
        """The space of the table."""
        return self.table.space

    @cached_property
    def best(self) -> float:
        """The best mean accuracy."""
        return max(self.table.mean(a) for a in self.space)

    @cached_property
    def ceiling(self) -> float:
        """The largest FLOPs."""
        return max(self.table.cost(a)["flops"] for a in self.space)

    @cached_property
    def volume(self) -> float:
        """The hypervolume of the true front."""
        means = np.array([self.table.mean(a) for a in self.space])
        flops = np.array([self.table.cost(a)["flops"] for a in self.space])
        return self.volume_of(flops, means)

    def volume_of(self, flops: Floats, accuracies: Floats) -> float:
        """Return the hypervolume of networks."""
        points = np.stack([flops / self.ceiling, -accuracies], axis=1)
        return hypervolume(points, (1.0, -self.floor))


@dataclass(frozen=True, slots=True)
class Run:
    """One search: its measurements in order, their true values, and the time of proposals."""

    accuracies: Floats
    means: Floats
    flops: Floats
    names: tuple[str, ...]
    seconds: tuple[float, ...]

    @property
    def duplicates(self) -> int:
        """The number of repeated proposals."""
        return len(self.names) - len(set(self.names))


def picks_name(space: Space[Any]) -> Callable[[Any], str]:
    """Return a name for each entry of the table, distinct even if two build the same network."""
    return lambda architecture: str(space.index(architecture))


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms that all searches share; `attempts`: see `ask`, `by`: see `BY_HELP`."""

    marks: tuple[int, ...]
    parallel: int
    by: str
    attempts: int


def search(bench: Bench, sampler: str, kinds: int, seed: int, terms: Terms) -> Run:
    """Run one search."""
    name = key if terms.by == "network" else picks_name(bench.space)
    problem = Problem(bench.space, OBJECTIVES[kinds], bench.table.cost, name=name, seed=seed)
    directions = DIRECTIONS[:kinds]
    study = optuna.create_study(directions=directions, sampler=make_sampler(sampler, problem))
    rows: list[tuple[float, float, float]] = []
    names: list[str] = []
    seconds: list[float] = []
    pending: deque[tuple[optuna.Trial, list[float]]] = deque()
    for _ in range(max(terms.marks)):
        if len(pending) == terms.parallel:
            study.tell(*pending.popleft())
        start = perf_counter()
        trial, architecture = ask(study, bench.space, terms.attempts)
        seconds.append(perf_counter() - start)
        entry = picks_name(bench.space)(architecture)
        score = bench.table(architecture, WHOLE, drawn_run(seed, entry, names.count(entry)))
        flops = bench.table.cost(architecture)["flops"]
        pending.append((trial, [score.main, flops][:kinds]))
        rows.append((score.main, bench.table.mean(architecture), flops))
        names.append(entry)
    accuracies, means, costs = np.array(rows).T
    return Run(accuracies, means, costs, tuple(names), tuple(seconds))


def ask(study: optuna.Study, space: Space[Any], attempts: int) -> tuple[optuna.Trial, Any]:
    """Return the next proposal that the space's rules allow; others fail at no cost.

    For a sampler that wastes `attempts` in a row, one is drawn at random, as in a search.
    """
    for _ in range(attempts):
        trial = study.ask()
        try:
            return trial, space.suggest(trial)
        except RejectedError:
            study.tell(trial, state=TrialState.FAIL)
    study.enqueue_trial(space.picks(space.sample(Random(len(study.trials)))))
    trial = study.ask()
    return trial, space.suggest(trial)


def drawn_run(seed: int, entry: str, repeat: int) -> int:
    """Return the training run of an evaluation: equal for all samplers, the next for a repeat."""
    return sha256(f"{seed}|{entry}".encode()).digest()[0] + repeat


def volume(bench: Bench, run: Run, count: int) -> float:
    """Return the share of the true hypervolume after `count` evaluations."""
    seen, means, flops = run.accuracies[:count], run.means[:count], run.flops[:count]
    front = non_dominated(np.stack([flops, -seen], axis=1))
    return bench.volume_of(flops[front], means[front]) / bench.volume


def regret(bench: Bench, run: Run, count: int) -> float:
    """Return the gap in points of the best-scored network to the best one, by their means."""
    return 100 * (bench.best - float(run.means[run.accuracies[:count].argmax()]))


def missed(bench: Bench, run: Run, count: int) -> float:
    """Return the gap in points of the best network seen to the best one, by their means."""
    return 100 * (bench.best - float(run.means[:count].max()))


MEASURES: dict[int, dict[str, Callable[[Bench, Run, int], float]]] = {
    1: {"regret of what scored best, points": regret, "regret of the best seen, points": missed},
    2: {"share of the true hypervolume": volume},
}


def table_row(
    bench: Bench,
    label: str,
    runs: Sequence[Run],
    marks: Sequence[int],
    measure: Callable[[Bench, Run, int], float],
) -> str:
    """Return means and standard errors as a line of a Markdown table."""
    cells = [label, str(len(runs))]
    for mark in marks:
        values = np.array([measure(bench, run, mark) for run in runs])
        error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else float("nan")
        cells.append(f"{values.mean():.4f} ± {error:.4f}")
    cells.append(f"{np.mean([run.duplicates for run in runs]):.1f}")
    cells.append(f"{1000 * median(s for run in runs for s in run.seconds):.1f}")
    return f"| {' | '.join(cells)} |"


def arguments() -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--space", default="nasbench-macro")
    parser.add_argument("--floor", type=float, default=0.80, help="reference accuracy, 0..1")
    parser.add_argument("--samplers", default="auto,local,evolution,nsga2,random,tpe")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0, help="to run the seeds in parts")
    parser.add_argument("--objectives", default="2,1", help="2: accuracy and FLOPs, 1: accuracy")
    parser.add_argument("--marks", default="25,50,100,200", help="evaluations to look after")
    parser.add_argument("--parallel", type=int, default=1, help="proposals that are not told yet")
    parser.add_argument("--by", choices=("network", "entry"), default="network", help=BY_HELP)
    parser.add_argument("--attempts", type=int, default=ATTEMPTS, help="in a row that break rules")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    bench = Bench(Tabular.from_file(options.table, find_space(options.space)), options.floor)
    marks = tuple(map(int, options.marks.split(",")))
    terms = Terms(marks, options.parallel, options.by, options.attempts)
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    for kinds in map(int, options.objectives.split(",")):
        print(f"\n| sampler: measure | seeds | {' | '.join(map(str, marks))} | duplicates | ms |")
        print(f"|{'---|' * (4 + len(marks))}")
        for sampler in options.samplers.split(","):
            runs = [search(bench, sampler, kinds, seed, terms) for seed in seeds]
            for name, measure in MEASURES[kinds].items():
                label = f"{sampler}: {name}"
                print(table_row(bench, label, runs, marks, measure), flush=True)


if __name__ == "__main__":
    main()
