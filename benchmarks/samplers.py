"""Samplers on all tables of trained networks at once, with accuracy and FLOPs as objectives.

    python -m benchmarks.samplers --data ../shared/data --out runs.jsonl --samplers auto,tpe \
        --seeds 20

For each table (see `benchmarks.tables`) the share of the true hypervolume that a sampler's front
has after so many evaluations, as in `benchmarks.search`. Each search is a line of `--out`; those
that it has are not run again, so that it can be stopped. The last rows are means over the tables.
With `--against OLD.jsonl`, another version's lines, it prints the differences of equal seeds, the
mean of each table in points and its standard error.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

import optuna

from benchmarks import tables
from benchmarks.search import Bench, Terms, search, volume

MARKS = (50, 100, 200)

Found = dict[tuple[str, str], dict[int, dict[str, Any]]]


def measure(bench: Bench, sampler: str, seed: int) -> dict[str, Any]:
    """Return the shares of the hypervolume at the marks, and milliseconds a proposal at the end."""
    run = search(bench, sampler, 2, seed, Terms(MARKS, 1, "entry", 200))
    shares = [volume(bench, run, mark) for mark in MARKS]
    return {"shares": shares, "ms": 1000 * median(run.seconds[-50:])}


def read(path: Path) -> Found:
    """Return the searches of a file by sampler and table, then by seed."""
    found: Found = defaultdict(dict)
    for line in path.read_text().splitlines() if path.exists() else ():
        row = json.loads(line)
        found[row["sampler"], row["table"]][row["seed"]] = row
    return found


def error(values: Sequence[float]) -> float:
    """Return the standard error of a mean."""
    return stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")


def print_shares(found: Found) -> None:
    """Print the shares of each sampler and table, and the means over the tables."""
    print(f"| table | sampler | seeds | {' | '.join(map(str, MARKS))} | ms |")
    print(f"|{'---|' * (4 + len(MARKS))}")
    means: dict[str, list[list[float]]] = defaultdict(list)
    for (sampler, table), runs in found.items():
        columns = list(zip(*(run["shares"] for run in runs.values()), strict=True))
        means[sampler].append([fmean(column) for column in columns])
        cells = [f"{fmean(column):.4f} ± {error(column):.4f}" for column in columns]
        ms = median(run["ms"] for run in runs.values())
        print(f"| {table} | {sampler} | {len(runs)} | {' | '.join(cells)} | {ms:.0f} |")
    for sampler, rows in means.items():
        cells = [f"{fmean(column):.4f}" for column in zip(*rows, strict=True)]
        print(f"| mean of {len(rows)} | {sampler} | | {' | '.join(cells)} | |")


def print_differences(found: Found, before: Found) -> None:
    """Print by how many points each table's shares have grown, over equal seeds."""
    print(f"| table | sampler | seeds | {' | '.join(map(str, MARKS))} |")
    print(f"|{'---|' * (3 + len(MARKS))}")
    means: dict[str, list[list[float]]] = defaultdict(list)
    for (sampler, table), runs in found.items():
        columns = _differences(runs, before.get((sampler, table), {}))
        if not columns:
            continue
        means[sampler].append([fmean(column) for column in columns])
        cells = [f"{fmean(column):+.2f} ± {error(column):.2f}" for column in columns]
        print(f"| {table} | {sampler} | {len(columns[0])} | {' | '.join(cells)} |")
    for sampler, rows in means.items():
        cells = [f"{fmean(column):+.2f}" for column in zip(*rows, strict=True)]
        print(f"| mean of {len(rows)} | {sampler} | | {' | '.join(cells)} |")


def _differences(
    runs: Mapping[int, Mapping[str, Any]], before: Mapping[int, Mapping[str, Any]]
) -> list[list[float]]:
    """Return the differences in points at each mark, of the seeds that both have."""
    pairs = [(runs[seed]["shares"], before[seed]["shares"]) for seed in runs if seed in before]
    rows = [[100 * (b - a) for b, a in zip(*pair, strict=True)] for pair in pairs]
    return [list(column) for column in zip(*rows, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder with the tables")
    parser.add_argument("--out", type=Path, required=True, help="a file of JSON lines")
    parser.add_argument("--samplers", default="auto")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--original", action="store_true", help="the tables as they are alone")
    parser.add_argument("--tables", help="names, separated by semicolons; all if not given")
    parser.add_argument("--against", type=Path, help="the lines of another version")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    named = dict(tables.originals(options.data))
    named |= {} if options.original else dict(tables.derived(options.data))
    chosen = options.tables.split(";") if options.tables else list(named)
    done = read(options.out)
    for table in chosen:
        bench = named[table]().bench()
        for sampler in options.samplers.split(","):
            for seed in set(range(options.seeds)) - set(done.get((sampler, table), ())):
                row = {"sampler": sampler, "table": table, "seed": seed}
                row |= measure(bench, sampler, seed)
                with options.out.open("a") as file:
                    file.write(json.dumps(row) + "\n")
    found = read(options.out)
    print_shares(found)
    if options.against is not None:
        print_differences(found, read(options.against))


if __name__ == "__main__":
    main()
