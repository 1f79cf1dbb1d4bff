import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import thread_time

import pytest
import torch
from torch import nn

from neptune_nas.devices.numerics import Numerics, Precision
from neptune_nas.devices.processor import cpu_name, torch_threads
from neptune_nas.nn.substages import SelfAttention
from neptune_nas.training import probe as module
from neptune_nas.training.probe import (
    CANDIDATES,
    FIRST,
    GAIN,
    STEPS,
    USUAL,
    VERSION,
    Runner,
    cache_file,
    fastest,
    machine_key,
    mixed_network,
    numerics_for,
    probe,
    read_cache,
    remembered_numerics,
    time_candidates,
    write_cache,
)

BF16, CONTIGUOUS = Numerics("bf16"), Numerics("fp32", "contiguous")
FASTEST = Numerics("bf16", "contiguous")


def test_the_fastest_is_chosen() -> None:
    assert fastest({USUAL: [2.0], BF16: [1.5], CONTIGUOUS: [1.0]}) == CONTIGUOUS


@pytest.mark.parametrize(("gain", "chosen"), [(GAIN + 0.01, BF16), (GAIN - 0.01, USUAL)])
def test_the_usual_stays_unless_another_gains_enough(gain: float, chosen: Numerics) -> None:
    assert fastest({USUAL: [gain], BF16: [1.0]}) == chosen


def test_a_single_slow_step_changes_nothing() -> None:
    assert fastest({USUAL: [1.0, 1.0, 9.0], BF16: [1.1, 1.1, 1.1]}) == USUAL
    assert fastest({USUAL: [1.0, 1.0, 1.0], BF16: [0.5, 9.0, 0.5]}) == BF16


def test_what_was_given_up_is_not_chosen() -> None:
    assert fastest({USUAL: [1.0]}) == USUAL


@dataclass
class FakeRunner(Runner):
    """Takes as long as `length` says of its candidate and the number of its step."""

    length: Callable[[Numerics, int], float] = lambda *_: 1.0
    taken: int = 0

    def __post_init__(self) -> None:
        """Make no network."""

    def step(self) -> float:
        self.taken += 1
        return self.length(self.numerics, self.taken)


def test_what_is_hopeless_makes_its_first_steps_only() -> None:
    made: list[FakeRunner] = []

    def make(numerics: Numerics) -> Runner:
        made.append(FakeRunner(numerics, length=lambda n, _: 100.0 if n.precision == "bf16" else 1))
        return made[-1]

    assert fastest(time_candidates(make)) == USUAL
    whole = FIRST + STEPS
    assert [each.numerics for each in made] == [*CANDIDATES]
    assert [each.taken for each in made] == [whole, whole, FIRST, FIRST]


def test_a_single_slow_step_does_not_give_a_candidate_up() -> None:
    def length(numerics: Numerics, number: int) -> float:
        if numerics != BF16:
            return 2.0
        return 100.0 if number == 1 else 1.0

    assert fastest(time_candidates(partial(FakeRunner, length=length))) == BF16


def test_steps_are_timed_by_the_thread_that_makes_them() -> None:
    ticks = iter((3.0, 5.0))
    assert Runner(USUAL, clock=lambda: next(ticks)).step() == 2.0
    assert Runner(USUAL).clock is thread_time


def test_the_probe_computes_on_one_thread() -> None:
    threads: set[int] = set()

    def length(*_: object) -> float:
        threads.add(torch.get_num_threads())
        return 1.0

    with torch_threads(2):
        probe(partial(FakeRunner, length=length))
    assert threads == {1}


def test_the_network_has_what_networks_are_mostly_made_of() -> None:
    modules = [*mixed_network().modules()]
    groups = {each.groups > 1 for each in modules if isinstance(each, nn.Conv2d)}
    assert groups == {True, False}
    assert any(isinstance(each, SelfAttention) for each in modules)


@pytest.mark.parametrize("numerics", CANDIDATES, ids=str)
def test_a_step_trains_in_the_precision_and_layout(numerics: Numerics) -> None:
    runner = Runner(numerics)
    assert runner.step() > 0
    weight = runner.network.get_parameter("stages.0.entry.conv.weight")
    assert weight.grad is not None
    assert runner.images.is_contiguous() is (numerics.layout == "contiguous")
    assert weight.is_contiguous() is (numerics.layout == "contiguous")


def test_a_probe_leaves_threads_and_random_state_as_they_were() -> None:
    state = torch.get_rng_state()
    with torch_threads(2):
        assert probe() in CANDIDATES
        assert torch.get_num_threads() == 2
    assert torch.equal(torch.get_rng_state(), state)


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[int]:
    """Grows by one with each probe that is made; the cache is empty."""
    made: list[int] = []

    def instead() -> Numerics:
        made.append(1)
        return FASTEST

    monkeypatch.setattr(module, "probe", instead)
    use_cache(monkeypatch, tmp_path)
    return made


def use_cache(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """As a new process that has this folder for its cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    remembered_numerics.cache_clear()


def test_a_machine_is_probed_once(
    probes: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert numerics_for("auto", "cpu") == FASTEST
    use_cache(monkeypatch, tmp_path)
    assert numerics_for("auto", "cpu") == FASTEST
    assert probes == [1]


def test_what_others_found_stays_in_the_cache(probes: list[int]) -> None:
    file = cache_file()
    assert file is not None
    theirs = {"another processor": BF16}
    write_cache(file, theirs)
    numerics_for("auto", "cpu")
    assert probes == [1]
    assert read_cache(file) == {**theirs, machine_key(): FASTEST}


@pytest.mark.parametrize("precision", ["auto", "bf16"])
def test_an_accelerator_is_left_to_the_rule(probes: list[int], precision: Precision) -> None:
    assert numerics_for(precision, "cuda") == Numerics(precision)
    assert probes == []


def test_a_recipe_that_names_its_precision_needs_no_probe(probes: list[int]) -> None:
    assert numerics_for("bf16", "cpu") == Numerics("bf16", "channels_last")
    assert probes == []


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "{",
        "[]",
        '{"KEY": []}',
        '{"KEY": "fp32"}',
        json.dumps({"KEY": {"precision": "x", "layout": "y"}}),
        json.dumps({"KEY": {"precision": "fp32", "width": 3}}),
    ],
)
def test_what_a_damaged_file_says_is_found_again(
    probes: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, damaged: str
) -> None:
    file = cache_file()
    assert file is not None
    file.parent.mkdir()
    file.write_text(damaged.replace("KEY", machine_key()))
    for _ in range(2):
        use_cache(monkeypatch, tmp_path)
        assert numerics_for("auto", "cpu") == FASTEST
    assert probes == [1]


def test_a_folder_that_cannot_be_written_is_no_mistake(
    probes: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    use_cache(monkeypatch, tmp_path / "file")
    assert numerics_for("auto", "cpu") == numerics_for("auto", "cpu") == FASTEST
    assert probes == [1]  # once a process


def test_results_lie_in_the_users_cache_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache_file() == tmp_path / "x" / "neptune-nas" / "numerics.json"


def test_a_user_without_a_home_is_probed_without_a_file(probes: list[int]) -> None:
    assert remembered_numerics(None) == FASTEST
    assert probes == [1]


def test_the_key_names_all_that_a_result_depends_on() -> None:
    for part in (cpu_name(), f"torch {torch.__version__}", f"probe {VERSION}"):
        assert part in machine_key()
