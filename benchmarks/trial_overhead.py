"""The overhead of the toolkit per trial: a search whose evaluator answers at once.

    python -m benchmarks.trial_overhead --trials 2000

It prints CPU-seconds of the coordinator, without the worker processes: before the first result, per
trial after the first three tenths, at the end (tables and report), and the total divided by the
trials.
"""

import argparse
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

from neptune_nas.architecture.codec import key
from neptune_nas.architecture.records import Architecture
from neptune_nas.metrics.score import Score
from neptune_nas.search.config import Search
from neptune_nas.study.progress import Progress


@dataclass(frozen=True, slots=True)
class Instant:
    """An evaluator that scores a network by its name."""

    def __call__(self, architecture: Architecture, fidelity: int, seed: int) -> Score:  # noqa: D102  # the protocol's
        return Score(
            fidelity,
            {"accuracy": int(key(architecture)[:4], 16) / 0xFFFF, "loss": 1.0},
            seed,
            seconds=1e-4,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--space", default="default")
    parser.add_argument("--sampler", default="random")
    options = parser.parse_args()
    since = round(0.3 * options.trials)
    marks: dict[int, tuple[float, float]] = {}

    def watch(progress: Progress) -> None:
        if progress.done in (1, since, options.trials):
            marks.setdefault(progress.done, (process_time(), perf_counter()))

    start = process_time()
    with TemporaryDirectory() as out:
        Search(
            space=options.space,
            trials=options.trials,
            sampler=options.sampler,
            evaluator=Instant(),
            jobs=1,
            threads=1,
            out=out,
        ).run(watch)
    end, first = process_time(), marks[1][0]
    cpu, wall = (b - a for a, b in zip(marks[since], marks[options.trials], strict=True))
    steady = options.trials - since
    print(f"before the first result: {first - start:.1f} s")
    print(f"from trial {since} on:    {1000 * cpu / steady:.1f} ms a trial")
    print(f"  wall-clock time:       {1000 * wall / steady:.1f} ms a trial")
    print(f"at the end:              {end - marks[options.trials][0]:.1f} s")
    print(f"all of it:               {1000 * (end - start) / options.trials:.1f} ms a trial")


if __name__ == "__main__":
    main()
