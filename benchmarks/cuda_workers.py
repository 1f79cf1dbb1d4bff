"""Candidates an hour with several workers on a GPU and on two cores, for `benchmarks.cuda`."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from math import isnan, nan
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from time import monotonic

import torch

from benchmarks.cuda_terms import Terms, made_images
from neptune_nas.data.tensors import save_tensors
from neptune_nas.engine.engine import Call
from neptune_nas.engine.local import LocalEngine
from neptune_nas.evaluators.evaluator import Evaluator
from neptune_nas.text import counted

START, LATEST = 12, 45  # seconds that all workers should take, and may take, to answer once
MOST = 20  # failures, which may come quickly


def compare_workers(terms: Terms) -> Iterator[str]:
    """Yield the candidates an hour of two cores, and of each number of workers on the GPU."""
    # Here, so that the other sections run where a library that loads data sets is missing.
    from neptune_nas.evaluators.short_training import ShortTraining

    data = terms.data()
    with TemporaryDirectory() as folder:
        splits = (data.train, data.validation, made_images(terms.validation, 2))
        parts = [(each.images, each.targets) for each in splits]
        name = save_tensors(Path(folder) / "made.safetensors", *parts, crop=4, flip=True)
        evaluator = ShortTraining(name, recipe=terms.recipe)
        yield f"a candidate: an epoch of {terms.images} images, then {terms.validation} others"
        yield "| where | candidates an hour | workers busy | GPU busy | failed |"
        yield "|---|---|---|---|---|"
        cases: list[tuple[int, bool]] = [(2, False), *((each, True) for each in terms.workers)]
        first = nan
        for number, (jobs, on_gpu) in enumerate(cases):
            seconds = min(terms.window, terms.left / (len(cases) - number) - START)
            if seconds < min(terms.window, 8):
                yield f"not measured, for want of time: {counted(jobs, 'worker')}"
                continue
            found = worker_rate(evaluator, terms, jobs, seconds, on_gpu=on_gpu)
            first = found.hourly if number == 0 else first
            gpu = "unknown" if isnan(found.gpu) else f"{found.gpu:.0%}"
            where = f"{terms.device}, {counted(jobs, 'worker')}" if on_gpu else "two cores"
            yield (
                f"| {where} | {found.hourly:.0f} ({found.hourly / first:.1f} times) | "
                f"{found.busy:.0%} | {gpu} | {found.failed} |"
            )


@dataclass(frozen=True, slots=True)
class Rate:
    """Candidates an hour, the shares of time that workers and GPU were busy, and failures."""

    hourly: float
    busy: float
    gpu: float
    failed: str


def worker_rate(
    evaluator: Evaluator, terms: Terms, jobs: int, seconds: float, *, on_gpu: bool
) -> Rate:
    """Return the rate of workers once each has answered, so that their start does not count.

    It is counted from one result to another, for `seconds`, and longer where none has come.
    """
    endless = enumerate(cycle(terms.sampled()))
    calls = (Call(number, architecture, 1, number) for number, architecture in endless)
    gpus = (0,) if on_gpu and terms.on_gpu else ()
    answered, failures, shares = set[int](), list[str](), list[float]()
    began, ended, done, busy = monotonic(), nan, 0, (0.0, 0.0)
    with LocalEngine(evaluator, jobs=jobs, threads=None if gpus else 1, gpus=gpus) as engine:
        for call in islice(calls, jobs + 1):
            engine.submit(call)
        while monotonic() - began < (seconds if done else LATEST):
            warm = len(answered) == jobs
            results = engine.wait(0.2)
            for result in results:
                engine.submit(next(calls))
                answered.add(result.score.worker)
                failures += [result.score.failure] if result.score.failure else []
            if not warm and len(answered) == jobs:
                began, busy = monotonic(), (sum(engine.usage.busy), 0.0)
            elif warm:
                shares.append(gpu_share(terms.device) if gpus else nan)
                if found := sum(result.score.ok for result in results):
                    ended, done = monotonic(), done + found
                    busy = (busy[0], sum(engine.usage.busy))
            if len(failures) > MOST:
                break
    failed = f"{len(failures)}: {failures[0]}" if failures else "0"
    if not done:
        return Rate(nan, nan, nan, f"{len(answered)} of {jobs} answered; {failed}")
    elapsed = ended - began
    return Rate(
        hourly=3600 * done / elapsed,
        busy=(busy[1] - busy[0]) / elapsed / jobs,
        gpu=fmean(shares),
        failed=failed,
    )


def gpu_share(device: torch.device) -> float:
    """Return the share of the last moments in which the GPU computed, or NaN if it cannot be told.

    The driver tells, by `nvidia-ml-py`.
    """
    try:
        return torch.cuda.utilization(device) / 100
    except (ImportError, RuntimeError):
        return nan
