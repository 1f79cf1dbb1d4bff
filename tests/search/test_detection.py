"""Searches for networks that say what is where."""

from pathlib import Path
from typing import Any

import pytest

from neptune_nas import Architecture, DecoderHead, Head, Space, Stage, choice
from neptune_nas.data.names import BOXES, SCENES
from neptune_nas.errors import NeptuneError, OptionError, OwnCodeError, StudyError
from neptune_nas.metrics.constraints import parse_constraint
from neptune_nas.search.config import Search
from neptune_nas.search.defaults import sized_data
from neptune_nas.search.task import task_for, usual_data, usual_space
from neptune_nas.tasks.registry import find_task
from neptune_nas.trust.evidence import add_evidence
from neptune_nas.trust.references import run_references
from tests.data.folders import write_boxed
from tests.tasks.dense import FLAT, POINTS, SPACE


def asked(out: Path, **changes: Any) -> Search:
    given: dict[str, Any] = {
        "space": POINTS,
        "data": f"{BOXES}#40",
        "trials": 3,
        "rungs": (1,),
        "jobs": 1,
        "out": out,
        **changes,
    }
    return Search(**given)


def test_the_task_alone_chooses_data_and_space() -> None:
    assert usual_data("detection") == "digits-boxes"
    assert usual_space(find_task("detection")) == "digits-boxes"


@pytest.mark.parametrize("given", [{"data": None, "task": "detection"}, {"data": BOXES}])
def test_what_is_measured_follows_from_the_task(tmp_path: Path, given: dict[str, Any]) -> None:
    question = asked(tmp_path, **given).question
    assert question.data == BOXES
    assert question.objectives == ("map50", "flops")
    assert (question.recipe["batch_size"], question.recipe["optimizer"]) == (16, "muon")
    assert [each.name for each in question.scored] == ["map50", "map", "loss"]


def test_a_folder_with_boxes_is_for_detection(tmp_path: Path) -> None:
    write_boxed(tmp_path)
    assert task_for(None, f"folder:{tmp_path}@16x8#4").name == "detection"


@pytest.mark.parametrize(
    ("task", "data"), [("detection", SCENES), ("segmentation", BOXES), ("detection", "digits")]
)
def test_data_for_another_task_are_refused(task: str, data: str) -> None:
    with pytest.raises(OptionError, match=rf"\(--task\) is {task}, but data '{data}' is for"):
        Search(space="tiny", data=data, task=task)


def test_large_images_with_boxes_keep_their_shape(tmp_path: Path) -> None:
    write_boxed(tmp_path, (640, 480))
    name, why = sized_data(f"folder:{tmp_path}", [])
    assert name == f"folder:{tmp_path}@128x96"
    assert "Pictures: scaled to 128x96 pixels without a limit on FLOPs" in why
    limited, _ = sized_data(f"folder:{tmp_path}", [parse_constraint("flops<=2M")])
    assert limited == f"folder:{tmp_path}@48x32"


def test_a_search_scores_networks_by_their_average_precision(tmp_path: Path) -> None:
    search = asked(tmp_path)
    study = add_evidence(search, search.run())
    assert len(study.trials) == 3
    for trial in study.trials:
        for score in trial.scores:
            assert tuple(score.values) == ("map50", "map", "loss")
    assert "mAP50" in (study.folder / "report.html").read_text()


def test_plain_detectors_within_the_limit_are_trained_for_comparison(tmp_path: Path) -> None:
    search = asked(tmp_path, trials=1, constraints=("flops<=3M",))
    study = add_evidence(search, search.run())
    assert {each.name for each in study.references} <= {"fcos-1", "fcos-2", "fcos-3"}
    assert [len(each.seed_scores) for each in study.references] == [3] * len(study.references)
    assert study.references


def test_a_network_of_one_answer_an_image_is_refused(tmp_path: Path) -> None:
    message = r"`Flat` must build a network that gives outputs \(N, any, 16\) .* gave \(10,\)"
    with pytest.raises(OwnCodeError, match=message):
        asked(tmp_path, space=FLAT).run()


def test_a_network_of_an_answer_a_pixel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NeptuneError, match=r"`Dense` must build .* gives outputs \(N, any, 16\)"):
        asked(tmp_path, space=SPACE).run()


@pytest.mark.parametrize("head", [Head(), choice(Head(), DecoderHead(4, skips=1))], ids=str)
def test_a_space_whose_head_is_for_another_task_is_refused(tmp_path: Path, head: Any) -> None:
    stage = Stage(8, stride=2, pool="none", norm="batch")
    other = Space("other", Architecture(stages=(stage,), head=head))
    with pytest.raises(OptionError, match=r"head is for .*, but data 'digits-boxes"):
        asked(tmp_path, space=other).run()


@pytest.mark.parametrize("name", ["resnet8", "unet-4", "lraspp_mobilenet_v3_small"])
def test_hand_designed_networks_for_another_task_are_refused(tmp_path: Path, name: str) -> None:
    search = asked(tmp_path, trials=1)
    search.run()
    with pytest.raises(StudyError, match=f"is for detection, but {name} is for"):
        run_references(search, [name])


def test_a_zero_cost_proxy_may_come_first(tmp_path: Path) -> None:
    study = asked(tmp_path, rungs=(0, 1), proxy="grad-norm").run()
    assert all(trial.scores for trial in study.trials)


def test_a_board_that_runs_int8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="in int8, in which mAP50 cannot be measured yet: leave"):
        _ = asked(tmp_path, target="stm32f746").question
