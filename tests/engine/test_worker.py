import pickle
import re
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from neptune_nas.architecture.records import Architecture
from neptune_nas.engine.engine import Call
from neptune_nas.engine.worker import answer, on_device
from neptune_nas.errors import ArchitectureError
from neptune_nas.metrics.score import Score
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


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (0.5, r"evaluator Returns must return a `Score`.*, but returned 0\.5"),
        (None, "but returned None: return Score"),
        (
            Score(1, {"accuracy": 95.0, "loss": 1.0}),
            r"whose `accuracy` is a share, a number in 0\.\.1, but returned 95\.0",
        ),
        (Score(1, {"accuracy": "0.5", "loss": 1.0}), "but returned '0.5'"),  # type: ignore[dict-item]  # wrong on purpose
    ],
)
def test_what_is_no_score_is_the_users_mistake(what: object, says: str) -> None:
    mistake = answer(Returns(what), CALL, 0).mistake
    assert mistake is not None
    assert re.search(says, str(mistake))


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
