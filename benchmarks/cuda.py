r"""What one GPU does for the toolkit, in at most eight minutes.

    python -m benchmarks.cuda                 # with a CUDA device
    python -m benchmarks.cuda --device cpu    # the same lines on little data, to test the script

It prints whether scores are those of a CPU, but for noise; training images a second with and
without CUDA graphs, which the toolkit does not use yet; latency by CUDA events beside the
toolkit's own; whether a batch is halved when memory runs out; and candidates an hour with 1, 2, 4
and 8 workers on the GPU against two cores, with the share of time that workers and GPU are busy.
Networks are samples of `cifar10`, images are made up. A section that fails says why, and the others
run. Neither Optuna nor a data set is needed. Whatever hangs, the script ends after `--seconds`.
"""

import argparse
import faulthandler
import gc
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from statistics import fmean, median
from time import monotonic, perf_counter
from traceback import print_exc

import torch
from torch import Tensor, nn

from benchmarks.cuda_graphs import compare_graphs
from benchmarks.cuda_terms import CLASSES, CPU, SHAPE, Terms, first_line, network_on, tiny
from benchmarks.cuda_workers import compare_workers
from neptune_nas.architecture.records import Architecture
from neptune_nas.data.images import ImageData
from neptune_nas.devices.numerics import Numerics
from neptune_nas.metrics.timed import measure_latency
from neptune_nas.nn.builder import build
from neptune_nas.training.loop import train
from neptune_nas.training.recipe import Recipe

TIGHT = 0.75  # of the memory that a whole batch takes: too little for it, enough for a half
GIB = 2**30


def compare_scores(terms: Terms, until: float) -> Iterator[str]:
    """Yield how scores on the device differ from those on the CPU, and two seeds from each other.

    In float32, and in the precision that a search trains in there.
    """
    data, cases = terms.data(terms.few), list[list[list[float]]]()
    device = torch.device(terms.device.type)  # as in `--device cuda`, without a number
    columns = ((CPU, "fp32"), (device, "fp32"), (device, "auto"))
    yield f"{terms.few} images, 2 epochs, accuracy with seeds 0 and 1"
    yield f"| network | CPU, fp32 | {terms.device}, fp32 | {terms.device}, auto | outputs differ |"
    yield "|---|---|---|---|---|"
    for number, architecture in enumerate(terms.sampled()[: terms.compared]):
        if cases and monotonic() > until:
            yield f"not measured, for want of time: networks {number} and on"
            break
        found = [
            [accuracy(architecture, data, terms.recipe, seed, where, precision) for seed in (0, 1)]
            for where, precision in columns
        ]
        cases.append(found)
        cells = " | ".join(", ".join(f"{value:.3f}" for value in column) for column in found)
        yield f"| {number} | {cells} | {output_gap(architecture, terms.device):.1e} |"
    between = fmean(abs(column[0] - column[1]) for found in cases for column in found)
    for index, name in ((1, "fp32"), (2, "auto")):
        apart = [a - b for found in cases for a, b in zip(found[index], found[0], strict=True)]
        yield (
            f"{name} against the CPU: {100 * fmean(map(abs, apart)):.2f} points apart, "
            f"{100 * fmean(apart):+.2f} on average; seeds: {100 * between:.2f} points apart"
        )


def accuracy(
    architecture: Architecture,
    data: ImageData,
    recipe: Recipe,
    seed: int,
    where: torch.device,
    precision: str,
) -> float:
    """Return the accuracy after two epochs."""
    numerics = Numerics(precision)  # type: ignore[arg-type]  # one of its literals
    network = build(architecture, SHAPE, CLASSES, seed)
    found = train(network, data, recipe, 2, seed=seed, device=where, numerics=numerics)
    return found.values["accuracy"]


def output_gap(architecture: Architecture, device: torch.device) -> float:
    """Return the largest difference of untrained outputs from a CPU's, as a share of the largest.

    In float32; cuDNN's convolutions use TF32 unless told otherwise.
    """
    images = torch.rand(64, *SHAPE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        usual, found = (
            network_on(architecture, where).eval()(images.to(where)).cpu()
            for where in (CPU, device)
        )
    return float((found - usual).abs().max() / usual.abs().max())


def event_times(network: nn.Module, images: Tensor, repeats: int) -> list[float]:
    """Return the ms of each pass by CUDA events, which leave the host out; else by the clock."""
    times = []
    with torch.inference_mode():
        for _ in range(repeats + repeats // 10 + 1):
            if images.is_cuda:
                begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
                begin.record()
                network(images)
                end.record()
                end.synchronize()
                times.append(begin.elapsed_time(end))
            else:
                started = perf_counter()
                network(images)
                times.append(1e3 * (perf_counter() - started))
    return times[-repeats:]


def compare_latency(terms: Terms, until: float) -> Iterator[str]:
    """Yield each network's latency by the toolkit and by CUDA events, of one image and of many."""
    yield "ms of a pass in float32, median: by the toolkit's clock, by CUDA events"
    sizes = (1, 2 * terms.batch)
    yield f"| network | {' | '.join(f'batch of {size}' for size in sizes)} |\n|---|---|---|"
    for number, architecture in enumerate(terms.sampled()):
        if monotonic() > until:
            yield f"not measured, for want of time: networks {number} and on"
            break
        network, cells = network_on(architecture, terms.device).eval(), list[str]()
        for size in sizes:
            clock = measure_latency(network, SHAPE, size, terms.repeats).median
            images = torch.rand(size, *SHAPE, device=terms.device)
            cells.append(f"{clock:.3f}, {median(event_times(network, images, terms.repeats)):.3f}")
        yield f"| {number} | {' | '.join(cells)} |"


def run_out(terms: Terms) -> Iterator[str]:
    """Yield how a training ends whose whole batch does not fit into memory."""
    recipe = replace(terms.recipe, batch_size=terms.images // 2)
    data, architecture = terms.data(), terms.sampled()[0]

    def attempt(most: int | None) -> tuple[list[int], float, int]:
        """Return the sizes of the batches tried, the accuracy, and the peak of memory."""
        network, sizes = build(architecture, SHAPE, CLASSES, 0), list[int]()

        def look(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if module.training:
                sizes.append(len(inputs[0]))
                if most is not None and len(inputs[0]) > most:
                    raise torch.OutOfMemoryError("out of memory, as told")

        network.register_forward_pre_hook(look)
        found = train(network, data, recipe, 1, device=terms.device)
        return sizes, found.values["accuracy"], found.peak_memory

    sizes, usual, peak = attempt(None)
    yield f"enough memory: a batch of {sizes[0]}, peak {peak / GIB:.2f} GiB, accuracy {usual:.3f}"
    with memory_limit(terms.device, int(TIGHT * peak)):
        sizes, found, less = attempt(None if terms.on_gpu else sizes[0] // 2)
    tried = ", ".join(map(str, dict.fromkeys(sizes)))
    yield (
        f"{TIGHT * peak / GIB:.2f} GiB: batches of {tried}, peak {less / GIB:.2f} GiB, accuracy "
        f"{found:.3f}"
    )
    yield "halved, and trained to the end" if sizes[-1] < sizes[0] else "NOT halved"


@contextmanager
def memory_limit(device: torch.device, size: int) -> Iterator[None]:
    """Let this process have no more than `size` bytes of a GPU inside; a CPU has no such limit."""
    if device.type != "cuda":
        yield
        return
    gc.collect()
    torch.cuda.empty_cache()
    whole = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(size / whole, device)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)


def print_section(title: str, lines: Iterator[str]) -> None:
    """Print a section as it is measured; if it fails, why."""
    print(f"\n## {title}", flush=True)
    started = monotonic()
    try:
        for line in lines:
            print(line, flush=True)
    except Exception as error:
        print(f"failed: {first_line(error)}", flush=True)
        print_exc(file=sys.stdout)
    print(f"({monotonic() - started:.0f} s)", flush=True)


def describe(device: torch.device) -> str:
    """Return the machine in a line."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "no GPU"
    tf32 = torch.backends.cudnn.allow_tf32
    return f"{name}, {os.cpu_count()} cores, torch {torch.__version__}, TF32 in cuDNN: {tf32}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print all sections."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument(
        "--seconds", type=float, default=460, help="after which it ends, done or not"
    )
    options = parser.parse_args(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("torch finds no GPU here: `--device cpu` tests the script without one.")
    faulthandler.dump_traceback_later(options.seconds, exit=True)  # even if the driver hangs
    began = monotonic()
    device = torch.device("cuda", 0) if options.device == "cuda" else CPU
    terms = Terms(device, began + options.seconds - 10)
    terms = terms if terms.on_gpu else tiny(terms)
    print(describe(terms.device), flush=True)
    torch.set_num_threads(1)  # a core is a core, whatever else runs
    limits = [began + share * options.seconds for share in (0.2, 0.27, 0.52)]
    print_section("Scores", compare_scores(terms, limits[0]))
    print_section("Latency", compare_latency(terms, limits[1]))
    print_section("Out of memory", run_out(terms))
    print_section("Training speed", compare_graphs(terms, limits[2]))
    print_section("Workers", compare_workers(terms))
    faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    main()
