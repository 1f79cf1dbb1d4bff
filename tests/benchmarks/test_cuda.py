"""The script for a GPU runs without one, but for the calls of CUDA."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from benchmarks.cuda import print_section
from benchmarks.cuda_graphs import GraphTraining
from benchmarks.cuda_terms import CPU, Terms, network_on, tiny
from neptune_nas.devices.numerics import Numerics
from neptune_nas.training.loop import random_state, train_epoch
from neptune_nas.training.recipe import Recipe
from neptune_nas.training.state import RunState, Setup, copy_tensors, make_setup, make_state

ROOT = Path(__file__).parents[2]
ABSENT = ("optuna", "sqlalchemy", "plotly", "tomli_w")  # where the script is to run
RUN = f"""
import runpy, sys
sys.modules.update(dict.fromkeys({ABSENT}))
sys.argv[1:] = ["--device", "cpu"]
runpy.run_module("benchmarks.cuda", run_name="__main__", alter_sys=True)
"""


@pytest.fixture(scope="module")
def output() -> str:
    """Return what the script prints where some libraries are missing."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", RUN],
        cwd=ROOT,
        env=environment,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    ).stdout


def test_every_section_runs_without_optuna(output: str) -> None:
    titles = [line.removeprefix("## ") for line in output.splitlines() if line.startswith("## ")]
    assert titles == ["Scores", "Latency", "Out of memory", "Training speed", "Workers"]
    assert "failed: " not in output
    assert "not measured" not in output


def test_a_cpu_has_the_scores_of_a_cpu(output: str) -> None:
    assert "fp32 against the CPU: 0.00 points apart" in output


def test_a_batch_is_halved_when_memory_runs_out(output: str) -> None:
    assert "batches of 32, 16," in output
    assert "halved, and trained to the end" in output


def test_workers_answer(output: str) -> None:
    lines = output.splitlines()
    rates = [line.split(" | ") for line in lines if "worker | " in line or "cores | " in line]
    assert [cells[0] for cells in rates] == ["| two cores", "| cpu, 1 worker"]
    assert all(int(cells[1].split()[0]) > 0 for cells in rates)


def run(recipe: Recipe) -> tuple[Setup, RunState]:
    """Return a run of the first network, in float32."""
    terms = tiny(Terms(CPU, end=0.0))
    network = network_on(terms.sampled()[0], CPU)
    setup = make_setup(network, terms.data(), recipe, CPU, numerics=Numerics("fp32"))
    return setup, make_state(setup, epochs=2, seed=0)


def test_the_step_of_a_graph_is_that_of_the_loop() -> None:
    recipe = Recipe(batch_size=32, optimizer="sgd")  # AdamW makes of rounding errors large steps
    with random_state(CPU, 0):
        usual, graph = run(recipe), GraphTraining(*run(recipe))
        losses = [(train_epoch(*usual), graph.train_epoch()) for _ in range(2)]
    for found, expected in losses:
        assert found == pytest.approx(expected, rel=1e-4)


def test_a_captured_step_is_undone() -> None:
    setup, state = run(Recipe(batch_size=32))
    before = copy_tensors(setup.network)
    GraphTraining(setup, state)
    for name, value in setup.network.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    assert not any(v.any() for kept in state.optimizer.state.values() for v in kept.values())


def test_a_section_that_fails_says_why_and_ends(capsys: pytest.CaptureFixture[str]) -> None:
    def lines() -> Iterator[str]:
        yield "measured before"
        raise RuntimeError("the driver is gone\nand more")

    print_section("Broken", lines())
    printed = capsys.readouterr().out
    assert "measured before\nfailed: RuntimeError: the driver is gone\n" in printed
