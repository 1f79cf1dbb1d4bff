import pytest

from neptune_nas.errors import FileFormatError
from neptune_nas.evaluators.table_costs import check_costs, merge_costs


@pytest.mark.parametrize("name", ["params", "activations", "latency"])
def test_only_networks_without_flops_are_refused(name: str) -> None:
    check_costs({name: 0.0, "flops": 1.0, "note": -1.0}, "t.csv, line 2")
    with pytest.raises(FileFormatError, match=r"^t\.csv, line 2: `flops` must be .* at least 1"):
        check_costs({name: 0.0, "flops": 0.9}, "t.csv, line 2")


def test_what_is_no_known_cost_may_differ_between_rows() -> None:
    found = merge_costs({"hours": 1.0, "flops": 4.0}, {"hours": 2.0, "params": 3.0}, "here")
    assert found == {"hours": 2.0, "flops": 4.0, "params": 3.0}


@pytest.mark.parametrize("name", ["flops", "macs", "params", "activations", "latency"])
def test_a_known_cost_may_not(name: str) -> None:
    says = f"^here: `{name}` is 2.0, but 1.0 in an earlier row of the same network"
    with pytest.raises(FileFormatError, match=says):
        merge_costs({name: 1.0}, {name: 2.0}, "here")
