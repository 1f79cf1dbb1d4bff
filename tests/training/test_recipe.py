import json
from dataclasses import asdict
from math import ceil, log2
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neptune_nas.errors import OptionError
from neptune_nas.training.recipe import Recipe, default_recipe, default_rungs, strong_recipe

images = st.integers(1, 2_000_000)
classes = st.integers(1, 10_000)


@given(images)
def test_every_default_recipe_survives_json_and_holds_no_none(images: int) -> None:
    recipe = default_recipe(images)
    assert Recipe(**json.loads(json.dumps(asdict(recipe)))) == recipe
    assert None not in asdict(recipe).values()  # which TOML cannot write


@given(images)
def test_an_epoch_has_ten_steps_unless_its_batches_are_the_smallest(images: int) -> None:
    size = default_recipe(images).batch_size
    assert size in {16, 32, 64, 128}
    assert size == 16 or images // size >= 10
    assert size == 128 or images // (2 * size) < 10


@given(images, classes)
def test_the_last_rung_has_the_steps_that_the_classes_need_in_1_to_60_epochs(
    images: int, classes: int
) -> None:
    size = default_recipe(images).batch_size
    rungs = default_rungs(images, classes, size)
    assert list(rungs) == sorted({*rungs})
    assert 1 <= rungs[0] <= rungs[-1] <= 60
    steps, wanted = rungs[-1] * ceil(images / size), 400 * log2(max(classes, 2))
    assert steps >= wanted or rungs[-1] == 60
    assert (rungs[-1] - 1) * ceil(images / size) < wanted


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (
            "optimizer",
            "adamx",
            "`optimizer` must be one of adamw, adam, sgd, muon, but got 'adamx'",
        ),
        ("schedule", "step", "must be one of one-cycle, cosine, plateau, constant"),
        ("precision", "fp16", "must be one of auto, fp32, bf16"),
        ("lr", 0, "`lr` must be a number"),
        ("lr", float("nan"), "`lr` must be a number"),
        ("lr", "0.1", "`lr` must be a number"),
        ("weight_decay", -0.1, "`weight_decay` must be a number"),
        ("warmup", 1.0, "`warmup` must be a number"),
        ("label_smoothing", True, "`label_smoothing` must be a number"),
        ("clip_norm", -1, "`clip_norm` must be a number"),
        ("batch_size", 1, "`batch_size` must be a whole number of at least 2, but got 1"),
        ("batch_size", 8.0, "`batch_size` must be a whole number of at least 2"),
        ("policy", "auto", "`policy` must be one of none, trivial, rand, but got 'auto'"),
        ("mixup", -0.1, "`mixup` must be a number"),
        ("cutmix", 11, "`cutmix` must be a number"),
        ("cutout", -1, "`cutout` must be a whole number of at least 0"),
        ("crop", -1, "`crop` must be a whole number of at least 0"),
        ("flip", "yes", "`flip` must be true or false or 'auto', but got 'yes'"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(field: str, value: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Recipe(**{field: value})


def test_images_with_masks_come_in_the_smallest_batches() -> None:
    found = {default_recipe(each, is_dense=True) for each in (10, 600, 50_000)}
    assert found == {strong_recipe(Recipe(batch_size=16))}
