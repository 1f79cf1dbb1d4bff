import json
from pathlib import Path

import pytest

from neptune_nas.architecture.records import Architecture, Conv, Stage, Stem
from neptune_nas.errors import DataError
from neptune_nas.evaluators.evaluator import Evaluator
from neptune_nas.evaluators.tabular import Tabular
from neptune_nas.space import Space, choice
from tests.evaluators.contract import OTHER, SMALL, EvaluatorContract

SPACE = Space("two", choice(SMALL, OTHER))
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
    return Tabular.from_file(path, SPACE)


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
    table = Tabular.from_file(path, SPACE)
    assert [table(SMALL, fidelity, 1).main for fidelity in (1, 50)] == [0.8, 0.8]
    assert table.mean(SMALL) == pytest.approx(0.85)


def test_costs_and_truth_are_those_of_the_table(curves: Tabular[Architecture]) -> None:
    assert curves.cost(OTHER) == {"flops": 11.0}
    assert curves.mean(OTHER) == pytest.approx(0.6305)


def test_a_cost_is_said_in_any_row_of_a_network(tmp_path: Path) -> None:
    path = tmp_path / "once.csv"
    path.write_text("code,accuracy,flops,params\n0,0.5,10,\n0,0.6,,7\n1,0.5,11,8\n1,0.6,11,\n")
    table = Tabular.from_file(path, SPACE)
    assert table.cost(SMALL) == {"flops": 10.0, "params": 7.0}
    assert table.cost(OTHER) == {"flops": 11.0, "params": 8.0}


def test_rows_without_a_seed_are_runs_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("code,accuracy,seed\n0,0.5,\n0,0.6,\n1,0.5,0\n1,0.6,1\n")
    assert Tabular.from_file(path, SPACE).least_runs(1) == 2


def test_a_network_that_the_table_lacks_is_named(tmp_path: Path) -> None:
    path = tmp_path / "half.csv"
    path.write_text("code,accuracy\n0,0.5\n")
    with pytest.raises(DataError, match=r"half.csv has no network 1 \("):
        Tabular.from_file(path, SPACE)(OTHER, 1, 0)


def test_nested_decisions_have_codes_of_their_own() -> None:
    stage = Stage(substages=(choice(Conv(kernel=choice(3, 5)), Conv(groups=8)),))
    space = Space("s", Architecture(Stem(8), (stage,)))
    table = Tabular(space, {}, {})
    with pytest.raises(DataError, match="has no network 1-1"):
        table.code(space[2])
