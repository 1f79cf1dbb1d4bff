import json
from pathlib import Path

from neptune_nas.deploy.targets import TARGETS
from tests.cli.run import assert_one_sentence, neptune


def test_the_targets_are_listed_with_what_is_left_for_networks() -> None:
    outcome = neptune("targets")
    assert outcome.code == 0
    row = next(line for line in outcome.out.splitlines() if line.startswith(" nano-33-iot"))
    assert row.split() == [
        *("nano-33-iot", "tflite-micro", "32", "KiB", "24", "KiB", "256", "KiB", "160", "KiB"),
    ]
    for target in TARGETS.values():
        assert f"{target.name}: {target.title}" in outcome.out


def test_all_targets_are_listed_as_json() -> None:
    rows = json.loads(neptune("targets", "--format", "json").out)
    assert [row["name"] for row in rows] == [*TARGETS]


def test_a_board_of_ones_own_is_shown_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('ram = "64KiB"\n')
    outcome = neptune("targets", tmp_path / "mine.toml", "--format", "json")
    assert outcome.code == 0
    (mine,) = json.loads(outcome.out)
    assert (mine["name"], mine["ram"], mine["flash"]) == ("mine", 2**16, None)
    assert mine["limits"] == {"ram": 48 * 2**10}
    assert "stm32" not in neptune("targets", tmp_path / "mine.toml").out


def test_an_unknown_format_and_a_wrong_file_are_refused(tmp_path: Path) -> None:
    assert_one_sentence(neptune("targets", "--format", "yaml"), "--format 'yaml' is unknown")
    (tmp_path / "mine.toml").write_text("rma = 3")
    refused = neptune("targets", tmp_path / "mine.toml")
    assert_one_sentence(refused, "mine.toml", "did you mean 'ram'")


def test_a_search_for_a_computer_without_limits_is_planned(tmp_path: Path) -> None:
    asked = ("search", "--space", "tiny", "--target", "raspberry-pi-4", "--out", tmp_path)
    outcome = neptune(*asked, "--dry-run", "--device", "cpu")
    assert outcome.code == 0
    said = " ".join(outcome.out.split() + outcome.err.split())
    assert "Target raspberry-pi-4: Raspberry Pi 4 Model B" in said
    assert "Left out, since litert has no int8 kernel for them: Attention, norm lrn." in said
    assert "objectives accuracy, latency" in said


def test_an_unknown_target_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    refused = neptune("search", "--target", "stm32f7", "--out", tmp_path)
    assert_one_sentence(refused, "target 'stm32f7' is unknown", "did you mean 'stm32f746'")
    assert [*tmp_path.iterdir()] == []
