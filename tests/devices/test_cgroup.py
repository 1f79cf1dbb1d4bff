import sys
from pathlib import Path

import pytest

from neptune_nas.devices import memory
from neptune_nas.devices.cgroup import memory_limit
from neptune_nas.devices.memory import host_memory


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


def test_the_memory_of_the_host_is_no_more_than_its_container_may_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "memory_limit", lambda: 4096)
    assert host_memory() == 4096
    monkeypatch.setattr(memory, "memory_limit", lambda: sys.maxsize)
    assert host_memory() > 4096
