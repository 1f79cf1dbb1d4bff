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


def test_limits_on_slow_costs_are_asked_last_and_apart() -> None:
    measured: list[Architecture] = []

    def clock(architecture: Architecture) -> float:
        measured.append(architecture)
        return 2.0

    model = CostModel(SHAPE, CLASSES)
    most = max(model.cost(architecture).flops for architecture in SPACE)
    costs = Costs(
        model,
        constraints=(parse_constraint("latency<1"), parse_constraint(f"flops<{most}")),
        clocks={"latency": clock},
        slow=frozenset({"latency"}),
    )
    fit = [architecture for architecture in SPACE if costs.fits(architecture)]
    assert (len(measured), 0 < len(fit) < SPACE.size) == (0, True)
    assert not any(map(costs.feasible, SPACE))
    assert len(measured) == len(fit)
    assert costs.obstacle(fit[0]) == "it breaks latency < 1 ms with 2"
    assert not costs.keeps_late(fit[0])


def test_a_limit_on_a_known_latency_is_one_of_many() -> None:
    costs = Costs(
        CostModel(SHAPE, CLASSES),
        constraints=(parse_constraint("latency<1"),),
        clocks={"latency": lambda _: 2.0},
    )
    assert not costs.fits(SPACE[0])
    assert costs.late == []
