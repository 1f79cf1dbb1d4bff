from neptune_nas.architecture.records import Architecture, Stage
from neptune_nas.metrics.constraints import parse_constraint
from neptune_nas.metrics.costs import Costs
from neptune_nas.metrics.counted import CostModel
from neptune_nas.space import Space, choice
from tests.study.builders import SPACE
from tests.study.fakes import CLASSES, SHAPE


def test_costs_refuse_what_is_too_large_for_the_images() -> None:
    deep: Space[Architecture] = Space(
        "deep", Architecture(stages=(Stage(width=choice(8, 16)),) * 5)
    )
    assert not Costs(CostModel(SHAPE, CLASSES)).feasible(deep[0])


def test_costs_keep_constraints() -> None:
    model = CostModel(SHAPE, CLASSES)
    most = max(model.cost(architecture).flops for architecture in SPACE)
    costs = Costs(model, constraints=(parse_constraint(f"flops<{most}"),))
    feasible = [costs.feasible(architecture) for architecture in SPACE]
    assert 0 < sum(feasible) < len(feasible)


def test_a_latency_is_measured_once() -> None:
    measured: list[Architecture] = []

    def clock(architecture: Architecture) -> float:
        measured.append(architecture)
        return 2.0

    costs = Costs(CostModel(SHAPE, CLASSES), clocks={"latency": clock})
    assert [costs.value("latency", SPACE[0]) for _ in range(3)] == [2.0] * 3
    assert len(measured) == 1
