"""`neptune-nas profile`."""

from typing import Annotated

import typer

from neptune_nas.cli.allow import Allow
from neptune_nas.cli.pick import Best, MinAccuracy, Pick, TrialNumber
from neptune_nas.cli.source import Source, architecture_at
from neptune_nas.cli.study import Storage
from neptune_nas.cli.terminal import print_line
from neptune_nas.cli.values import shape
from neptune_nas.files.rules import Threads
from neptune_nas.files.schema import check_value

EXAMPLE = "Example: neptune-nas profile studies/default-digits --best knee --input 3x32x32"


def profile(
    source: Source,
    which: Best = None,
    trial: TrialNumber = None,
    min_accuracy: MinAccuracy = None,
    size: Annotated[
        str | None,
        typer.Option("--input", help="Image shape CxHxW (default: the source's).", metavar="CxHxW"),
    ] = None,
    threads: Annotated[int, typer.Option(help="Torch threads for measuring latency.")] = 1,
    storage: Storage = None,
    allow: Allow = None,
) -> None:
    """Show the cost of each part of an architecture, its latency, and its memory on a device."""
    wanted = Pick(which, trial, min_accuracy)
    check_value(threads, Threads, "--threads")
    from neptune_nas.cli.console import console
    from neptune_nas.cli.tables import cost_table, device_line, latency_lines
    from neptune_nas.metrics.counted import CostModel
    from neptune_nas.metrics.peak_memory import peak_memory
    from neptune_nas.metrics.timed import measure_latency, processor_time
    from neptune_nas.nn.builder import build

    name, item = architecture_at(source, wanted, storage, allow)
    if source.is_dir():
        print_line(f"{name} of {source}")
    input_shape = shape(size, "--input") if size else item.input_shape
    model = CostModel(input_shape, item.classes)
    console().print(cost_table(model.breakdown(item.architecture)))
    network = build(item.architecture, input_shape, item.classes, seed=0)
    latencies = [
        measure_latency(network, input_shape, batch=batch, threads=threads) for batch in (1, 64)
    ]
    for line in latency_lines(latencies):
        print_line(line)
    milliseconds = processor_time(network, input_shape)
    print_line(f"processor time of one thread, batch 1: {milliseconds:.3f} ms, a search's latency")
    for batch in (1, 64):
        mebibytes = peak_memory(network, input_shape, batch) / 2**20
        print_line(f"peak memory, batch {batch}: {mebibytes:.2f} MiB")
    print_line(device_line(model, item.architecture))
