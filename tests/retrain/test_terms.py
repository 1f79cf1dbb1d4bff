from dataclasses import replace
from typing import Any

import pytest

from neptune_nas.devices.numerics import Numerics
from neptune_nas.errors import FileFormatError, StudyError
from neptune_nas.files.schema import decode, encode
from neptune_nas.retrain.terms import Terms, differences, refuse_others

TERMS = Terms(
    "resnet8",
    "digits",
    "0123456789abcdef",
    20,
    {"lr": 0.01, "crop": 2},
    ("0", "1"),
    Numerics("fp32"),
    weights={"a.pth": "00"},
)


def test_terms_are_read_from_json_as_they_were() -> None:
    assert decode(Terms, encode(TERMS)) == TERMS


def test_a_term_that_breaks_its_rule_is_named() -> None:
    with pytest.raises(FileFormatError, match=r"`terms\.epochs` must be a whole number"):
        decode(Terms, {**encode(TERMS), "epochs": 0}, "terms")


def test_the_same_images_by_another_name_are_the_same() -> None:
    assert [*differences(TERMS, replace(TERMS, data="folder:elsewhere"))] == []


def test_a_precision_and_layout_are_read_back_and_are_no_difference() -> None:
    measured = replace(TERMS, numerics=Numerics("bf16", "contiguous"))
    assert decode(Terms, encode(measured)) == measured
    assert [*differences(TERMS, measured)] == []


@pytest.mark.parametrize("odd", [{"precision": "fp16"}, {"width": 3}])
def test_numerics_that_are_none_are_refused(odd: dict[str, Any]) -> None:
    with pytest.raises(
        FileFormatError,
        match=r"`terms\.numerics\.(precision` must be one of|width` is unknown)",
    ):
        decode(Terms, {**encode(TERMS), "numerics": odd}, "terms")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": "resnet20"}, "network resnet8, but now it is resnet20"),
        ({"data_fingerprint": "ffff"}, r"data digits \(0123456789abcdef\), but now .* \(ffff\)"),
        ({"epochs": 30}, "epochs 20, but now it is 30"),
        ({"classes": ("a", "b")}, "classes 0, 1, but now it is a, b"),
        ({"recipe": {"lr": 0.01, "crop": 1}}, "the recipe's crop 2, but now it is 1"),
        ({"recipe": {"lr": 0.02, "crop": 2}}, "the recipe's lr 0.01, but now it is 0.02"),
        ({"weights": {"a.pth": "ff"}}, r"weights in a\.pth of SHA-256 00, but now it is ff"),
        ({"epochs": 30, "recipe": {}}, "epochs 20, but now it is 30"),
    ],
)
def test_other_terms_are_refused_by_the_first_difference(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(StudyError, match=f"^x was started with {message}: choose another"):
        refuse_others("x was started", TERMS, replace(TERMS, **change))
