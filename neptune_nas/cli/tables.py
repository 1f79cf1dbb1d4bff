"""The tables shared by several commands."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import nan

from rich.table import Table

from neptune_nas.architecture.records import Architecture, Network
from neptune_nas.errors import ArchitectureError
from neptune_nas.metrics.counted import DEVICE, Cost, CostModel
from neptune_nas.metrics.registry import COST, metric
from neptune_nas.metrics.timed import Latency
from neptune_nas.report.objectives import further_objectives, value_text
from neptune_nas.study.settings import Question
from neptune_nas.study.trial import Trial
from neptune_nas.text import counted


def cost_table(breakdown: Sequence[tuple[str, Cost]]) -> Table:
    """Return the table of each part's cost, and the sum."""
    table = Table(show_footer=True)
    whole = sum((cost for _, cost in breakdown), Cost(0, 0, 0))
    table.add_column("part", footer="total", no_wrap=True)
    for name, value in whole.values.items():
        table.add_column(metric(name).title, footer=f"{value:,}", justify="right")
    table.add_column("share", footer="100%", justify="right")
    for part, cost in breakdown:
        share = cost.macs / whole.macs if whole.macs else 0.0
        table.add_row(part, *(f"{number:,}" for number in cost.values.values()), f"{share:.1%}")
    return table


def device_line(model: CostModel, architecture: Architecture | Network) -> str:
    """Return what a device needs for the network in int8, or dashes and why it cannot run it."""
    values, why = dict.fromkeys(DEVICE, nan), ""
    try:
        values = {name: model.value(name, architecture) for name in DEVICE}
    except ArchitectureError as error:
        why = f" ({error})"
    needs = ", ".join(f"{metric(name).title} {metric(name).text(values[name])}" for name in DEVICE)
    return f"on a device, in int8: {needs}{why}"


def objective_columns(question: Question) -> dict[str, Callable[[Trial], str]]:
    """Return the columns of trials besides accuracy: the other objectives, by heading.

    MFLOPs are included unless two others, neither of them FLOPs, need the space.

    >>> [*objective_columns(Question("tiny", objectives=("accuracy", "latency")))]
    ['latency', 'MFLOPs']
    """
    own = further_objectives(question, (COST,))
    columns: dict[str, Callable[[Trial], str]] = {
        aim.title: partial(value_text, aim) for aim in own
    }
    if COST in question.aims or len(own) < 2:
        columns[COST.per[1]] = _mflops
    return columns


def _mflops(trial: Trial) -> str:
    flops = trial.values.get(COST.name)
    return f"{flops / COST.per[0]:.3f}" if flops else "-"


def latency_lines(latencies: Sequence[Latency]) -> Iterator[str]:
    """Yield each measurement as a sentence."""
    for each in latencies:
        rate = each.batch / each.median * 1e3
        yield (
            f"latency, batch {each.batch}: {each.median:.3f} ms on the wall "
            f"(spread {each.spread:.3f}), "
            f"{rate:,.0f} images/s on {each.device}, {counted(each.threads, 'thread')}, "
            f"median of {each.repeats}"
        )
