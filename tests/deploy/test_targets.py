import re
from dataclasses import replace
from pathlib import Path

import pytest

from neptune_nas.deploy.targets import TARGETS, Target, find_target, larger_target, with_limits
from neptune_nas.errors import FileFormatError, OptionError

KIB = 2**10
NANO = TARGETS["nano-33-iot"]


def test_each_target_has_a_name_and_a_title_and_all_but_the_host_a_source() -> None:
    assert [target.name for target in TARGETS.values()] == [*TARGETS]
    assert len({target.title for target in TARGETS.values()} - {""}) == len(TARGETS)
    assert [target.name for target in TARGETS.values() if not target.source] == ["host"]


def test_each_microcontroller_leaves_most_of_both_memories_for_a_network() -> None:
    micro = [target for target in TARGETS.values() if target.is_micro]
    assert len(micro) == 7
    for target in micro:
        ram, flash = (limit.limit for limit in target.limits)
        assert target.ram is not None
        assert target.flash is not None
        assert target.ram / 2 <= ram <= target.ram
        assert target.flash / 2 <= flash < target.flash


def test_a_larger_computer_is_not_limited() -> None:
    assert all(target.limits == () for target in TARGETS.values() if not target.is_micro)


def test_the_firmwares_part_is_taken_off() -> None:
    assert with_limits(NANO, ()) == ("ram <= 24 KiB", "flash <= 160 KiB")
    assert with_limits(replace(NANO, reserved_ram=0), ()) == ("ram <= 32 KiB", "flash <= 160 KiB")
    odd = Target("odd", ram=100_000, flash=None)
    assert with_limits(odd, ()) == ("ram <= 83.616 kB",)


def test_a_tighter_constraint_holds_in_place_of_the_targets() -> None:
    assert with_limits(NANO, ("flops<=2M", "ram<=16KiB")) == (
        *("flops<=2M", "ram<=16KiB", "flash <= 160 KiB"),
    )
    again = with_limits(NANO, with_limits(NANO, ("ram<=16KiB",)))
    assert again == with_limits(NANO, ("ram<=16KiB",))


def test_a_looser_constraint_is_refused() -> None:
    with pytest.raises(
        OptionError, match=r"'ram <= 25 KiB' allows more .* 24 KiB: leave it out, .*`reserved_ram`"
    ):
        with_limits(NANO, ("ram<=25KiB",))


@pytest.mark.parametrize(
    ("got", "known"),
    [
        ("stm32f7", "stm32f746"),
        ("ESP32", "esp32-s3"),
        ("rasberry-pi-4", "rasp"),
        ("stm32f464", "stm32f446"),
        ("stm32f764", "stm32f746"),
        ("f764", "stm32f746"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(got: str, known: str) -> None:
    with pytest.raises(OptionError, match=f"target '{got}' is unknown: did you mean '{known}"):
        find_target(got)


def test_a_board_of_ones_own_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "my_board.toml"
    file.write_text('ram = "64KiB"\nflash = 500_000\nreserved_ram = "0.5 kb"\ntitle = "Mine"\n')
    board = find_target(file)
    assert board == Target("my_board", "Mine", 64 * KIB, 500_000, reserved_ram=500)
    assert find_target(str(file)).runtime == "tflite-micro"
    assert find_target(board) is board


def test_a_small_computer_may_have_gigabytes() -> None:
    assert with_limits(Target("pi", ram=4 * 2**30, reserved_ram=2**30), ()) == ("ram <= 3 GiB",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            f"ram = 9\nreserved_ram = {10**400}",
            "`reserved_ram` must be a whole number of at least 0",
        ),
        ("rma = 5", "`rma` is unknown: did you mean 'ram'"),
        ('ram = "5 apples"', '`ram` must be a number of bytes, or a text such as "256KiB", but'),
        ("flash = true", "`flash` must be a whole number of at least 1"),
        ("ram = 0", "`ram` must be a whole number of at least 1"),
        ('runtime = "tvm"', "`runtime` must be one of tflite-micro, litert, onnxruntime, torch"),
        ('name = ""', "`name` must be a non-empty string"),
        ('ram = "8KiB"', "8 KiB of RAM, of which the firmware needs 16 KiB: nothing is left"),
        ("ram = ", "it is not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_the_field(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "my.toml"
    file.write_text(text)
    with pytest.raises(FileFormatError, match=f"^{re.escape(str(file))}: .*{re.escape(said)}"):
        find_target(file)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(FileFormatError, match=r"nowhere/my\.toml cannot be read: No such file"):
        find_target("nowhere/my.toml")


@pytest.mark.parametrize(
    ("ram", "flash", "name"),
    [(20, 99, "nano-33-iot"), (20, 200, "stm32f446"), (260, 9, "stm32f746"), (600, 9, "")],
)
def test_the_least_board_with_enough_memory_is_found(ram: int, flash: int, name: str) -> None:
    assert larger_target([{"ram": ram * KIB, "flash": flash * KIB}]) == name


def test_a_larger_board_has_the_memory_of_one_network_not_the_least_of_several() -> None:
    little_ram, little_flash = {"ram": 20, "flash": 300}, {"ram": 60, "flash": 99}
    needed = [{name: n * KIB for name, n in each.items()} for each in (little_ram, little_flash)]
    assert larger_target(needed) == "stm32f446"
