from dataclasses import replace

import pytest

from neptune_nas.data.load import load_once
from neptune_nas.metrics.score import Score
from neptune_nas.retrain.advice import chance_warning, recipe_note, short_note
from neptune_nas.retrain.metrics import Metrics, SeedMetrics
from neptune_nas.training.recipe import Recipe
from tests.retrain.builders import NETWORK
from tests.retrain.test_terms import TERMS

SEARCHED = replace(
    NETWORK, scores=(Score(9, {"accuracy": 0.9, "loss": 0.3}),), provenance={"unit": "epoch"}
)


@pytest.mark.parametrize(("epochs", "count"), [(1, 1), (8, 1), (9, 0), (60, 0)])
def test_fewer_epochs_than_in_the_search_are_told(epochs: int, count: int) -> None:
    notes = [*short_note(SEARCHED, epochs)]
    assert len(notes) == count
    for note in notes:
        assert "fewer than the 9 that this network had in its search" in note
        assert "(--epochs)" in note


def test_what_was_not_searched_for_epochs_has_no_such_note() -> None:
    steps = replace(SEARCHED, provenance={"unit": "step"})
    for source in ("resnet8", NETWORK, steps, replace(SEARCHED, provenance={})):
        assert [*short_note(source, 1)] == []


@pytest.mark.parametrize(("accuracies", "count"), [((0.1, 0.1), 1), ((0.1, 0.3), 0), ((0.9,), 0)])
def test_a_training_that_ends_at_chance_says_so(accuracies: tuple[float, ...], count: int) -> None:
    seeds = (
        SeedMetrics(
            i, 1, "raw", {"accuracy": a}, {"accuracy": 0.9}, 1.0, "2026", "cpu", "a CPU", {}
        )
        for i, a in enumerate(accuracies)
    )
    metrics = Metrics(TERMS, {}, tuple(seeds))
    warnings = [*chance_warning(metrics, load_once("digits#60", None, 0))]
    assert len(warnings) == count
    for warning in warnings:
        assert "validation accuracy is 0.1000, chance is 0.1" in warning
        assert "train longer, with more `epochs` (--epochs)" in warning


def test_a_recipe_that_has_no_name_is_the_users_own() -> None:
    said = recipe_note(Recipe(optimizer="sgd", lr=0.1, batch_size=64))
    assert said == (
        "Training uses a recipe of your own: sgd, learning rate 0.1, batches of 64 images."
    )
