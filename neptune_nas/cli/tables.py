"""Tables that more than one command shows."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from rich.table import Table

from neptune_nas.metrics.timed import Latency
from neptune_nas.metrics.trial import Cost, Trial
from neptune_nas.report.objectives import TITLES, others, value_text
from neptune_nas.study.measures import MEGA
from neptune_nas.study.settings import Question
from neptune_nas.text import counted


def cost_table(breakdown: Sequence[tuple[str, Cost]]) -> Table:
    """What each part costs, and the sum."""
    table = Table(show_footer=True)
    total = Cost(0, 0, 0)
    for _, cost in breakdown:
        total = total + cost
    table.add_column("part", footer="total", no_wrap=True)
    for name in ("MACs", "FLOPs", "parameters", "activations"):
        value = {"MACs": total.macs, "FLOPs": total.flops, "parameters": total.params}
        table.add_column(name, footer=f"{value.get(name, total.activations):,}", justify="right")
    table.add_column("share", footer="100%", justify="right")
    for part, cost in breakdown:
        numbers = (cost.macs, cost.flops, cost.params, cost.activations)
        share = cost.macs / total.macs if total.macs else 0.0
        table.add_row(part, *(f"{number:,}" for number in numbers), f"{share:.1%}")
    return table


def objective_columns(question: Question) -> dict[str, Callable[[Trial], str]]:
    """What to show of trials beside their accuracy: the other objectives, by heading.

    MFLOPs are among them unless two others, none of them FLOPs, need the room.

    >>> [*objective_columns(Question("tiny", objectives=("accuracy", "latency")))]
    ['latency', 'MFLOPs']
    """
    own = others(question, ("accuracy", "flops"))
    columns: dict[str, Callable[[Trial], str]] = {
        TITLES[name]: partial(value_text, name) for name in own
    }
    if "flops" in question.objectives or len(own) < 2:
        columns["MFLOPs"] = lambda trial: (
            f"{trial.cost.flops / MEGA:.3f}" if trial.cost.flops else "-"
        )
    return columns


def latency_lines(latencies: Sequence[Latency]) -> Iterator[str]:
    """Each measurement in a sentence."""
    for each in latencies:
        rate = each.batch / each.median * 1e3
        yield (
            f"latency, batch {each.batch}: {each.median:.3f} ms on the wall "
            f"(spread {each.spread:.3f}), "
            f"{rate:,.0f} images/s on {each.device}, {counted(each.threads, 'thread')}, "
            f"median of {each.repeats}"
        )
