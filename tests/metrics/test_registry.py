import ast
import re
from math import inf, nan
from pathlib import Path

import pytest

import neptune_nas
from neptune_nas.errors import OptionError
from neptune_nas.metrics.counted import ADDED, DEVICE, WHOLE
from neptune_nas.metrics.registry import (
    BY_NAME,
    CLASSIFICATION,
    COUNTED,
    METRICS,
    OBJECTIVES,
    TIMED,
    Metric,
    metric,
)
from neptune_nas.metrics.timed import TIMERS


def test_each_metric_has_a_name_and_a_title_of_its_own() -> None:
    assert len(BY_NAME) == len({each.title for each in METRICS}) == len(METRICS)


def test_each_counted_or_timed_metric_has_a_function_that_computes_it() -> None:
    assert {each.name for each in COUNTED} == {*ADDED, *WHOLE, *DEVICE}
    assert {each.name for each in TIMED} == {*TIMERS}


def test_a_search_aims_at_known_metrics_the_first_of_them_scored() -> None:
    assert BY_NAME[OBJECTIVES[0]] == CLASSIFICATION[0]
    assert [BY_NAME[name].source for name in OBJECTIVES] == ["scored", "counted"]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("accuracy", 0.98765, "0.9877"),
        ("loss", 0.5, "0.5000"),
        ("flops", 1_234_567, "1.23M"),
        ("params", 999, "999"),
        ("peak_memory", 20_480, "20 KiB"),
        ("ram", 65_000, "63.48 KiB"),
        ("flash", 1_500_000, "1.431 MiB"),
        ("flash", 1_000, "1000 bytes"),
        ("int8_accuracy", 0.8555, "0.8555"),
        ("latency", 1.2345, "1.23 ms"),
        ("latency", inf, "-"),
        ("accuracy", nan, "-"),
    ],
)
def test_a_value_is_said_with_its_unit(name: str, value: float, text: str) -> None:
    assert metric(name).text(value) == text


@pytest.mark.parametrize(
    ("name", "amount", "of"),
    [
        ("flops", 1e6, "MFLOPs"),
        ("macs", 1e6, "MMACs"),
        ("peak_memory", 1e6, "MB"),
        ("latency", 1.0, "ms"),
    ],
)
def test_efficiency_is_for_a_million_of_a_count_and_one_of_the_rest(
    name: str, amount: float, of: str
) -> None:
    assert metric(name).per == (amount, of)


def test_more_of_a_share_is_at_best_1_and_less_of_all_else_0() -> None:
    accuracy, loss = CLASSIFICATION
    assert (accuracy.best, accuracy.worst, accuracy.turn) == (1.0, -inf, -1.0)
    assert (loss.best, loss.worst, loss.turn) == (0.0, inf, 1.0)
    with pytest.raises(OptionError, match="'speed' is better when it is more, so its unit must be"):
        Metric("speed", "speed", "", "more", "scored")


@pytest.mark.parametrize(("value", "is_one"), [(0.0, True), (1, True), (1.1, False), (nan, False)])
def test_a_share_lies_between_0_and_1(value: float, is_one: bool) -> None:
    assert metric("accuracy").admits(value) is is_one


def test_a_metric_is_found_by_its_name_an_evaluators_own_too() -> None:
    f1 = Metric("f1", "F1", "share", "more", "scored")
    assert metric("f1", [f1]) is f1
    assert str(metric("flops", [f1])) == "flops"
    with pytest.raises(OptionError, match="metric 'flop' is unknown: did you mean 'flops'"):
        metric("flop")


PACKAGE = Path(neptune_nas.__file__).parent
COMPUTED = ("metrics/registry.py", "metrics/counted.py", "metrics/timed.py", "tasks/")
"""Where the table stands, and the functions that compute its metrics."""
OTHERS = {
    "evaluators/table_file.py": {"flops", "params"},  # names in NAS-Bench-Macro's JSON
    "retrain/curves.py": {"loss"},  # the figure of the training loss, which no split is scored by
    "retrain/history.py": {"loss"},  # the column of the same
    "training/muon.py": {"params"},  # torch's key of a group of parameters
    "training/optimizer.py": {"params"},  # the same
}
"""Literals that are equal to a metric's name and mean something else."""


def named_metrics(file: Path) -> set[str]:
    """Return the names of metrics among the string literals of a file."""
    nodes = ast.walk(ast.parse(file.read_text()))
    return {str(node.value) for node in nodes if isinstance(node, ast.Constant)} & {*BY_NAME}


def test_no_other_file_names_a_metric() -> None:
    found = {str(file.relative_to(PACKAGE)): named_metrics(file) for file in PACKAGE.rglob("*.py")}
    elsewhere = {at: names for at, names in found.items() if names and not at.startswith(COMPUTED)}
    assert elsewhere == OTHERS


def test_the_pages_script_names_no_metric() -> None:
    script = (PACKAGE / "report" / "web" / "page.js").read_text()
    words = {*re.findall(r"""["'`]([a-z_]+)["'`]""", script)}
    assert words & {*BY_NAME} == set()
