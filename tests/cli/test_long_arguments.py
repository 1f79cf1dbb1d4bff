"""Arguments of thousands of characters, which no message repeats."""

import pytest

from tests.cli.run import neptune

LONG = "9" * 5000


@pytest.mark.parametrize(
    "arguments",
    [
        (LONG,),
        ("search", f"--{LONG}"),
        ("search", "--trials", f"x{LONG}"),
        ("search", "--timeout", LONG),
        ("search", "--rungs", LONG),
        ("search", "--constraint", f"flops<={LONG}"),
        ("space", LONG),
        ("space", "size", LONG),
        ("show", f"{LONG}.json"),
        ("status", LONG),
        ("profile", "best.json", "--input", f"{LONG}x3x3"),
    ],
)
def test_no_message_repeats_a_long_argument(arguments: tuple[str, ...]) -> None:
    outcome = neptune(*arguments)
    assert outcome.code == 2
    assert 0 < len(outcome.err) < 1_000
    assert "Traceback" not in outcome.err
