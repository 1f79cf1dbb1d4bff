import csv
import gzip
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from benchmarks.samplers import error, measure
from benchmarks.tables import EDGES, Networks, below, cells, modules, third


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with tables of the form of TransNAS-Bench-101, of made scores."""
    rows: list[dict[str, object]] = []
    for picks in product(range(4), range(4), range(2), range(2), range(2), range(2)):
        edges = {f"op{edge}": pick for edge, pick in zip(EDGES, picks, strict=True)}
        rows.append({**edges, "flops_m": 10 + sum(picks), "val_jigsaw": 50 + sum(picks)})
    write(tmp_path / "transnas_micro.csv.gz", rows)
    codes = ["".join(digits) for digits in product("1234", repeat=4)] + ["11111", "222222"]
    write(
        tmp_path / "transnas_macro.csv.gz",
        [{"code": c, "flops_m": int(c[0]), "val_jigsaw": 10.0 * int(c[0])} for c in codes],
    )
    return tmp_path


def write(path: Path, rows: list[dict[str, object]]) -> None:
    with gzip.open(path, "wt", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def test_every_row_is_a_network_of_the_space_with_its_score_and_flops(folder: Path) -> None:
    for networks in (cells(folder, "jigsaw"), cells(folder, "jigsaw", range(4))):
        bench = networks.bench()
        assert len(networks.architectures) == 256
        for architecture, run, flops in zip(
            networks.architectures, networks.runs, networks.flops, strict=True
        ):
            assert architecture in networks.space
            assert bench.table.mean(architecture) == run.mean()
            assert bench.table.cost(architecture) == {"flops": flops}


def test_only_the_codes_of_the_table_are_networks_of_modules(folder: Path) -> None:
    networks = modules(folder, "jigsaw")
    assert networks.space.size == len(networks.architectures) == 4**4 + 2


def test_the_reference_score_is_that_of_a_share_of_the_networks(folder: Path) -> None:
    networks = modules(folder, "jigsaw")
    assert networks.bench().floor == pytest.approx(0.1)
    assert networks.with_floor(0.5).bench().floor == pytest.approx(0.25, abs=0.06)


def test_noise_is_of_three_runs_that_are_the_same_each_time(folder: Path) -> None:
    once, again = (cells(folder, "jigsaw").with_noise(0.5).runs for _ in range(2))
    assert once.shape == (256, 3)
    assert (once == again).all()
    assert 0 < once.std(axis=1).mean() < 0.5 * np.ptp(once.mean(axis=1))


def test_a_third_and_a_limit_leave_a_space_of_only_these(folder: Path) -> None:
    networks = cells(folder, "jigsaw")
    for part in (third(networks), below(networks, 13)):
        assert 0 < part.space.size == len(part.architectures) < 256
    assert below(networks, 13).flops.max() == 13


def test_a_search_of_a_table_comes_nearer_to_its_front(folder: Path) -> None:
    found = measure(modules(folder, "jigsaw").bench(), "random", 0)
    assert 0 < found["shares"][0] <= found["shares"][1] <= found["shares"][2] <= 1


def test_the_error_of_one_search_is_not_known() -> None:
    assert np.isnan(error([0.5]))
    assert error([0.4, 0.6]) == pytest.approx(0.1)


def test_networks_are_not_changed_by_what_is_made_of_them(folder: Path) -> None:
    networks: Networks = cells(folder, "jigsaw")
    before = networks.runs.copy()
    networks.with_noise(1.0)
    third(networks)
    assert (networks.runs == before).all()
