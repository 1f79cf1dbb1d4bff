"""The overhead of an engine per call, and the scaling of its workers.

Run it with `python -m benchmarks.engine_overhead`, or with `--engine ray` for a local Ray, which it
starts. Scaling is measured with calls that keep one core busy. One worker, two workers and the
standard library's process pool take turns, so that other load affects them equally.
"""

import argparse
import logging
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from statistics import median
from time import perf_counter

import ray
import torch

from neptune_nas.architecture.records import Architecture
from neptune_nas.engine.engine import Call, Engine
from neptune_nas.engine.local import LocalEngine
from neptune_nas.engine.on_ray import RayEngine
from neptune_nas.engine.plan import Slots
from neptune_nas.metrics.score import Score

CALLS = 2_000
ROUNDS = 7
CALLS_A_ROUND = 16
ARCHITECTURE = Architecture()
NOTHING, WORK = 0, 150


@dataclass(frozen=True, slots=True)
class Works:
    """An evaluator that multiplies matrices of 256 x 256 on the CPU, `steps` times."""

    steps: int

    def __call__(self, architecture: Architecture, fidelity: int, seed: int) -> Score:  # noqa: ARG002, D102  # the protocol's
        matrix = torch.eye(256)
        for _ in range(self.steps):
            matrix = matrix @ matrix
        return Score(fidelity, {"accuracy": 1.0, "loss": float(matrix[0, 0])}, seed=seed)


def local(steps: int, jobs: int) -> Engine:
    """Return an engine of local processes with one thread each."""
    return LocalEngine(Works(steps), jobs=jobs, threads=1)


def on_ray(steps: int, jobs: int) -> Engine:
    """Return an engine of Ray actors with one thread each, on a local Ray with enough cores."""
    if not ray.is_initialized():
        ray.init("local", num_cpus=3, log_to_driver=False, logging_level=logging.ERROR)
    return RayEngine(Works(steps), Slots(jobs, 1))


MAKERS: dict[str, Callable[[int, int], Engine]] = {"local": local, "ray": on_ray}


def drain(engine: Engine, calls: int) -> float:
    """Return the wall-clock seconds of `calls`, with one more pending than slots, as in a study."""
    start, submitted, done = perf_counter(), 0, 0
    while done < calls:
        while submitted < calls and len(engine.pending) <= engine.slots:
            engine.submit(Call(submitted, ARCHITECTURE, 1, submitted))
            submitted += 1
        done += len(engine.wait())
    return perf_counter() - start


def pooled(pool: ProcessPoolExecutor, calls: int, steps: int) -> float:
    """Return the wall-clock seconds of `calls` through the standard library's pool."""
    start = perf_counter()
    list(pool.map(Works(steps), repeat(ARCHITECTURE, calls), repeat(1), range(calls)))
    return perf_counter() - start


def make_pool(jobs: int) -> ProcessPoolExecutor:
    """Return the standard library's pool of single-threaded workers, warmed up."""
    context = multiprocessing.get_context("forkserver")
    pool = ProcessPoolExecutor(jobs, context, initializer=torch.set_num_threads, initargs=(1,))
    pooled(pool, 4 * jobs, NOTHING)
    return pool


def overheads(make: Callable[[int, int], Engine]) -> None:
    """Print microseconds per empty call, and milliseconds to start a worker."""
    with make(NOTHING, 1) as engine:
        drain(engine, 1)
        alone = median(drain(engine, 1) for _ in range(CALLS)) * 1e6
        stream = drain(engine, CALLS) / CALLS * 1e6
    with make_pool(1) as pool:
        standard = pooled(pool, CALLS, NOTHING) / CALLS * 1e6
    print(f"submit to result, one call at a time  {alone:8.0f} us, median of {CALLS}")
    print(f"a call in a stream of {CALLS}            {stream:8.0f} us")
    print(f"the same, ProcessPoolExecutor         {standard:8.0f} us")
    starts = []
    for _ in range(ROUNDS):
        with make(NOTHING, 1) as engine:
            starts.append(drain(engine, 1) * 1e3)
    print(f"a new worker's first result           {median(starts):8.1f} ms, median of {ROUNDS}")


def scaling(make: Callable[[int, int], Engine]) -> None:
    """Print CPU-bound calls per second of one worker and of two, and their ratio."""
    with (
        make(WORK, 1) as one,
        make(WORK, 2) as two,
        make_pool(1) as pool_of_one,
        make_pool(2) as pool_of_two,
    ):
        ways: list[Callable[[], float]] = [
            lambda: drain(one, CALLS_A_ROUND),
            lambda: drain(two, CALLS_A_ROUND),
            lambda: pooled(pool_of_one, CALLS_A_ROUND, WORK),
            lambda: pooled(pool_of_two, CALLS_A_ROUND, WORK),
        ]
        rounds = [[way() for way in ways] for _ in range(ROUNDS + 1)][1:]  # the first is warm-up
    rates = [CALLS_A_ROUND / median(times) for times in zip(*rounds, strict=True)]
    for name, single, double in (("engine", *rates[:2]), ("ProcessPoolExecutor", *rates[2:])):
        ratio = double / single
        print(f"{name:20} {single:6.1f} calls a second, {double:6.1f} with 2: ratio {ratio:.2f}")


def main() -> None:
    """Print overheads and scaling."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--engine", choices=MAKERS, default="local")
    make = MAKERS[parser.parse_args().engine]
    overheads(make)
    scaling(make)


if __name__ == "__main__":
    from benchmarks.engine_overhead import main as run  # so that Ray's workers find its classes

    run()
