from collections import Counter

import pytest
import torch

from neptune_nas.devices.mode import KINDS, Kind, Mode, Modes, same_for_all
from neptune_nas.devices.threads import torch_threads
from neptune_nas.training import probe as module
from neptune_nas.training.kinds import kind_of
from neptune_nas.training.probe import (
    FIRST,
    GAIN,
    MODES,
    STEPS,
    USUAL,
    Runner,
    choose,
    fastest,
    measured,
    probe,
    stand_in,
)

BF16, CONTIGUOUS = Mode("bf16"), Mode("fp32", "contiguous")


def test_the_fastest_mode_is_chosen_for_each_kind() -> None:
    slow, fast = [2.0], [1.0]
    times = {
        "attention": {USUAL: fast, BF16: slow},
        "depthwise": {USUAL: slow, BF16: fast},
        "dense": {USUAL: slow, BF16: slow, CONTIGUOUS: fast},
    }
    found = choose({kind: times[kind] for kind in KINDS})
    assert found == Modes(attention=USUAL, depthwise=BF16, dense=CONTIGUOUS)


@pytest.mark.parametrize(("gain", "mode"), [(GAIN + 0.01, BF16), (GAIN - 0.01, USUAL)])
def test_the_usual_mode_stays_unless_another_gains_enough(gain: float, mode: Mode) -> None:
    assert fastest({USUAL: [gain], BF16: [1.0]}) == mode


def test_a_single_slow_step_changes_nothing() -> None:
    assert fastest({USUAL: [1.0, 1.0, 9.0], BF16: [1.1, 1.1, 1.1]}) == USUAL
    assert fastest({USUAL: [1.0, 1.0, 1.0], BF16: [0.5, 9.0, 0.5]}) == BF16


def test_a_mode_that_was_given_up_is_not_chosen() -> None:
    assert fastest({USUAL: [1.0]}) == USUAL


def test_a_mode_that_is_hopeless_makes_its_first_steps_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps: Counter[Mode] = Counter()

    def step(self: Runner) -> float:
        steps[self.mode] += 1
        return 100.0 if self.mode.precision == "bf16" else 1.0

    monkeypatch.setattr(Runner, "step", step)
    assert choose(measured()) == same_for_all(USUAL)
    whole, given_up = len(KINDS) * (FIRST + STEPS), len(KINDS) * FIRST
    assert [steps[mode] for mode in MODES] == [whole, whole, given_up, given_up]


def test_a_single_slow_step_does_not_give_a_mode_up(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: Counter[tuple[Kind, Mode]] = Counter()

    def step(self: Runner) -> float:
        steps[self.kind, self.mode] += 1
        is_cold = steps[self.kind, self.mode] == 1
        return 100.0 if is_cold and self.mode == BF16 else 1.0 if self.mode == BF16 else 2.0

    monkeypatch.setattr(Runner, "step", step)
    assert choose(measured()) == same_for_all(BF16)


def test_steps_are_timed_by_the_thread_that_makes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter((3.0, 5.0))
    monkeypatch.setattr(module, "thread_time", lambda: next(ticks))
    assert Runner("dense", USUAL).step() == 2.0


def test_the_probe_computes_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[int] = set()

    def step(_: Runner) -> float:
        threads.add(torch.get_num_threads())
        return 1.0

    monkeypatch.setattr(Runner, "step", step)
    with torch_threads(2):
        probe()
    assert threads == {1}


@pytest.mark.parametrize("kind", KINDS)
def test_a_stand_in_is_of_the_kind_that_it_stands_for(kind: Kind) -> None:
    assert kind_of(stand_in(kind)) == kind


@pytest.mark.parametrize("mode", MODES)
def test_a_step_trains_in_the_mode(mode: Mode) -> None:
    runner = Runner("dense", mode)
    assert runner.step() > 0
    weight = runner.network.get_parameter("stages.0.entry.conv.weight")
    assert weight.grad is not None
    assert runner.images.is_contiguous() is (mode.layout == "contiguous")
    assert weight.is_contiguous() is (mode.layout == "contiguous")


def test_a_probe_leaves_threads_and_random_state_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "STEPS", 1)
    state = torch.get_rng_state()
    with torch_threads(2):
        found = probe()
        assert torch.get_num_threads() == 2
    assert {found.of(kind) for kind in KINDS} <= {*MODES}
    assert torch.equal(torch.get_rng_state(), state)
