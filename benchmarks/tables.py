"""All tables of trained networks at hand, and tables made of them, for `benchmarks.samplers`.

From ../shared/data: NAS-Bench-Macro (arXiv 2103.11922), NAAP-440, and TransNAS-Bench-101 (arXiv
2105.11871) with its cells of six edges and its networks of 4 to 6 modules, for two tasks each.

The reference score of a hypervolume is .80 for NAS-Bench-Macro, as elsewhere, and the score that a
fifth of the networks stay below for the others.
"""

import csv
import gzip
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import naap440
from benchmarks.search import Bench
from neptune_nas.evaluators.table_networks import Code, code_of
from neptune_nas.evaluators.tabular import Tabular
from neptune_nas.metrics.pareto import Floats
from neptune_nas.space import Space, choice, find_space

OPERATIONS = ("none", "skip", "conv1x1", "conv3x3")
MODULES = ("plain", "wider", "half", "both")
ABSENT = "absent"
EDGES = ("01", "02", "12", "03", "13", "23")
TASKS = ("jigsaw", "segmentsemantic")


@dataclass(frozen=True, slots=True)
class Cell:
    """The operation of each of the six edges between four nodes."""

    op01: str | int
    op02: str | int
    op12: str | int
    op03: str | int
    op13: str | int
    op23: str | int


@dataclass(frozen=True, slots=True)
class Modules:
    """The kinds of four to six modules, in order."""

    first: str | int
    second: str | int
    third: str | int
    fourth: str | int
    fifth: str | int
    sixth: str | int


@dataclass(frozen=True, slots=True)
class Networks:
    """The networks of a table: their training runs (n, r), scores in 0..1, and costs (n,)."""

    space: Space[Any]
    architectures: Sequence[Any]
    runs: Floats
    flops: Floats
    floor: float | None = None

    def bench(self) -> Bench:
        """Return the networks as a benchmark."""
        codes = [code_of(self.space, each) for each in self.architectures]
        runs: dict[Code, Mapping[int, Any]] = {
            code: {1: tuple({"accuracy": float(run)} for run in row)}
            for code, row in zip(codes, self.runs, strict=True)
        }
        costs = {
            code: {"flops": float(flops)} for code, flops in zip(codes, self.flops, strict=True)
        }
        floor = self.floor if self.floor is not None else self._quantile(0.2)
        return Bench(Tabular(self.space, runs, costs), floor)

    def _quantile(self, share: float) -> float:
        return float(np.quantile(self.runs.mean(axis=1), share))

    def with_floor(self, share: float) -> "Networks":
        """Return them with a reference score that a share of the networks stay below."""
        return replace(self, floor=self._quantile(share))

    def with_noise(self, share: float) -> "Networks":
        """Return them with three runs each, as noisy as a share of the upper half is wide."""
        wide = self._quantile(0.9) - self._quantile(0.5)
        drawn = np.random.default_rng(0).standard_normal((len(self.runs), 3))
        return replace(self, runs=self.runs.mean(axis=1)[:, None] + share * wide * drawn)

    def subset(self, rows: Any) -> "Networks":
        """Return the networks of some rows alone."""
        kept = np.arange(len(self.runs))[rows]
        architectures = [self.architectures[row] for row in kept]
        space = replace(self.space, where={*architectures}.__contains__)
        return Networks(space, architectures, self.runs[kept], self.flops[kept])


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a compressed CSV file."""
    with gzip.open(path, "rt", newline="") as file:
        return list(csv.DictReader(file))


def cells(folder: Path, task: str, options: Sequence[Any] = OPERATIONS) -> Networks:
    """Return the 4,096 cells; `options`: the fields' names of the four operations."""
    rows = read_rows(folder / "transnas_micro.csv.gz")
    space = Space(name="cells", template=Cell(*(choice(*options) for _ in EDGES)))
    found = [Cell(*(options[int(row[f"op{edge}"])] for edge in EDGES)) for row in rows]
    return _scored(space, found, rows, task)


def modules(folder: Path, task: str, options: Sequence[Any] = MODULES) -> Networks:
    """Return the 3,256 networks of modules; `options`: the fields' names of the four kinds."""
    rows = read_rows(folder / "transnas_macro.csv.gz")
    absent = 0 if isinstance(options[0], int) else ABSENT
    kinds = [[options[int(digit) - 1] for digit in row["code"]] for row in rows]
    found = [Modules(*each, *([absent] * (6 - len(each)))) for each in kinds]
    fields = [choice(*options)] * 4 + [choice(absent, *options)] * 2
    space = Space(name="modules", template=Modules(*fields), where={*found}.__contains__)
    return _scored(space, found, rows, task)


def _scored(
    space: Space[Any], found: Sequence[Any], rows: Sequence[Mapping[str, str]], task: str
) -> Networks:
    scores = np.array([float(row[f"val_{task}"]) for row in rows]) / 100
    return Networks(space, found, scores[:, None], np.array([float(r["flops_m"]) for r in rows]))


def naap(folder: Path) -> Networks:
    """Return the 440 networks of NAAP-440, at their best accuracy of 90 epochs."""
    rows = read_rows(folder / "naap440.csv.gz")
    scores = [max(map(int, row["acc_curve"].split())) / 10_000 for row in rows]
    found = [naap440.network(row["layers"]) for row in rows]
    flops = np.array([2.0 * int(row["macs"]) for row in rows])
    return Networks(naap440.SPACE, found, np.array(scores)[:, None], flops)


def macro(folder: Path) -> Networks:
    """Return the 6,561 networks of NAS-Bench-Macro, with three runs each."""
    path, space = folder / "nas-bench-macro_cifar10.json.gz", find_space("nasbench-macro")
    known = Tabular.from_file(path, space)
    found = list(space)
    runs = [[known(each, 1_000_000, seed).main for seed in range(3)] for each in found]
    flops = np.array([known.cost(each)["flops"] for each in found])
    return Networks(space, found, np.array(runs), flops, 0.80)


Make = Callable[[], Networks]


def originals(folder: Path) -> Iterator[tuple[str, Make]]:
    """Yield the tables as they are, by name."""
    yield "nasbench-macro", partial(macro, folder)
    yield "naap-440", partial(naap, folder)
    for task in TASKS:
        yield f"cells-{task}", partial(cells, folder, task)
        yield f"modules-{task}", partial(modules, folder, task)


def derived(folder: Path) -> Iterator[tuple[str, Make]]:
    """Yield tables made of them: noise, a third of the networks, a limit, numbers for names."""
    jigsaw, segments = (partial(cells, folder, task) for task in TASKS)
    yield "cells-jigsaw, noise", lambda: jigsaw().with_noise(0.5)
    yield "cells-segmentsemantic, noise", lambda: segments().with_noise(0.5)
    for task in TASKS:
        yield f"cells-{task}, numbers", partial(cells, folder, task, range(4))
        yield f"modules-{task}, numbers", partial(modules, folder, task, range(1, 5))
    yield "cells-jigsaw, a third", lambda: third(jigsaw())
    yield "modules-jigsaw, a third", lambda: third(modules(folder, "jigsaw"))
    yield "cells-jigsaw, at most 3 GFLOPs", lambda: below(jigsaw(), 3_000)
    yield "cells-segmentsemantic, median", lambda: segments().with_floor(0.5)
    yield "modules-jigsaw, median", lambda: modules(folder, "jigsaw").with_floor(0.5)
    yield "nasbench-macro, lowest", lambda: macro(folder).with_floor(0.0)


def third(networks: Networks) -> Networks:
    """Return a third of the networks, drawn with a fixed seed."""
    order = np.random.default_rng(1).permutation(len(networks.runs))
    return networks.subset(np.sort(order[: len(order) // 3]))


def below(networks: Networks, flops: float) -> Networks:
    """Return the networks of at most so many million FLOPs."""
    return networks.subset(np.flatnonzero(networks.flops <= flops))
