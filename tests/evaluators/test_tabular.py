import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from neptune_nas.architecture.records import Architecture, Conv, Stage, Stem
from neptune_nas.errors import ArchitectureError, DataError, OptionError
from neptune_nas.evaluators.bench import Bench
from neptune_nas.evaluators.evaluator import Evaluator
from neptune_nas.evaluators.tabular import (
    Tabular,
    check_rungs,
    check_scored,
    common_fidelities,
    fidelities,
)
from neptune_nas.metrics.counted import CostModel
from neptune_nas.space import Space, choice
from neptune_nas.study.settings import Question
from tests.data.folders import write_classes
from tests.evaluators.contract import OTHER, SMALL, EvaluatorContract

TWO = Space("two", choice(SMALL, OTHER))
CURVES = "code,epochs,seed,accuracy,loss,flops\n" + "".join(
    f"{code},{epochs},{seed},{0.5 + 0.1 * code + 0.01 * epochs + 0.001 * seed},1.0,{10 + code}\n"
    for code in (0, 1)
    for epochs in (1, 3)
    for seed in (0, 1)
)


@pytest.fixture
def curves(tmp_path: Path) -> Tabular[Architecture]:
    path = tmp_path / "curves.csv"
    path.write_text(CURVES)
    return Tabular.from_file(path, TWO)


class TestTabular(EvaluatorContract):
    @pytest.fixture
    def evaluator(self, curves: Tabular[Architecture]) -> Evaluator:
        return curves


def test_the_seed_draws_a_training_run(curves: Tabular[Architecture]) -> None:
    found = [curves(SMALL, 1, seed).main for seed in range(4)]
    assert found == pytest.approx([0.51, 0.511, 0.51, 0.511])


def test_a_fidelity_between_two_gets_the_lower(curves: Tabular[Architecture]) -> None:
    found = [curves(OTHER, fidelity, 0).main for fidelity in (1, 2, 3, 90)]
    assert found == pytest.approx([0.61, 0.61, 0.63, 0.63])


def test_a_fidelity_below_all_is_refused(curves: Tabular[Architecture]) -> None:
    with pytest.raises(DataError, match="no score at fidelity 0: the lowest is 1"):
        curves(SMALL, 0, 0)


def test_a_table_without_fidelities_answers_at_any(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    entry = {"test_acc": [90.0, 80.0], "flops": 1, "params": 2}
    path.write_text(json.dumps({"0": entry, "1": entry}))
    table = Tabular.from_file(path, TWO)
    assert [table(SMALL, fidelity, 1).main for fidelity in (1, 50)] == [0.8, 0.8]
    assert table.mean(SMALL) == pytest.approx(0.85)


def test_costs_and_truth_are_those_of_the_table(curves: Tabular[Architecture]) -> None:
    assert curves.cost(OTHER) == {"flops": 11.0}
    assert curves.mean(OTHER) == pytest.approx(0.6305)


def test_a_cost_is_said_in_any_row_of_a_network(tmp_path: Path) -> None:
    path = tmp_path / "once.csv"
    path.write_text("code,accuracy,flops,params\n0,0.5,10,\n0,0.6,,7\n1,0.5,11,8\n1,0.6,11,\n")
    table = Tabular.from_file(path, TWO)
    assert table.cost(SMALL) == {"flops": 10.0, "params": 7.0}
    assert table.cost(OTHER) == {"flops": 11.0, "params": 8.0}


def test_rows_without_a_seed_are_runs_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("code,accuracy,seed\n0,0.5,\n0,0.6,\n1,0.5,0\n1,0.6,1\n")
    assert Tabular.from_file(path, TWO).least_runs(1) == 2


def test_a_network_that_the_table_lacks_is_named(tmp_path: Path) -> None:
    path = tmp_path / "half.csv"
    path.write_text("code,accuracy\n0,0.5\n")
    with pytest.raises(DataError, match=r"half.csv has no network 1 \("):
        Tabular.from_file(path, TWO)(OTHER, 1, 0)


def test_nested_decisions_have_codes_of_their_own() -> None:
    stage = Stage(substages=(choice(Conv(kernel=choice(3, 5)), Conv(groups=8)),))
    space = Space("s", Architecture(Stem(8), (stage,)))
    table = Tabular(space, {}, {})
    with pytest.raises(DataError, match="has no network 1-1"):
        table.code(space[2])


@dataclass(frozen=True, slots=True)
class Recorded:
    """A network of someone else's table, which nothing here can build."""

    depth: int = choice(1, 2, 3)


OURS = Space("ours", Architecture(stages=(Stage(width=choice(8, 16, 24)),)))
THEIRS: Space[Any] = Space("theirs", Recorded())
PLAIN = "code,accuracy,flops,params\n0,0.5,10,1\n1,0.6,20,2\n2,0.7,30,3\n"


def table(tmp_path: Path, space: Space[Any], content: str = PLAIN) -> Tabular[Any]:
    path = tmp_path / "table.csv"
    path.write_text(content)
    return Tabular.from_file(path, space)


def bench(found: Tabular[Any], *costs: str, data: str = "cifar10") -> Bench:
    """Return the bench of a table for a search that has these costs among its objectives."""
    return found.bench(Question("ours", data, objectives=("accuracy", *costs)))


def test_networks_that_can_be_built_are_counted(tmp_path: Path) -> None:
    found = bench(table(tmp_path, OURS), "flops", "activations")
    assert found.costs.values(OURS[1]) == CostModel((3, 32, 32), 10).values(OURS[1])
    assert (found.input_shape, found.classes) == ((3, 32, 32), 10)
    assert found.guess == {"accuracy": 0.1, "loss": pytest.approx(2.302585)}


def test_chance_on_the_users_own_images_is_counted(tmp_path: Path) -> None:
    write_classes(tmp_path, 30, ("cat",))
    write_classes(tmp_path, 10, ("dog",))
    assert bench(table(tmp_path, OURS), data=f"folder:{tmp_path}").guess["accuracy"] == 0.75


def test_the_data_that_a_table_is_of_needs_not_be_at_hand(tmp_path: Path) -> None:
    found = bench(table(tmp_path, OURS), "flops", data="mnist")
    assert found.costs.values(OURS[1]) == CostModel((1, 28, 28), 10).values(OURS[1])
    assert found.images == (0, 0, 0)


def test_other_networks_have_the_tables_own_costs(tmp_path: Path) -> None:
    found = bench(table(tmp_path, THEIRS), "flops", "params")
    assert found.costs.values(THEIRS[1]) == {"flops": 20, "macs": 10, "params": 2}
    assert found.costs.value("params", THEIRS[1]) == 2


def test_counts_of_a_table_are_whole_numbers(tmp_path: Path) -> None:
    text = "code,accuracy,macs,params\n0,0.5,10.4,1e3\n1,0.6,20,2\n"
    found = bench(table(tmp_path, THEIRS, text), "flops")
    assert str(found.costs.values(THEIRS[0])) == "{'flops': 20, 'macs': 10, 'params': 1000}"


@pytest.mark.parametrize("name", ["activations", "latency"])
def test_a_cost_that_nobody_knows_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OptionError, match=f"does not give the {name} of every network"):
        bench(table(tmp_path, THEIRS), name)


@pytest.mark.parametrize("space", [OURS, THEIRS])
def test_latencies_are_the_tables_where_it_has_them(tmp_path: Path, space: Space[Any]) -> None:
    text = "code,accuracy,latency\n0,0.5,8000\n1,0.6,20\n"
    found = bench(table(tmp_path, space, text), "latency")
    latency = found.clocks["latency"]
    assert [latency(space[i]) for i in range(2)] == [8000, 20]
    with pytest.raises(ArchitectureError, match="has no network 2"):
        latency(space[2])


@pytest.mark.parametrize("name", ["params", "activations", "latency"])
def test_a_cost_that_is_0_of_every_network_is_refused(tmp_path: Path, name: str) -> None:
    text = f"code,accuracy,{name}\n0,0.5,0\n1,0.6,0\n"
    with pytest.raises(OptionError, match=f"gives every network a {name} of 0: correct"):
        bench(table(tmp_path, THEIRS, text), name)
    some = table(tmp_path, THEIRS, text + "2,0.7,3\n")
    assert bench(some, name).evaluator is some


def test_what_is_counted_here_needs_no_column(tmp_path: Path) -> None:
    zeros = table(tmp_path, OURS, "code,accuracy,params\n0,0.5,0\n1,0.6,0\n")
    assert bench(zeros, "params").costs.value("params", OURS[1]) > 0


def test_latencies_are_measured_of_networks_that_can_be_built_where_the_table_has_none(
    tmp_path: Path,
) -> None:
    assert bench(table(tmp_path, OURS), "latency").clocks == {}


def test_latencies_of_some_networks_alone_are_not_mixed_with_measured_ones(tmp_path: Path) -> None:
    some = table(tmp_path, OURS, "code,accuracy,latency\n0,0.5,8000\n1,0.6,unknown\n2,0.7,3\n")
    with pytest.raises(OptionError, match="latency of every network of space 'ours', only of some"):
        bench(some, "latency")
    assert bench(some, "flops").costs.value("macs", OURS[1]) > 0


@pytest.mark.parametrize(
    ("rows", "rungs", "lacks"),
    [
        ("0,1,0.5,1.2\n1,1,0.6,1.1\n", (1,), False),
        ("0,1,0.5,\n1,1,0.6,\n", (1,), True),
        ("0,1,0.5,1.2\n1,1,0.6,\n", (1,), True),
        ("0,1,0.5,\n0,3,0.6,1.1\n1,3,0.6,1.1\n", (3,), False),
        ("0,1,0.5,\n0,3,0.6,1.1\n1,1,0.5,2\n1,3,0.6,1.1\n", (1, 3), True),
    ],
)
def test_losses_are_needed_at_the_rungs_of_a_search_for_loss(
    tmp_path: Path, rows: str, rungs: tuple[int, ...], lacks: bool
) -> None:
    found = table(tmp_path, OURS, f"code,epochs,accuracy,loss\n{rows}")
    asked = Question("ours", objectives=("loss", "flops"), rungs=rungs)
    check_scored(found, Question("ours", rungs=rungs))
    if lacks:
        with pytest.raises(OptionError, match="does not give the loss of every network"):
            check_scored(found, asked)
    else:
        check_scored(found, asked)


def test_a_network_that_the_table_lacks_has_no_cost(tmp_path: Path) -> None:
    half = table(tmp_path, OURS, "code,accuracy\n0,0.5\n1,0.6\n")
    found = bench(half)
    with pytest.raises(ArchitectureError, match="has no network 2"):
        found.costs.value("flops", OURS[2])


def test_the_fingerprint_is_that_of_the_file(tmp_path: Path) -> None:
    first, second = (
        bench(table(tmp_path, OURS, text)).fingerprint
        for text in (PLAIN, PLAIN.replace("0.7", "0.8"))
    )
    assert first != second


def test_the_fingerprint_is_of_the_bytes_read_even_if_the_file_changes(tmp_path: Path) -> None:
    found = table(tmp_path, OURS, PLAIN)
    before = bench(found).fingerprint
    table(tmp_path, OURS, PLAIN.replace("0.7", "0.8"))
    assert bench(found).fingerprint == before


def test_rungs_begin_where_every_network_has_a_score(tmp_path: Path) -> None:
    curves = "code,accuracy,epochs\n0,0.5,1\n0,0.6,3\n1,0.6,3\n2,0.6,9\n1,0.5,1\n2,0.5,3\n"
    found = table(tmp_path, OURS, curves)
    assert fidelities(found) == (1, 3, 9)
    check_rungs(found, (3, 9))
    with pytest.raises(OptionError, match=r"rungs must begin at 3, .* but got 1,3"):
        check_rungs(found, (1, 3))


@pytest.mark.parametrize(
    ("rows", "common"),
    [
        ("0,0.5,1\n0,0.6,50\n0,0.7,200\n1,0.5,1\n1,0.6,100\n", (1,)),
        ("0,0.5,1\n0,0.6,9\n0,0.6,3\n1,0.5,9\n1,0.6,3\n", (3, 9)),
        ("0,0.5,1\n1,0.5,3\n", ()),
    ],
)
def test_fidelities_are_common_that_every_network_has(
    tmp_path: Path, rows: str, common: tuple[int, ...]
) -> None:
    found = table(tmp_path, OURS, f"code,accuracy,epochs\n{rows}")
    assert common_fidelities(found) == common


def test_a_table_has_no_rung_0(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="rungs must begin at 1"):
        check_rungs(table(tmp_path, OURS), (0, 1))


def test_rungs_need_a_table_with_fidelities(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="rungs need a table with fidelities"):
        check_rungs(table(tmp_path, OURS), (1, 3))


@pytest.mark.parametrize(("rungs", "missing"), [((1, 9), "9"), ((2,), "2"), ((1, 2, 4, 9), "2, 9")])
def test_rungs_that_a_table_has_of_no_network_are_refused(
    tmp_path: Path, rungs: tuple[int, ...], missing: str
) -> None:
    curves = "code,accuracy,epochs\n0,0.5,1\n0,0.6,4\n1,0.5,1\n2,0.5,1\n"
    found = table(tmp_path, OURS, curves)
    check_rungs(found, (1, 4))
    name = "rungs" if len(rungs) > 1 else r"`rungs` \(--epochs\)"
    says = rf"^{name} .*table.csv has of some network \(1, 4\), but it has none at {missing}\.$"
    with pytest.raises(OptionError, match=says):
        check_rungs(found, rungs)


def test_a_table_without_fidelities_may_be_asked_at_any(tmp_path: Path) -> None:
    check_rungs(table(tmp_path, OURS), (7,))


def test_of_many_fidelities_a_few_are_named(tmp_path: Path) -> None:
    rows = (f"{code},0.5,{epochs}\n" for code in range(3) for epochs in range(1, 91))
    found = table(tmp_path, OURS, "code,accuracy,epochs\n" + "".join(rows))
    with pytest.raises(OptionError, match=r"\(1, 2, 3, 4, 5, 6, 7, 8, 9, \.\.\., 90\), but .* 91"):
        check_rungs(found, (1, 91))
