import ctypes
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from neptune_nas.devices.memory import (
    host_memory,
    is_device_lost,
    is_out_of_memory,
    keep_pages,
    memory_limit,
)

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        torch.AcceleratorError("CUDA error: out of memory"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_every_way_to_run_out_of_memory_is_known(error: Exception) -> None:
    assert is_out_of_memory(error)
    assert not is_device_lost(error)


def test_another_error_is_not_out_of_memory() -> None:
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_an_illegal_access_loses_the_device_and_a_wrong_shape_does_not() -> None:
    assert is_device_lost(torch.AcceleratorError("CUDA error: an illegal memory access"))
    assert not is_device_lost(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_the_peak_holds_a_tensor_that_is_gone_again() -> None:
    """In a process of its own: in one that freed as much before, the tensor takes no new pages."""
    code = (
        "import torch; from neptune_nas.devices.memory import peak_memory, reset_peak_memory; "
        "cpu = torch.device('cpu'); reset_peak_memory(cpu); before = peak_memory(cpu); "
        "torch.ones(2**25); print(peak_memory(cpu) - before)"
    )
    grown = int(subprocess.check_output([sys.executable, "-c", code]))
    assert grown > 2**26 if sys.platform == "linux" else grown == 0


def limited(folder: Path, groups: str, **limits: str) -> int:
    """The limit of a process of `groups`, with what stands in the files below the mount."""
    (folder / "cgroup").write_text(groups)
    for path, text in limits.items():
        file = folder / "mount" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return memory_limit(folder / "cgroup", folder / "mount")


@pytest.mark.parametrize(
    ("groups", "limits", "expected"),
    [
        ("0::/\n", {"memory.max": "4096\n"}, 4096),
        ("0::/a/b\n", {"a/b/memory.max": "max\n", "a/memory.max": "2048\n"}, 2048),
        ("0::/a\n", {"a/memory.max": "1024\n", "memory.max": "2048\n"}, 1024),
        ("0::/not/seen\n", {"memory.max": "512\n"}, 512),
        ("5:cpu,memory:/a\n", {"memory/a/memory.limit_in_bytes": "256\n"}, 256),
        ("5:memory:/not/seen\n0::/\n", {"memory/memory.limit_in_bytes": "128\n"}, 128),
        ("0::\n", {"memory.max": "64\n"}, 64),
    ],
)
def test_the_lowest_limit_of_all_groups_around_a_process_counts(
    tmp_path: Path, groups: str, limits: dict[str, str], expected: int
) -> None:
    assert limited(tmp_path, groups, **limits) == expected


@pytest.mark.parametrize(
    ("groups", "limits"),
    [
        ("0::/\n", {}),
        ("0::/\n", {"memory.max": "max\n"}),
        ("5:cpu:/a\n", {"memory/a/memory.limit_in_bytes": "256\n"}),
        ("5:memory:/\n", {"memory/memory.limit_in_bytes": "9223372036854771712\n"}),
        ("", {}),
        ("0::\n", {}),
        ("5:memory://a\n", {}),
    ],
)
def test_without_a_limit_there_is_room_without_end(
    tmp_path: Path, groups: str, limits: dict[str, str]
) -> None:
    assert limited(tmp_path, groups, **limits) > 2**60


def test_a_system_without_groups_has_no_limit(tmp_path: Path) -> None:
    assert memory_limit(tmp_path / "gone") == sys.maxsize


def test_the_memory_of_the_host_is_no_more_than_its_container_may_use(tmp_path: Path) -> None:
    assert limited(tmp_path, "0::/\n", **{"memory.max": "4096\n"}) == 4096
    assert host_memory(tmp_path / "cgroup", tmp_path / "mount") == 4096
    assert host_memory(tmp_path / "gone") > 4096


class Library:
    """A C library whose `mallopt`, if it has one, answers `answer`."""

    def __init__(self, answer: int | None) -> None:
        if answer is not None:
            self.mallopt = lambda *_: answer


@pytest.mark.parametrize(("answer", "kept"), [(1, True), (0, False), (None, False)])
def test_pages_are_kept_where_the_c_library_takes_the_setting(
    answer: int | None, kept: bool
) -> None:
    assert keep_pages(Library(answer)) is kept


def test_pages_are_not_kept_on_another_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delattr(ctypes, "CDLL")
    assert not keep_pages()
