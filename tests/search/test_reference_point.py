import pytest

from neptune_nas.architecture.records import Architecture
from neptune_nas.errors import OptionError
from neptune_nas.metrics.costs import Costs
from neptune_nas.metrics.counted import CostModel
from neptune_nas.metrics.registry import Metric
from neptune_nas.search.reference_point import costliest, reference_point
from tests.study.builders import SPACE, question
from tests.study.fakes import CLASSES, GUESS, SHAPE


def test_the_costliest_of_a_small_space_is_the_largest_of_all() -> None:
    model = CostModel(SHAPE, CLASSES)
    most = max(model.cost(architecture).macs for architecture in SPACE)
    found = costliest(SPACE, lambda architecture: float(model.cost(architecture).macs))
    assert model.cost(found).macs == most


def test_the_reference_is_chance_and_the_largest_cost_or_a_limit() -> None:
    costs = Costs(CostModel(SHAPE, CLASSES))
    about = question(
        objectives=("accuracy", "loss", "flops", "params"), constraints=("params<=9k",)
    )
    corner = reference_point(SPACE, about, costs.value, GUESS)
    most = max(costs.value("flops", architecture) for architecture in SPACE)
    assert corner == (0.1, GUESS["loss"], most, 9_000)


def test_a_slow_metric_is_asked_of_the_network_with_the_most_flops_alone() -> None:
    costs, asked = Costs(CostModel(SHAPE, CLASSES)), []

    def cost_of(name: str, architecture: Architecture) -> float:
        if name == "peak_memory":
            asked.append(architecture)
            return 100.0
        return costs.value(name, architecture)

    about = question(objectives=("accuracy", "peak_memory"))
    assert reference_point(SPACE, about, cost_of, GUESS, {"peak_memory"}) == (0.1, 125.0)
    assert asked == [costliest(SPACE, lambda network: costs.value("flops", network))]


def test_what_guessing_scores_must_be_known_of_a_score_of_which_less_is_better() -> None:
    f1, error = (
        Metric("f1", "F1", "share", "more", "scored"),
        Metric("rmse", "RMSE", source="scored"),
    )
    costs = Costs(CostModel(SHAPE, CLASSES))
    about = question(objectives=("f1", "rmse"), scored=(f1, error))
    with pytest.raises(
        OptionError, match="objective 'rmse' is minimised, but its value for guessing"
    ):
        reference_point(SPACE, about, costs.value, GUESS)
    assert reference_point(SPACE, about, costs.value, {"rmse": 3.0}) == (0.0, 3.0)
