"""Fuzzing of all that reads inputs from elsewhere, in thousands of cases.

Run it with `python -m benchmarks.fuzz --cases 10000`. Case N of a reader is the same for equal
seeds: `--reader table --case 17 --keep FOLDER` writes its input into a folder, and judges it.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from tests.fuzzing.oracle import RIGHT, Kind, Verdict
from tests.fuzzing.readers import READERS
from tests.fuzzing.runner import judge_all, open_fuzzer, run_cases, scratch


def table_of(found: Sequence[Verdict]) -> str:
    """Return a line for each reader with how often its cases ended in which way."""
    ends = Counter((each.reader, each.kind) for each in found)
    readers = dict.fromkeys(each.reader for each in found)
    heads = ["reader", "cases", *Kind]
    rows = [heads]
    for name in readers:
        counts = [ends[name, kind] for kind in Kind]
        rows.append([name, *map(str, (sum(counts), *counts))])
    rows.append(["all", str(len(found)), *(str(sum(e.kind is k for e in found)) for k in Kind)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))
        for row in rows
    )


def smallest(found: Sequence[Verdict]) -> list[tuple[int, Verdict]]:
    """Return each distinct fault with how often it came, and its case with the shortest label."""
    groups: dict[tuple[str, ...], list[Verdict]] = {}
    for each in found:
        if each.kind not in RIGHT:
            error = each.detail.partition(":")[0] if each.kind is Kind.TRACEBACK else ""
            groups.setdefault((each.reader, each.kind, each.where, error), []).append(each)
    return [(len(group), min(group, key=lambda v: len(v.label))) for group in groups.values()]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, the rate and the distinct faults."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--reader", choices=[*READERS], action="append")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--case", type=int, help="only this one of --reader")
    parser.add_argument("--keep", type=Path, help="a new folder for the input of --case")
    parser.add_argument("--all", action="store_true", help="print every fault")
    asked = parser.parse_args(arguments)
    readers = asked.reader or [*READERS]
    if asked.case is not None:
        with scratch() as root:
            fuzzer = open_fuzzer(readers[0], READERS[readers[0]], Path(root), asked.seed)
            if asked.keep:
                asked.keep.mkdir(parents=True)
                fuzzer.case(asked.case, asked.keep.resolve())
            print(*run_cases(fuzzer, [asked.case]), sep="\n")
        return
    began = monotonic()
    chosen = {name: READERS[name] for name in readers}
    found = [*judge_all(chosen, asked.cases, seed=asked.seed, jobs=asked.jobs)]
    seconds = monotonic() - began
    print(table_of(found))
    busy = sum(each.seconds for each in found) / len(found)
    print(f"{len(found) / seconds:.1f} cases a second, {busy:.3f} s of the processor each")
    for count, each in smallest(found):
        print(f"\n{count} x {each.reader} {each.kind} at {each.where}: {each.detail}")
        print(f"    case {each.number}: {each.label[:300]!r}")
    if asked.all:
        print(*(each for each in found if each.kind not in RIGHT), sep="\n")


if __name__ == "__main__":
    main()
