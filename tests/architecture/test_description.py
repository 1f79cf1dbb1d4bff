from dataclasses import dataclass

import pytest

from neptune_nas.architecture.description import caption, describe, short_name
from neptune_nas.architecture.fields import UnknownRecord
from neptune_nas.architecture.records import (
    Architecture,
    Attention,
    Conv,
    FeedForward,
    Identity,
    InvertedResidual,
    Stage,
)
from neptune_nas.text import duration, short


@dataclass(frozen=True)
class Own:
    """A user's SubStage."""

    ratio: int = 4
    act: str = "relu"


@dataclass(frozen=True)
class Bare:
    """One without fields."""


def test_each_stage_is_described_by_what_is_not_plain() -> None:
    stage = Stage(
        32, entry=Conv(5), stride=2, pool="none", norm="mln", connections="dense",
        substages=(Conv(3, groups=2), Attention(4, window=7)),
    )  # fmt: skip
    assert describe(Architecture(stages=(stage,))) == (
        "16 | 32 conv5 entry /2 mln dense: g2conv3 attn4w7"
    )


@pytest.mark.parametrize(
    ("substage", "word", "name"),
    [
        (Conv(3), "conv3", "conv 3x3"),
        (Conv(5, "depthwise"), "dw5", "depthwise 5x5"),
        (InvertedResidual(3, 6), "mb3x6", "inverted residual 3x3, expansion 6"),
        (
            InvertedResidual(3, 6, 4),
            "mb3x6se4",
            "inverted residual 3x3, expansion 6, squeeze 4",
        ),
        (Attention(2, stride=2), "attn2/2", "attention, 2 heads, stride 2"),
        (FeedForward(4), "ffn4", "feed-forward, expansion 4"),
        (Identity(), "id", "identity"),
        (Own(), "Own(ratio=4,act=relu)", "Own, ratio 4, act relu"),
        (Own(2), "Own(ratio=2)", "Own, ratio 2, act relu"),
        (Bare(), "Bare", "Bare"),
    ],
)
def test_every_substage_has_a_word_and_a_name(substage: object, word: str, name: str) -> None:
    assert (short_name(substage), caption(substage)) == (word, name)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (1_000, "1k"), (999_999, "1M"), (2.5e9, "2.5G"), (1.234e13, "12.3T")],
)
def test_counts_have_three_digits_and_a_unit(number: float, text: str) -> None:
    assert short(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (61, "1 min 1 s"), (7_260, "2 h 1 min"), (90_000, "1 d 1 h")],
)
def test_durations_have_their_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_record_of_unknown_class_is_described_by_all_of_its_fields() -> None:
    part = UnknownRecord("shop:Outer.Scale", (("size", 3), ("name", "x")))
    assert short_name(part) == "Scale(size=3,name=x)"
    assert caption(part) == "Scale, size 3, name x"
    assert describe(part) == "Outer.Scale(size=3, name='x')"
    assert short_name(UnknownRecord("shop:Bare", ())) == caption(UnknownRecord("shop:Bare", ()))
