from typing import Any

import pytest

from neptune_nas.devices.mode import KINDS, Mode, Modes, same_for_all
from neptune_nas.errors import OptionError


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("precision", "fp16", "`Mode.precision` must be one of auto, fp32, bf16, but got 'fp16'"),
        ("layout", "nchw", "`Mode.layout` must be one of channels_last, contiguous"),
    ],
)
def test_an_unknown_precision_or_layout_is_refused(field: str, value: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Mode(**{field: value})


def test_each_kind_has_its_mode() -> None:
    modes = Modes(Mode("fp32"), Mode("bf16"), Mode("bf16", "contiguous"))
    assert [modes.of(kind) for kind in KINDS] == [modes.attention, modes.depthwise, modes.dense]
    assert str(modes) == (
        "attention fp32 channels_last, depthwise bf16 channels_last, dense bf16 contiguous"
    )


def test_one_mode_can_be_that_of_all_kinds() -> None:
    assert {same_for_all(Mode("bf16")).of(kind) for kind in KINDS} == {Mode("bf16")}
