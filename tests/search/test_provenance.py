from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from neptune_nas.search.costs import Costs

import neptune_nas
from neptune_nas.architecture.records import Architecture, Stage
from neptune_nas.errors import OptionError, StudyError
from neptune_nas.metrics.constraints import parse_constraint
from neptune_nas.metrics.counted import CostModel
from neptune_nas.metrics.registry import Metric, metric
from neptune_nas.search.provenance import Asked, begin, settle_settings, versions
from neptune_nas.search.reference_point import costliest, reference_point
from neptune_nas.space import Space, choice
from neptune_nas.study.folder import Folder
from tests.study.builders import CLASSES, GUESS, SHAPE, SPACE, question, settings

BEGUN = settings(question())


def asked(**changes: Any) -> Asked:
    return replace(Asked("few-digits", 10, question()), **changes)


def test_a_new_study_takes_what_is_asked(tmp_path: Path) -> None:
    assert settle_settings(Folder(tmp_path / "new"), asked(), BEGUN.facts) == BEGUN


def test_an_old_study_goes_on_with_more_trials(tmp_path: Path) -> None:
    begin(Folder(tmp_path), BEGUN)
    settled = settle_settings(Folder(tmp_path), asked(trials=99), BEGUN.facts)
    assert settled == replace(BEGUN, trials=99)


def test_a_study_in_a_renamed_folder_keeps_its_name(tmp_path: Path) -> None:
    begin(Folder(tmp_path), BEGUN)
    settled = settle_settings(Folder(tmp_path), asked(name=tmp_path.name), BEGUN.facts)
    assert settled.name == "few-digits"


@pytest.mark.parametrize("storage", ["", "mysql://ann:***@db/studies"])
def test_a_storage_that_is_not_named_again_is_agreed(tmp_path: Path, storage: str) -> None:
    begun = replace(BEGUN, storage="mysql://ann:***@db/studies")
    begin(Folder(tmp_path), begun)
    assert settle_settings(Folder(tmp_path), asked(storage=storage), BEGUN.facts) == begun


def test_another_storage_is_a_contradiction(tmp_path: Path) -> None:
    begin(Folder(tmp_path), replace(BEGUN, storage="mysql://ann:***@db/studies"))
    with pytest.raises(StudyError, match=r"storage 'mysql.*, but now it is 'sqlite"):
        settle_settings(Folder(tmp_path), asked(storage="sqlite:///other.db"), BEGUN.facts)


@pytest.mark.parametrize(
    ("changed", "facts", "message"),
    [
        ({"question": question(seed=3)}, {}, "begun with seed 0, but now it is 3"),
        ({"question": question(rungs=(1, 3))}, {}, "rungs 1, but now it is 1,3: give"),
        (
            {"question": question(constraints=("flops<=9M",))},
            {},
            "s none, but now it is flops<=9M:",
        ),
        ({}, {"input_shape": (3, 8, 8)}, "input shape 1,8,8, but now it is 3,8,8:"),
        ({}, {"data_fingerprint": "ffff"}, "data fingerprint"),
        ({}, {"outline": {"stages": "4 of"}}, "of the space as"),
        ({"storage": "sqlite:///other.db"}, {}, "storage 'study.db', but now it is 'sqlite:///oth"),
    ],
)
def test_a_contradiction_is_named(
    tmp_path: Path, changed: dict[str, Any], facts: dict[str, Any], message: str
) -> None:
    begin(Folder(tmp_path), BEGUN)
    with pytest.raises(StudyError, match=message):
        settle_settings(Folder(tmp_path), asked(**changed), replace(BEGUN.facts, **facts))


def test_a_study_keeps_the_precision_and_layout_that_it_began_with(tmp_path: Path) -> None:
    begun = replace(BEGUN, facts=replace(BEGUN.facts, numerics=Numerics("bf16")))
    begin(Folder(tmp_path), begun)
    assert settle_settings(Folder(tmp_path), asked(), begun.facts) == begun
    other = replace(BEGUN.facts, numerics=Numerics("fp32"))
    with pytest.raises(StudyError, match="begun with precision and layout 'bf16, channels last'"):
        settle_settings(Folder(tmp_path), asked(), other)


OURS, TABLES = {"latency": "processor time of one thread"}, {"latency": "as the table says"}


@pytest.mark.parametrize(
    ("begun", "now", "said"),
    [
        ({}, OURS, "begun with latency 'not timed', but now it is 'processor time of one thr"),
        (OURS, TABLES, "begun with latency 'processor time of one thread', but now it is 'as"),
    ],
)
def test_a_study_does_not_go_on_with_latencies_of_another_kind(
    tmp_path: Path, begun: dict[str, str], now: dict[str, str], said: str
) -> None:
    timed = question(objectives=("accuracy", "latency"))
    facts = replace(BEGUN.facts, timed=begun)
    begin(Folder(tmp_path), replace(BEGUN, question=timed, facts=facts))
    with pytest.raises(StudyError, match=said):
        settle_settings(Folder(tmp_path), asked(question=timed), replace(facts, timed=now))
    settled = settle_settings(Folder(tmp_path), asked(question=timed), facts)
    assert settled.timed_as(metric("latency")) == begun.get("latency", "")


def test_a_study_without_latencies_has_no_kind_of_them() -> None:
    assert BEGUN.timed_as(metric("latency")) == ""


def test_versions_name_what_scores_depend_on() -> None:
    found = versions()
    assert set(found) == {"python", "neptune-nas", "torch", "optuna", "numpy"}
    assert found["neptune-nas"] == neptune_nas.__version__


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


def test_what_guessing_scores_must_be_known_of_a_score_of_which_less_is_better() -> None:
    f1, error = (
        Metric("f1", "F1", "share", "more", "scored"),
        Metric("rmse", "RMSE", source="scored"),
    )
    costs = Costs(CostModel(SHAPE, CLASSES))
    about = question(objectives=("f1", "rmse"), scored=(f1, error))
    with pytest.raises(OptionError, match="objective 'rmse' is better when it is less, but noth"):
        reference_point(SPACE, about, costs.value, GUESS)
    assert reference_point(SPACE, about, costs.value, {"rmse": 3.0}) == (0.0, 3.0)


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
