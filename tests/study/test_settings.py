"""What tells one study from another of the same name."""

from dataclasses import asdict, replace
from typing import Any

import pytest

from neptune_nas.devices.numerics import Numerics
from neptune_nas.study.settings import question_differences
from neptune_nas.training.recipe import Recipe
from tests.study.builders import question, settings

IDENTITY = "4784e12e80680df3078973f1dc8cfa581c9f72e2fcf6a337cfec3036429d51be"


def test_the_identity_of_a_study_stays_the_same_from_release_to_release() -> None:
    assert settings(question()).identity == IDENTITY


def test_a_default_that_is_asked_for_is_no_other_question() -> None:
    assert settings(question(reduction=3, repeats=1)).identity == settings(question()).identity


def test_equal_reductions_are_one_question() -> None:
    one, many = (settings(question(rungs=(1, 3, 9), reduction=r)) for r in (4, (4, 4)))
    assert many == one
    assert many.identity == one.identity


def test_another_question_or_other_data_are_another_study() -> None:
    begun = settings(question())
    others = [
        settings(question(reduction=4)),
        settings(question(seed=1)),
        replace(begun, facts=replace(begun.facts, data_fingerprint="0")),
        replace(begun, facts=replace(begun.facts, space_fingerprint="0")),
    ]
    assert len({begun.identity, *(other.identity for other in others)}) == 5


def test_another_parameter_of_the_evaluator_is_another_study() -> None:
    asked = [question(evaluator="a:B", evaluator_kwargs=told) for told in (None, {}, {"n": 1})]
    assert len({settings(each).identity for each in asked}) == 3


@pytest.mark.parametrize(
    ("then", "now", "differ"),
    [
        ({"n": 1, "m": [2]}, {"n": 1, "m": [2]}, []),
        ({"n": 1}, {"n": 2}, [("`n` of the evaluator", 2, 1)]),
        ({"n": 1}, None, [("`n` of the evaluator", None, 1)]),
        ({}, {"n": 1}, [("`n` of the evaluator", 1, None)]),
        (None, {"n": 1}, []),  # an older study's, which nobody wrote down
    ],
)
def test_the_parameters_of_an_evaluator_that_differ_are_named(
    then: dict[str, Any] | None, now: dict[str, Any] | None, differ: list[object]
) -> None:
    old, new = (question(evaluator="a:B", evaluator_kwargs=told) for told in (then, now))
    assert list(question_differences(old, new)) == differ


def test_precision_and_layout_are_no_part_of_the_identity() -> None:
    begun = settings(question())
    measured = replace(begun, facts=replace(begun.facts, numerics=Numerics("bf16")))
    assert measured.identity == begun.identity


def test_the_number_of_trials_is_no_part_of_the_identity() -> None:
    assert settings(question(), trials=10).identity == settings(question(), trials=20).identity


def test_a_question_is_about_the_costs_of_its_objectives_and_constraints() -> None:
    asked = question(objectives=("accuracy", "params"), constraints=("latency<5ms", "params<1k"))
    assert asked.costs == {"params", "latency"}
    assert [limit.limit for limit in asked.limits] == [5, 1000]


def test_fidelities_are_counted_in_the_unit_of_the_evaluator() -> None:
    assert question().budget(3) == "3 epochs"
    assert question(unit="").budget(3) == "fidelity 3"


def test_a_recipe_written_before_a_field_was_added_is_the_one_with_its_default() -> None:
    now = question(recipe=asdict(Recipe(lr=0.02)))
    before = replace(now, recipe={"lr": 0.02, "optimizer": "adamw"})
    assert [*question_differences(before, now)] == []
    other = replace(now, recipe=asdict(Recipe(lr=0.02, mixup=0.2)))
    assert [name for name, *_ in question_differences(before, other)] == ["recipe"]
