"""Searches for networks that name the class of each pixel."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from neptune_nas import Architecture, Head, LrasppHead, Space, Stage, choice
from neptune_nas.data.names import SCENES
from neptune_nas.errors import DataError, NeptuneError, OptionError, OwnCodeError, StudyError
from neptune_nas.metrics.constraints import parse_constraint
from neptune_nas.search.config import Search
from neptune_nas.search.defaults import sized_data
from neptune_nas.search.task import task_for, usual_data, usual_space
from neptune_nas.tasks.registry import find_task
from neptune_nas.trust.evidence import add_evidence
from neptune_nas.trust.references import run_references
from tests.data.folders import write_classes, write_masked
from tests.tasks.dense import FLAT, SPACE

NAMES = [f"{i:02}" for i in range(10)]


def asked(out: Path, **changes: Any) -> Search:
    given: dict[str, Any] = {
        "space": SPACE,
        "data": f"{SCENES}#40",
        "trials": 3,
        "rungs": (1,),
        "jobs": 1,
        "out": out,
        **changes,
    }
    return Search(**given)


def test_the_task_alone_chooses_data_and_space() -> None:
    task = find_task("segmentation")
    assert (usual_data("segmentation"), usual_data(None)) == ("digits-scenes", "digits")
    assert (usual_space(task), usual_space(find_task("classification"))) == ("digits-scenes", None)


@pytest.mark.parametrize("given", [{"data": None, "task": "segmentation"}, {"data": SCENES}])
def test_what_is_measured_follows_from_the_task(tmp_path: Path, given: dict[str, Any]) -> None:
    question = asked(tmp_path, **given).question
    assert question.data == SCENES
    assert question.objectives == ("miou", "flops")
    assert question.recipe["batch_size"] == 16
    assert [each.name for each in question.scored] == ["miou", "pixel_accuracy", "loss"]


def test_a_folder_with_masks_is_for_segmentation(tmp_path: Path) -> None:
    write_masked(tmp_path / "seg", NAMES)
    write_classes(tmp_path / "cls")
    assert task_for(None, f"folder:{tmp_path / 'seg'}@16x8#4").name == "segmentation"
    assert task_for(None, f"folder:{tmp_path / 'cls'}").name == "classification"


@pytest.mark.parametrize(
    ("task", "data"), [("segmentation", "digits"), ("classification", "digits-scenes")]
)
def test_data_for_another_task_are_refused(task: str, data: str) -> None:
    with pytest.raises(OptionError, match=rf"\(--task\) is {task}, but data '{data}' is for"):
        Search(space="tiny", data=data, task=task)


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(OptionError, match="task 'segment' is unknown: did you mean 'segmentation'"):
        Search(space="tiny", task="segment")


def test_a_missing_folder_is_refused_as_such(tmp_path: Path) -> None:
    search = asked(tmp_path, data=f"folder:{tmp_path / 'none'}", task="segmentation", rungs=None)
    with pytest.raises(DataError, match="must be a folder, but does not exist"):
        _ = search.question


def test_large_images_with_masks_keep_their_shape(tmp_path: Path) -> None:
    write_masked(tmp_path, NAMES[:2], (640, 480))
    name, why = sized_data(f"folder:{tmp_path}#1", [])
    assert name == f"folder:{tmp_path}@128x96#1"
    assert "Pictures: scaled to 128x96 pixels without a limit on FLOPs" in why
    assert f"folder:{tmp_path}@256x192#1" in why
    limited, _ = sized_data(f"folder:{tmp_path}", [parse_constraint("flops<=2M")])
    assert limited == f"folder:{tmp_path}@48x32"


def test_small_images_with_masks_stay_as_they_are(tmp_path: Path) -> None:
    write_masked(tmp_path, NAMES)
    assert sized_data(f"folder:{tmp_path}", []) == (f"folder:{tmp_path}", "")
    with Image.open(tmp_path / "images" / "00.jpg") as image:
        assert image.size == (8, 6)


def test_a_search_scores_networks_by_their_miou(tmp_path: Path) -> None:
    search = asked(tmp_path)
    study = add_evidence(search, search.run())
    assert len(study.trials) == 3
    for trial in study.trials:
        for score in trial.scores:
            assert tuple(score.values) == ("miou", "pixel_accuracy", "loss")
    assert study.references == ()  # the smallest U-Net is larger than these networks
    assert "mIoU" in (study.folder / "report.html").read_text()


def test_plain_unets_within_the_limit_are_trained_for_comparison(tmp_path: Path) -> None:
    search = asked(tmp_path, trials=1, constraints=("flops<=3M",))
    study = add_evidence(search, search.run())
    assert [each.name for each in study.references] == ["unet-2", "unet-1"]
    assert [len(each.seed_scores) for each in study.references] == [3, 3]
    assert "unet-2" in (study.folder / "report.html").read_text()


def test_a_network_of_one_answer_an_image_is_refused(tmp_path: Path) -> None:
    message = r"`Flat` must build a network that gives outputs \(N, 11, 48, 48\) .* gave \(11,\)"
    with pytest.raises(OwnCodeError, match=message):
        asked(tmp_path, space=FLAT).run()


def test_a_network_of_an_answer_a_pixel_is_refused_for_classification(tmp_path: Path) -> None:
    with pytest.raises(NeptuneError, match=r"`Dense` must build .* gives outputs \(N, 10\)"):
        asked(tmp_path, data="digits").run()


def test_a_space_whose_head_is_for_classification_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="head is for classification, but data 'digits-scenes"):
        asked(tmp_path, space="tiny").run()


def test_a_space_of_mixed_heads_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    stage = Stage(8, stride=2, pool="none", norm="batch")
    mixed = Space("mixed", Architecture(stages=(stage,), head=choice(Head(), LrasppHead(4))))
    with pytest.raises(OptionError, match="head is for classification, but data 'digits-scenes"):
        asked(tmp_path, space=mixed).run()


def test_hand_designed_networks_for_another_task_are_refused(tmp_path: Path) -> None:
    search = asked(tmp_path, trials=1)
    search.run()
    with pytest.raises(StudyError, match="is for segmentation, but resnet8 is for classification"):
        run_references(search, ["resnet8"])


def test_a_zero_cost_proxy_may_come_first(tmp_path: Path) -> None:
    study = asked(tmp_path, rungs=(0, 1), proxy="grad-norm").run()
    assert all(trial.scores for trial in study.trials)


def test_a_board_is_searched_for_with_scores_in_int8(tmp_path: Path) -> None:
    search = asked(tmp_path, target="stm32f746", trials=2)
    assert search.question.objectives == ("int8_miou", "macs")
    study = search.run()
    for trial in study.trials:
        assert trial.values["ram"] <= 304 * 1024
        for score in trial.scores:
            assert tuple(score.values)[:2] == ("int8_miou", "miou")
            assert score.values["int8_miou"] == pytest.approx(score.values["miou"], abs=0.05)
    assert study.settings.facts.guess["int8_miou"] == study.settings.facts.guess["miou"]
    assert "int8 mIoU" in (study.folder / "report.html").read_text()
