from dataclasses import replace
from random import Random

import pytest

from neptune_nas.metrics.counted import Cost
from neptune_nas.metrics.score import Score
from neptune_nas.report.effects import effects_of, measure_effects
from neptune_nas.study.study import Study
from neptune_nas.study.trial import Trial
from tests.report.fixtures import plain_results, plain_trial


def known_causes(trials: int) -> Study:
    """Accuracy depends on `norm` alone, cost on `width` alone, nothing on `idle`."""
    rng = Random(0)
    return plain_results(*(caused(i, rng) for i in range(trials)))


def caused(number: int, rng: Random) -> Trial:
    norm, width = rng.choice(("batch", "layer")), rng.choice((8, 16, 32))
    accuracy = (0.9 if norm == "batch" else 0.7) + rng.uniform(-0.01, 0.01)
    return replace(
        plain_trial(number, accuracy, 1),
        values=Cost(1000 * width, 10, 10).values,
        scores=(
            Score(1, {"accuracy": accuracy, "loss": 1.0}),
            Score(9, {"accuracy": accuracy, "loss": 1.0}),
        ),
        picks={"norm": norm, "width": width, "idle": rng.choice((1, 2, 3))},
    )


def test_the_causes_are_found() -> None:
    found = measure_effects(known_causes(120))
    assert found is not None
    by_path = {importance.path: importance for importance in found.importances}
    assert by_path["norm"].score > 1
    assert by_path["width"].cost > 1
    assert abs(by_path["idle"].score) < 0.05
    assert found.importances[-1].path == "idle"
    assert found.r2_score > 0.9


def test_effects_are_differences_from_the_mean() -> None:
    batch, layer = effects_of(known_causes(120), "norm")
    assert (batch.option, layer.option) == ("batch", "layer")
    assert batch.score - layer.score == pytest.approx(0.2, abs=0.01)
    assert batch.trials + layer.trials == 120
    assert 0 < batch.error < 0.005


def test_the_effect_on_cost_is_a_ratio_to_the_geometric_mean() -> None:
    effects = {effect.option: effect.cost for effect in effects_of(known_causes(120), "width")}
    assert effects["32"] / effects["8"] == pytest.approx(4)


def test_a_few_trials_say_nothing() -> None:
    assert measure_effects(known_causes(20)) is None


def test_equal_studies_give_equal_importances() -> None:
    assert measure_effects(known_causes(60)) == measure_effects(known_causes(60))
