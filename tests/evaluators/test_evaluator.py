"""What an evaluator says of itself and prepares, which is a user's code."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from neptune_nas.errors import OptionError, OwnCodeError
from neptune_nas.evaluators.evaluator import Traits, prepare_evaluator, traits_of
from neptune_nas.metrics.score import Score


@dataclass(frozen=True)
class Own:
    """An evaluator whose traits, and what it prepares, may be anything."""

    traits: Any = None
    prepared: Any = None

    def __call__(self, architecture: Any, fidelity: int, seed: int) -> Score:  # noqa: ARG002  # the protocol's
        return Score(fidelity, {"accuracy": 0.5})

    def prepare(self, folder: Path) -> Any:  # noqa: ARG002  # the protocol's
        if isinstance(self.prepared, BaseException):
            raise self.prepared
        return self.prepared


@pytest.mark.parametrize("traits", [{"unit": "epoch"}, Traits, "accuracy", 3])
def test_traits_of_another_type_are_refused(traits: object) -> None:
    with pytest.raises(OptionError, match=r"`Own\.traits` must be a Traits, but got"):
        traits_of(Own(traits))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"metrics": ("accuracy",)}, "`metrics` must be a tuple of Metrics, but got"),
        ({"name": 5}, "`name` must be a string, but got 5"),
        ({"trains": "yes"}, "`trains` must be true or false, but got 'yes'"),
    ],
)
def test_traits_of_the_wrong_kind_are_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        Traits(**changes)


@pytest.mark.parametrize(
    ("prepared", "says"),
    [
        (None, r"`Own\.prepare` must return an evaluator, such as `self`, but returned None"),
        (SystemExit("no GPU here"), r"`Own\.prepare` failed .*: SystemExit: no GPU here"),
        (ZeroDivisionError("no images"), r"`Own\.prepare` failed .*ZeroDivisionError: no images"),
        (ValueError("y" * 10**6), r"`Own\.prepare` failed .*ValueError: y+\.\.\.y+$"),
    ],
)
def test_what_fails_to_prepare_is_said(prepared: object, says: str, tmp_path: Path) -> None:
    with pytest.raises(OwnCodeError, match=says) as caught:
        prepare_evaluator(Own(prepared=prepared), tmp_path)
    assert len(str(caught.value)) < 500
