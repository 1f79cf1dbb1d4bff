import json
import pickle
import re
from dataclasses import dataclass
from math import inf, nan
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from neptune_nas.architecture.records import Architecture
from neptune_nas.engine.engine import Call
from neptune_nas.engine.worker import answer, on_device
from neptune_nas.errors import ArchitectureError, SpaceError
from neptune_nas.evaluators.evaluator import Traits
from neptune_nas.metrics.registry import Metric
from neptune_nas.metrics.score import Score, score_in, score_to_json
from tests.engine.contract import call
from tests.engine.evaluators import Echo, Placed, Raises


def test_an_evaluator_with_a_device_is_moved() -> None:
    assert on_device(Placed(), "cuda:3") == Placed(device="cuda:3")


def test_an_evaluator_without_a_device_stays_as_it_is() -> None:
    assert on_device(Echo(), "cuda:3") == Echo()


def test_an_evaluator_that_is_a_function_stays_as_it_is() -> None:
    assert on_device(call, "cuda:3") is call


def test_no_device_leaves_an_evaluator_where_it_is() -> None:
    assert on_device(Placed(), None) == Placed()


def test_a_reply_counts_the_time_of_its_call() -> None:
    reply = answer(Echo(), pickle.dumps(call(1)), 5)
    assert reply.score is not None
    assert reply.score.seconds == reply.busy > 0
    assert reply.score.worker == 5


def test_a_bytes_that_are_no_call_are_the_users_mistake() -> None:
    reply = answer(Echo(), b"cno_such_module\nThing\n.", 0)
    assert "No module named 'no_such_module'" in str(reply.mistake)


@pytest.mark.parametrize(
    ("error", "spoiled"),
    [
        (torch.AcceleratorError("illegal access"), True),
        (torch.OutOfMemoryError("out of memory"), False),
        (RuntimeError("shapes differ"), False),
    ],
)
def test_only_a_lost_accelerator_spoils_a_worker(error: Exception, spoiled: bool) -> None:
    assert answer(Raises(error), pickle.dumps(call(1)), 0).spoiled is spoiled


def test_the_score_of_an_exception_has_its_traceback() -> None:
    score = answer(Raises(ValueError("odd")), pickle.dumps(call(1)), 0).score
    assert score is not None
    assert re.search(r"evaluators\.py.*in __call__", score.trace or "")


@dataclass(frozen=True)
class Returns:
    """An evaluator that returns whatever it is told."""

    what: Any

    def __call__(self, architecture: Any, fidelity: int, seed: int) -> Any:  # noqa: ARG002  # the protocol's
        return self.what


CALL = pickle.dumps(Call(0, Architecture(), 1, 0))


def failure_of(evaluator: Any) -> str:
    """Return why a call failed; the reply must reach the coordinator and its database."""
    reply = answer(evaluator, CALL, 0)
    assert reply.mistake is None
    pickle.dumps(reply)
    assert reply.score is not None
    json.dumps(score_to_json(reply.score), allow_nan=False)
    assert reply.score.seconds > 0
    assert not reply.score.ok
    return reply.score.failure or ""


def _score(values: Any, **more: Any) -> Score:
    """Return a score whose fields may be anything."""
    return Score(1, values, **more)


GOOD = {"accuracy": 0.5, "loss": 1.0}


class Faulty:
    """A value whose every method fails."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"no {name}")

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (0.5, r"evaluator Returns must return a `Score`, but returned 0\.5"),
        (None, "but returned None: return Score"),
        ("x" * 10**6, r"but returned 'x+\.\.\.x+': return Score"),
        (Mock(spec=Score), "but reading what it returned failed: TypeError: "),
        (_score({"accuracy": 95.0}), r"`accuracy` is a share, a number in 0\.\.1, .* 95\.0"),
        (_score({**GOOD, "loss": "0.5"}), "`loss` is a number, but returned '0.5'"),
        (_score({"accuracy": True}), "`accuracy` is a share, .* but returned True"),
        (_score({"accuracy": np.bool_(True)}), "but returned np.True_"),
        (_score({"accuracy": 0.5j}), "but returned 0.5j"),
        (_score({"accuracy": torch.rand(2)}), r"but returned tensor\(\["),
        (_score({"accuracy": torch.tensor(0.5, device="meta")}), r"but returned tensor\("),
        (_score({**GOOD, "loss": 10**5000}), "but returned a number of 5000 digits"),
        (_score({"acc": 0.5}), r"whose `values` include `accuracy`, but returned \{'acc': 0\.5\}"),
        (_score({1: 0.5}), r"`values` map names to numbers, but returned \{1: 0\.5\}"),
        (_score([0.5]), r"`values` map names to numbers, but returned \[0\.5\]"),
        (_score(GOOD, seconds=nan), "`seconds` must be a finite number of at least 0, .* nan"),
        (_score(GOOD, seconds=np.float32(-1)), "`seconds` must be .* but got -1.0"),
        (_score(GOOD, images_per_second=inf), "`images_per_second` must be .* but got inf"),
        (_score(GOOD, peak_memory=1.5), "`peak_memory` must be a whole number"),
        (_score(GOOD, peak_memory=2**63), "`peak_memory` must be a whole number"),
        (
            _score(GOOD, failure=ValueError("disk full")),
            r"a string, .* ValueError\('disk full'\)",
        ),
        (_score(GOOD, trace=5), "`trace` must be a string, but got 5"),
        (_score(GOOD, proxy="high"), "`proxy` must be a number, but got 'high'"),
        (_score({}, proxy=nan), "its proxy is not a number"),
        (_score(GOOD, failure=""), "it gave no reason"),
        (_score(GOOD, failure="two\nlines\x1b[31m" + "!" * 10**6), r"^two lines\\x1b\[31m!+"),
    ],
)
def test_what_is_no_good_score_fails_its_trial_with_a_sentence(what: object, says: str) -> None:
    failure = failure_of(Returns(what))
    assert re.search(says, failure)
    assert len(failure) < 400


@pytest.mark.parametrize(
    ("one", "other", "rule"),
    [
        (_score({"accuracy": 93.1}), _score({"accuracy": 7}), "whose `accuracy` is a share, "),
        (_score(GOOD, seconds=nan), _score(GOOD, seconds=-1), "whose `seconds` follows its rule"),
        (_score({"acc": 0.5}), _score({"f1": 0.5}), "whose `values` include `accuracy`"),
        (_score([0.5]), _score([0.6]), "whose `values` map names to numbers"),
        (0.5, "0.5", "must return a `Score`"),
    ],
)
def test_two_values_that_break_one_rule_are_said_to(one: object, other: object, rule: str) -> None:
    scores = [answer(Returns(each), CALL, 0).score for each in (one, other)]
    first, second = (score for score in scores if score)
    assert first.rule == second.rule
    assert first.failure != second.failure
    assert rule in (first.rule or "")
    assert score_in(json.loads(json.dumps(score_to_json(first))), "") == first


def test_values_whose_methods_fail_end_their_trial_alone() -> None:
    assert "but returned <Faulty instance" in failure_of(Returns(Faulty()))
    failure = failure_of(Returns(_score({"accuracy": Faulty()})))
    assert "reading what it returned failed: RuntimeError: no shape" in failure


@pytest.mark.parametrize(
    "values",
    [
        {"accuracy": np.float32(0.25), "loss": np.float64(2)},
        {"loss": np.int64(2), "accuracy": np.array(0.25)},
        {"accuracy": torch.tensor(0.25, requires_grad=True), "loss": torch.tensor(2)},
        {"loss": torch.tensor(2.0, dtype=torch.bfloat16), "accuracy": np.float16(0.25)},
    ],
)
def test_numbers_of_numpy_and_torch_are_numbers(values: dict[str, Any]) -> None:
    score = answer(Returns(_score(values, peak_memory=np.int64(7))), CALL, 0).score
    assert score is not None
    assert [*score.values.items()] == [("accuracy", 0.25), ("loss", 2.0)]
    assert {type(value) for value in score.values.values()} == {float}
    assert type(score.peak_memory) is int


def test_a_metric_that_an_evaluator_declares_has_its_range() -> None:
    assert "`f1` is a share, a number in 0..1, but returned 60" in failure_of(Declares(60))


@dataclass(frozen=True)
class Declares:
    """An evaluator with a metric of its own."""

    value: float
    traits = Traits(metrics=(Metric("f1", "F1", "share", "more", "scored"),))

    def __call__(self, architecture: Any, fidelity: int, seed: int) -> Score:  # noqa: ARG002  # the protocol's
        return Score(fidelity, {"f1": self.value})


class SilentError(Exception):
    """An error without a message that can be shown."""

    def __str__(self) -> str:
        raise ValueError("none")


class HeavyError(Exception):
    """An error that cannot be pickled."""

    def __init__(self, message: str, _: object) -> None:
        super().__init__(message)
        self.held = lambda: None


@dataclass(frozen=True)
class Fails:
    """An evaluator that raises anything."""

    error: BaseException

    def __call__(self, architecture: Any, fidelity: int, seed: int) -> Score:  # noqa: ARG002  # the protocol's
        raise self.error


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (SystemExit("no GPU here"), "SystemExit: no GPU here"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (GeneratorExit(), "GeneratorExit"),
        (MemoryError(), "MemoryError"),
        (RecursionError("too deep"), "RecursionError: too deep"),
        (SilentError(), "SilentError: a message that cannot be shown (ValueError)"),
        (HeavyError("full", 1), "HeavyError: full"),
        (ValueError("\x1b[31mred\nand more"), "ValueError: \\x1b[31mred and more"),
    ],
)
def test_what_ended_a_call_is_said_in_its_own_words(error: BaseException, says: str) -> None:
    assert failure_of(Fails(error)) == says


def test_a_message_of_a_megabyte_is_cut_in_the_reason_and_in_the_traceback() -> None:
    score = answer(Fails(ValueError("y" * 10**6)), CALL, 0).score
    assert score is not None
    assert len(score.failure or "") < 400
    assert len(score.trace or "") <= 20_000


def test_a_users_mistake_of_a_class_of_their_own_arrives_as_one_of_ours() -> None:
    class MineError(SpaceError):
        pass

    mistake = answer(Fails(MineError("no such option")), CALL, 0).mistake
    assert type(mistake) is SpaceError
    assert str(mistake) == "no such option"


def test_an_accuracy_that_is_no_number_is_a_failure_with_a_reason() -> None:
    reply = answer(Returns(Score(1, {"accuracy": float("nan"), "loss": 1.0})), CALL, 0)
    assert reply.score is not None
    assert reply.score.failure == "its accuracy is not a number"


def test_what_stands_for_the_accuracy_of_a_failure_is_no_result() -> None:
    reply = answer(Returns(Score(1, {"accuracy": -1.0, "loss": 1.0}, failure="diverged")), CALL, 0)
    assert reply.score is not None
    assert (reply.score.values, reply.score.failure) == ({}, "diverged")


def test_a_users_mistake_keeps_its_kind() -> None:
    reply = answer(Raises(ArchitectureError("odd")), pickle.dumps(call(1)), 0)
    assert isinstance(reply.mistake, ArchitectureError)
    assert reply.score is None
