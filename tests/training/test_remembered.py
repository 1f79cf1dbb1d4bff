import json
from pathlib import Path

import pytest
import torch

from neptune_nas.devices.mode import KINDS, Mode, Modes, Precision, same_for_all
from neptune_nas.training import remembered as module
from neptune_nas.training.probe import VERSION
from neptune_nas.training.remembered import cache_file, cpu_name, modes_for, this_processor

FOUND = Modes(Mode("fp32"), Mode("bf16"), Mode("bf16", "contiguous"))


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[int]:
    """Grows by one with each probe that is made; the cache is empty."""
    made: list[int] = []

    def probe() -> Modes:
        made.append(1)
        return FOUND

    monkeypatch.setattr(module, "probe", probe)
    use_cache(monkeypatch, tmp_path)
    return made


def use_cache(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """As a new process that has this folder for its cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    module.modes_here.cache_clear()


def test_a_machine_is_probed_once(
    probes: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert modes_for("auto", "cpu") == FOUND
    use_cache(monkeypatch, tmp_path)
    assert modes_for("auto", "cpu") == FOUND
    assert probes == [1]


def test_what_others_found_is_remembered_too(probes: list[int]) -> None:
    file = cache_file()
    assert file is not None
    theirs = {"another processor": same_for_all(Mode("bf16"))}
    module.remember(file, theirs)
    modes_for("auto", "cpu")
    assert probes == [1]
    assert module.remembered(file) == {**theirs, this_processor(): FOUND}


@pytest.mark.parametrize("precision", ["auto", "bf16"])
def test_an_accelerator_is_left_to_the_rule(probes: list[int], precision: Precision) -> None:
    assert modes_for(precision, "cuda") == same_for_all(Mode(precision))
    assert probes == []


def test_a_recipe_that_names_its_precision_needs_no_probe(probes: list[int]) -> None:
    assert modes_for("bf16", "cpu") == same_for_all(Mode("bf16", "channels_last"))
    assert probes == []


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "{",
        "[]",
        '{"KEY": {}}',
        '{"KEY": []}',
        '{"KEY": {"attention": "fp32", "depthwise": "fp32", "dense": "fp32"}}',
        '{"KEY": {"attention": {}, "depthwise": {}, "dense": {}}}',
        json.dumps({"KEY": {kind: {"precision": "x", "layout": "y"} for kind in KINDS}}),
        json.dumps({"KEY": {"dense": {"precision": "fp32", "layout": "channels_last"}}}),
    ],
)
def test_what_a_damaged_file_remembers_is_found_again(
    probes: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, damaged: str
) -> None:
    file = cache_file()
    assert file is not None
    file.parent.mkdir()
    file.write_text(damaged.replace("KEY", this_processor()))
    for _ in range(2):
        use_cache(monkeypatch, tmp_path)
        assert modes_for("auto", "cpu") == FOUND
    assert probes == [1]


def test_a_folder_that_cannot_be_written_is_no_mistake(
    probes: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    use_cache(monkeypatch, tmp_path / "file")
    assert modes_for("auto", "cpu") == modes_for("auto", "cpu") == FOUND
    assert probes == [1]  # once a process


def test_modes_lie_in_the_users_cache_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_file() == tmp_path / ".cache" / "neptune-nas" / "modes.json"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache_file() == tmp_path / "x" / "neptune-nas" / "modes.json"


def test_a_user_without_a_home_is_probed_without_a_file(
    probes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", no_home)
    assert modes_for("auto", "cpu") == FOUND
    assert probes == [1]


def test_the_key_names_all_that_modes_depend_on() -> None:
    for part in (cpu_name(), f"torch {torch.__version__}", f"probe {VERSION}"):
        assert part in this_processor()


def test_a_processor_is_named_by_the_system(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: Some CPU: 4 GHz\nmodel name\t: Other\n")
    monkeypatch.setattr(module, "CPUINFO", info)
    assert cpu_name() == "Some CPU: 4 GHz"
    monkeypatch.setattr(module, "CPUINFO", tmp_path / "none")
    assert cpu_name() != "Some CPU: 4 GHz"
