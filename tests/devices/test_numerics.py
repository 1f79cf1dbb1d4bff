from typing import Any

import pytest

from neptune_nas.devices.numerics import Numerics
from neptune_nas.errors import OptionError


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("precision", "fp16", "`precision` must be one of auto, fp32, bf16, but got 'fp16'"),
        ("layout", "nchw", "`layout` must be one of channels_last, contiguous, but got 'nchw'"),
    ],
)
def test_an_unknown_precision_or_layout_is_refused(field: str, value: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Numerics(**{field: value})


def test_it_reads_as_two_words() -> None:
    assert str(Numerics("bf16")) == "bf16, channels last"
