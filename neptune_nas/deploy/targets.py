"""The devices that a search can aim at: one table, and a user's own in a TOML file.

A target is a set of limits and a runtime. RAM is the largest block that one array can have, since
the arena of tflite-micro is one array. What the firmware needs is taken off first: by default
16 KiB of RAM (stack, drivers, the application's variables; image and maps lie in the arena) and
96 KiB of flash. Of that, the core of the runtime takes 16 KB (TensorFlow Lite Micro's overview) and
its convolution kernels some tens of KB; the rest is for start-up code, drivers and the application.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from neptune_nas.deploy.runtime_registry import RUNTIMES
from neptune_nas.errors import FileFormatError, OptionError, one_of
from neptune_nas.files.atomic import read_file
from neptune_nas.files.documents import parse_toml
from neptune_nas.files.regular import is_file
from neptune_nas.files.rules import NOT_EMPTY, at_least, below
from neptune_nas.files.schema import check, cut, decode, fault, located
from neptune_nas.metrics.constraints import Constraint, parse_constraint
from neptune_nas.metrics.registry import FLASH, RAM, Metric

_RuntimeName = Literal["tflite-micro", "litert", "onnxruntime", "torch"]

_KIB, _MIB = 2**10, 2**20
_Size = Annotated[int, at_least(1), below(2**50)]  # bytes; a small computer has gigabytes
_Reserved = Annotated[int, at_least(0), below(2**50)]
_SIZES = (RAM.name, FLASH.name, f"reserved_{RAM}", f"reserved_{FLASH}")  # fields


@dataclass(frozen=True, slots=True)
class Target:
    """A device with its limits in bytes (None: not limited) and what runs networks on it.

    `reserved_ram`, `reserved_flash`: the part of them that the firmware needs. `source`: where the
    figures are from. Raises `OptionError` for values out of range, and where nothing is left.
    """

    name: Annotated[str, NOT_EMPTY]
    title: str = field(default="", compare=False)
    ram: _Size | None = None
    flash: _Size | None = None
    runtime: _RuntimeName = "tflite-micro"
    reserved_ram: _Reserved = 16 * _KIB
    reserved_flash: _Reserved = 96 * _KIB
    source: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        check(self)
        for metric, size, reserved in self.memories:
            if size is not None and reserved >= size:
                raise OptionError(
                    f"target '{self.name}' has {metric.text(size)} of {metric.title}, of which the "
                    f"firmware needs {metric.text(reserved)}: nothing is left for a network; set "
                    f"`reserved_{metric}`."
                )

    @property
    def limits(self) -> tuple[Constraint, ...]:
        """The constraints that stand for the target: its memory without the firmware's part."""
        return tuple(
            Constraint(metric.name, "<=", float(size - reserved))
            for metric, size, reserved in self.memories
            if size is not None
        )

    @property
    def is_micro(self) -> bool:
        """True for a microcontroller, on which networks run in int8."""
        return RUNTIMES[self.runtime].is_micro

    @property
    def is_lowered(self) -> bool:
        """True if the runtime runs only what `graphs.lowering` has a kernel for."""
        return RUNTIMES[self.runtime].is_lowered

    @property
    def memories(self) -> tuple[tuple[Metric, int | None, int], ...]:
        """Each memory by its metric, with its size and the firmware's part of it."""
        return (RAM, self.ram, self.reserved_ram), (FLASH, self.flash, self.reserved_flash)


_TABLE = (
    Target(
        "stm32f446",
        "STM32F446RE (Cortex-M4, 180 MHz)",
        ram=128 * _KIB,
        flash=512 * _KIB,
        source="ST RM0390, 2.1: SRAM1 of 112 KB and SRAM2 of 16 KB are one block; ST DS10693",
    ),
    Target(
        "stm32f746",
        "STM32F746NG (Cortex-M7, 216 MHz)",
        ram=320 * _KIB,
        flash=1 * _MIB,
        source="ST RM0385, 2.1: DTCM of 64 KB, SRAM1 of 240 KB and SRAM2 of 16 KB are one block, "
        "without ITCM; flash of 1 MB",
    ),
    Target(
        "stm32h743",
        "STM32H743ZI (Cortex-M7, 480 MHz)",
        ram=512 * _KIB,
        flash=2 * _MIB,
        reserved_ram=0,
        source="STM32CubeMX's linker script: AXI SRAM (RAM_D1) of 512 KB, the largest block of "
        "1 MB; the firmware fits in DTCM of 128 KB and the others; ST DS12110",
    ),
    Target(
        "nrf52840",
        "nRF52840 (Cortex-M4, 64 MHz)",
        ram=256 * _KIB,
        flash=1 * _MIB,
        reserved_ram=32 * _KIB,
        reserved_flash=256 * _KIB,
        source="Nordic nRF52840 PS, Memory; reserved: with the Bluetooth stack S140, whose RAM "
        "depends on its connections (Nordic S140 SDS, Memory resource requirements)",
    ),
    Target(
        "rp2040",
        "Raspberry Pi Pico (RP2040, Cortex-M0+, 133 MHz)",
        ram=264 * _KIB,
        flash=2 * _MIB,
        source="RP2040 datasheet, 2.6.2: six banks are one block of 264 KB, of which the SDK "
        "keeps 8 KB for stacks; Pico product brief: 2 MB of flash on the board",
    ),
    Target(
        "esp32-s3",
        "ESP32-S3-WROOM-1-N8 (Xtensa LX7, 240 MHz)",
        ram=416 * _KIB,
        flash=8 * _MIB,
        reserved_ram=160 * _KIB,
        reserved_flash=1 * _MIB,
        source="ESP-IDF's linker script for ESP32-S3: of 512 KB, 32 KB are for code and 64 KB for "
        "the data cache; 334 KB of the rest are for static data and code in RAM; reserved: that "
        "code and ESP-IDF without radio; WROOM-1 datasheet: N8 has 8 MB of flash and no PSRAM",
    ),
    Target(
        "nano-33-iot",
        "Arduino Nano 33 IoT (SAMD21G18, Cortex-M0+, 48 MHz)",
        ram=32 * _KIB,
        flash=256 * _KIB,
        reserved_ram=8 * _KIB,
        source="Microchip DS40001882: SAMD21G18; one of Arduino's pages states the memory of "
        "another board",
    ),
    Target(
        "raspberry-pi-4",
        "Raspberry Pi 4 Model B (Cortex-A72, 1.5 GHz)",
        runtime="litert",
        source="Raspberry Pi 4 Model B product brief: 1 GB of RAM or more, a memory card for files",
    ),
    Target(
        "raspberry-pi-5",
        "Raspberry Pi 5 (Cortex-A76, 2.4 GHz)",
        runtime="litert",
        source="Raspberry Pi 5 product brief: 1 GB of RAM or more, a memory card for files",
    ),
    Target("host", "this machine", runtime="onnxruntime"),
)

TARGETS: Mapping[str, Target] = {target.name: target for target in _TABLE}


def find_target(where: "str | Path | Target") -> Target:
    """Return the target with that name in the table, or in the TOML file of a user's own board.

    A size in a file is a number of bytes, or a text such as "256KiB". Raises `OptionError` for an
    unknown name, and `FileFormatError` for a file that is missing or wrong.
    """
    if isinstance(where, Target):
        return where
    path, name = Path(where), str(where)
    if name in TARGETS:
        return TARGETS[name]
    if path.suffix == ".toml" or is_file(path):
        return _read_target(path)
    raise OptionError(
        f"target {cut(name)} is unknown: {one_of(TARGETS, name)} A file of your own board, such "
        f"as my_board.toml, works too."
    )


def _read_target(path: Path) -> Target:
    """Return the target in a file; its name is that of the file, if the file has none."""
    text = read_file(path)
    with located(path):
        content = {"name": path.stem, **parse_toml(text)}
        return decode(Target, {n: _bytes(n, v) if n in _SIZES else v for n, v in content.items()})


def _bytes(name: str, value: object) -> object:
    """Return the bytes that a text such as "256KiB" stands for; other values as they are."""
    if not isinstance(value, str):
        return value
    try:
        return round(parse_constraint(f"{RAM.name}<={value}").limit)
    except OptionError as error:
        words = 'a number of bytes, or a text such as "256KiB"'
        raise FileFormatError(fault(name, words, value)) from error


def target_text(target: Target) -> str:
    """Return a target with its memory and runtime in words.

    >>> target_text(TARGETS["stm32h743"])
    'stm32h743: STM32H743ZI (Cortex-M7, 480 MHz), 512 KiB of RAM, 2 MiB of flash, tflite-micro'
    """
    memories = [f"{metric.text(n)} of {metric.title}" for metric, n, _ in target.memories if n]
    return f"{target.name}: {', '.join(filter(None, (target.title, *memories, target.runtime)))}"


def larger_target(needed: Collection[Mapping[str, float]]) -> str:
    """Return the microcontroller with the least RAM that fits any of some networks; "" for none.

    `needed`: the RAM and flash of each network.
    """
    fitting = [
        target
        for target in TARGETS.values()
        if target.is_micro
        and any(all(limit.holds(each[limit.name]) for limit in target.limits) for each in needed)
    ]
    return min(fitting, key=lambda target: target.limits[0].limit).name if fitting else ""


def with_limits(target: Target, constraints: Sequence[str]) -> tuple[str, ...]:
    """Return constraints with those of a target, unless the user's own are tighter.

    Raises `OptionError` for one on the same memory that is looser: the target has no more.
    """
    asked = [*map(parse_constraint, constraints)]
    missing: list[str] = []
    for limit in target.limits:
        own = [each for each in asked if each.name == limit.name]
        if own and (least := min(own, key=lambda each: each.limit)).limit > limit.limit:
            raise OptionError(
                f"constraint '{least}' allows more than target '{target.name}' leaves for a "
                f"network, {limit.metric.text(limit.limit)}: leave it out, or describe the board "
                f"in a file with another `reserved_{limit.name}`."
            )
        if not own:
            missing.append(str(limit).replace(",", ""))
    return (*constraints, *missing)
