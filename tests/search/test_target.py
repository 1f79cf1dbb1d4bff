"""What a target sets in a search: constraints, objectives, and the part of the space that runs."""

import re
from dataclasses import replace
from html import escape
from pathlib import Path
from random import Random
from typing import Any

import pytest

from neptune_nas.architecture.records import Architecture, Attention, Conv, Stage
from neptune_nas.deploy.targets import TARGETS, Target
from neptune_nas.errors import OptionError, StudyError
from neptune_nas.metrics.counted import CostModel
from neptune_nas.metrics.registry import OBJECTIVES
from neptune_nas.search.config import Search
from neptune_nas.search.provenance import settings_for
from neptune_nas.search.resume import arguments_in, search_of
from neptune_nas.space import Space, choice, find_space
from neptune_nas.study.folder import write_settings
from neptune_nas.study.settings import Question, question_differences
from neptune_nas.training.recipe import Recipe
from tests.search.test_defaults import pictures
from tests.study import builders

NANO = TARGETS["nano-33-iot"]
SPACE = Space(
    "ours",
    Architecture(stages=(Stage(8, norm="batch", substages=(choice(Conv(), Attention(2)),)),)),
)


def test_a_target_is_the_same_as_its_constraints_and_objectives() -> None:
    asked = Search(space="tiny", target="nano-33-iot").question
    assert asked.objectives == ("int8_accuracy", "macs")
    assert asked.constraints == ("ram <= 24 KiB", "flash <= 160 KiB")
    assert asked.target == NANO
    spelt = Search(space="tiny", objectives=asked.objectives, constraints=asked.constraints)
    assert replace(asked, target=None) == spelt.question


def test_without_a_target_nothing_changes() -> None:
    assert Search().question.objectives == OBJECTIVES
    assert Search().question.target is None


def test_what_the_user_names_holds_beside_the_target() -> None:
    search = Search(target="nano-33-iot", objectives=("loss", "params"), constraints=("ram<=8KiB",))
    assert search.question.objectives == ("loss", "params")
    assert search.question.constraints == ("ram<=8KiB", "flash <= 160 KiB")
    with pytest.raises(OptionError, match="'ram <= 1 MiB' allows more than target 'nano-33-iot'"):
        Search(target="nano-33-iot", constraints=("ram<=1MiB",))


def test_the_objectives_of_a_larger_computer_are_accuracy_and_latency() -> None:
    asked = Search(space="tiny", target="raspberry-pi-5").question
    assert asked.objectives == ("accuracy", "latency")
    assert asked.constraints == ()


def test_the_reasons_say_what_a_target_stands_for_and_what_is_left_out() -> None:
    search = Search(space=SPACE, target="nano-33-iot")
    target, left_out = search.reasons
    assert target == (
        "Target nano-33-iot: Arduino Nano 33 IoT (SAMD21G18, Cortex-M0+, 48 MHz), 32 KiB of RAM, "
        "256 KiB of flash, tflite-micro; ram <= 24 KiB and flash <= 160 KiB is what the firmware "
        "leaves; "
        "objectives int8_accuracy, macs."
    )
    assert left_out == "Left out, since tflite-micro has no int8 kernel for them: Attention."
    assert [each.stages[0].substages for each in search.found_space] == [(Conv(),)]
    told, _ = replace(search, target="raspberry-pi-4", objectives=("accuracy", "latency")).reasons
    assert told.endswith(
        "litert; latency is of this machine, not of the target: `latency_on` (--latency-on), "
        "as litert+ssh://USER@HOST, measures it there."
    )


def test_the_reasons_tell_your_own_limit_from_what_the_firmware_leaves() -> None:
    search = Search(space=SPACE, target="nano-33-iot", constraints=("ram<=20 kb",))
    assert "; ram <= 24 KiB and flash <= 160 KiB is what the firmware leaves; " in search.reasons[0]
    assert "; ram <= 20 kB is asked for; " in search.reasons[0]


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        ("ssh://pi@board", "litert+ssh://pi@board"),
        ("onnxruntime+ssh://pi@board", "onnxruntime+ssh://pi@board"),
        (None, "litert"),
        ("torch", "torch"),
    ],
)
def test_a_host_without_a_runtime_is_timed_in_that_of_the_target(
    asked: str | None, place: str
) -> None:
    search = Search(space=SPACE, target="raspberry-pi-4", latency_on=asked)
    assert search.aims.latency_on == place


def test_the_reasons_name_no_place_where_a_microcontroller_cannot_be_timed() -> None:
    search = Search(space=SPACE, target="nano-33-iot", constraints=("latency<=5ms",))
    assert search.reasons[0].endswith("; latency is of this machine, not of the target.")


def test_a_target_is_a_row_a_file_or_a_record(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('ram = "64KiB"')
    by_file = Search(space="tiny", target=file).question
    assert by_file.constraints == ("ram <= 48 KiB",)
    assert by_file == Search(space="tiny", target=Target("mine", ram=2**16)).question
    with pytest.raises(OptionError, match="target 'nano-32' is unknown: did you mean 'nano-33"):
        Search(target="nano-32")


def test_a_table_has_no_target() -> None:
    with pytest.raises(OptionError, match="`target` and `table` exclude each other"):
        Search(table="some.csv", target="rp2040")


def begun(folder: Path, **changes: Any) -> tuple[Search, Any]:
    """Return a search, and the settings of a study that it has begun; nothing is measured."""
    search = Search(space="tiny", out=folder, name="s", **changes)
    settings = search.settings(builders.settings(Question("few")).facts)
    search.folder.path.mkdir()
    write_settings(search.folder, settings)
    return search, settings


def test_a_study_keeps_its_target(tmp_path: Path) -> None:
    search, settings = begun(tmp_path, target="nano-33-iot")
    assert Search(**arguments_in(search.folder.settings)).question == settings.question
    other = arguments_in(search.folder.settings, {"target": "rp2040"})
    assert Search(**other).question.constraints == ("ram <= 248 KiB", "flash <= 1952 KiB")


@pytest.mark.parametrize(
    ("changes", "now"),
    [
        ({"target": "rp2040"}, "rp2040"),
        ({}, "none"),
        ({"target": Target("nano-33-iot")}, None),
    ],
)
def test_another_target_is_refused(tmp_path: Path, changes: Any, now: str | None) -> None:
    search, settings = begun(tmp_path, target="nano-33-iot")
    other = Search(space="tiny", out=tmp_path, name="s", **changes)
    said = (
        f"with target nano-33-iot, but now it is {now}: .* use its value .--target nano-33-iot"
        if now
        else "with ram of the target 32768, but now it is None"
    )
    with pytest.raises(StudyError, match=said):
        settings_for(search.folder, replace(settings, question=other.question))


def test_a_title_and_a_source_do_not_make_another_target() -> None:
    then = Search(space="tiny", target=NANO).question
    now = Search(space="tiny", target=replace(NANO, title="Mine", source="by hand")).question
    assert [*question_differences(then, now)] == []


@pytest.mark.parametrize(
    ("side", "space"), [(16, "micro"), (32, "micro"), (63, "micro"), (64, "micro96")]
)
def test_the_space_of_a_microcontroller_suits_the_images(
    tmp_path: Path, side: int, space: str
) -> None:
    data = pictures(tmp_path / "pets", (side, side), each=2)
    search = Search(data=data, target="stm32f746", rungs=(1,), recipe=Recipe())
    assert search.space_name == "auto"
    assert search.folder.path.name == "auto-pets"
    assert search.found_space == find_space(space)
    assert search.reasons[-1].startswith(f"Space: {space}, which tflite-micro runs in int8, for")


def test_the_space_of_a_microcontroller_is_scaled_to_tiny_images() -> None:
    board = Target("tag", ram=2**14, flash=2**14, reserved_ram=0, reserved_flash=0)
    search = Search(target=board, rungs=(1,))
    *_, chosen, left_out = search.reasons
    assert re.fullmatch(
        r"Space: auto, around \d+ channels, of which about \d+% meets ram <= 16 KiB and flash "
        r"<= 16 KiB.*\.",
        chosen,
    )
    assert left_out.endswith("for them: Attention, FeedForward, norm lrn.")
    model = CostModel((1, 8, 8), 10)
    drawn = [search.found_space.sample(Random(seed)) for seed in range(20)]
    assert any(model.value("flash", each) <= 2**14 for each in drawn)


def test_a_board_whose_limits_were_tightened_is_not_named_as_the_larger_one() -> None:
    search = Search(target="nano-33-iot", space="tiny", constraints=("ram<=1KiB",))
    with pytest.raises(OptionError, match=r"none of 1,000 .* or take another space\.$"):
        search.assembly.facts()


def test_a_board_that_nothing_fits_is_refused_with_the_least_memory_and_a_larger_one() -> None:
    board = Target("tag", ram=2**10, flash=2**20, reserved_ram=0)
    with pytest.raises(
        OptionError,
        match=r"none of 1,000 .* meets ram <= 1 KiB and flash <= .*; the smallest seen on images "
        r"of 8x8 pixels: ram [\d.]+ KiB, flash [\d.]+ KiB; loosen .* another space, or take a "
        r"board with more memory, such as `target` \(--target\) nano-33-iot\.",
    ):
        Search(space="tiny", target=board).assembly.facts()


def test_a_search_keeps_to_the_targets_memory_and_says_so(tmp_path: Path) -> None:
    search = Search(
        space="tiny",
        data="digits#200",
        target="nano-33-iot",
        trials=2,
        rungs=(1,),
        jobs=1,
        threads=1,
        out=tmp_path,
    )
    study = search.run()
    for trial in study.trials:
        assert trial.values["ram"] <= 24 * 2**10
        assert trial.values["flash"] <= 160 * 2**10
        assert trial.score is not None
        assert "int8_accuracy" in trial.score.values
    facts = study.settings.facts
    assert facts.choices == search.reasons
    assert "norm lrn" not in str(facts.outline)
    assert search_of(search.folder.path).question == search.question
    text = (search.folder.path / "report.html").read_text()
    assert all(escape(sentence) in text for sentence in facts.choices)


def test_pictures_are_scaled_to_the_memory_of_the_target(tmp_path: Path) -> None:
    data = pictures(tmp_path, (200, 160), each=2)
    search = Search(data=data, target="nano-33-iot", rungs=(1,))
    assert search.question.data == f"{data}@32"
    assert "for at most 24 KiB of RAM" in search.reasons[1]
