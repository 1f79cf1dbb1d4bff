import json
from dataclasses import asdict
from typing import Any

import pytest

from neptune_nas.data.names import DATA_SETS
from neptune_nas.errors import OptionError
from neptune_nas.training.recipe import Recipe, default_epochs, default_recipe


@pytest.mark.parametrize("data", [*DATA_SETS, "folder:somewhere"])
def test_every_default_recipe_survives_json(data: str) -> None:
    recipe = default_recipe(data)
    assert Recipe(**json.loads(json.dumps(asdict(recipe)))) == recipe


@pytest.mark.parametrize("data", [*DATA_SETS, "folder:somewhere"])
def test_a_recipe_holds_no_none_which_toml_cannot_write(data: str) -> None:
    assert None not in asdict(default_recipe(data)).values()


@pytest.mark.parametrize("data", [*DATA_SETS, "folder:somewhere"])
def test_a_search_scores_after_at_least_one_epoch(data: str) -> None:
    assert default_epochs(data) >= 1


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (
            "optimizer",
            "adamx",
            "`optimizer` must be one of adamw, adam, sgd, but got 'adamx'",
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
        ("cutout", -1, "`cutout` must be a whole number of at least 0"),
        ("crop", -1, "`crop` must be a whole number of at least 0"),
        ("flip", "yes", "`flip` must be true or false or 'auto', but got 'yes'"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(field: str, value: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Recipe(**{field: value})
