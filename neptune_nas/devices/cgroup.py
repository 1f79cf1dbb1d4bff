"""The memory that a container may use, as Linux's control groups say it."""

import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

GROUPS, MOUNT = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
V2, V1 = "memory.max", "memory.limit_in_bytes"


def memory_limit(groups: Path = GROUPS, mount: Path = MOUNT) -> int:
    """The bytes that this process may use, with all others of its groups; without end where none
    is said.

    `groups`: says which groups the process is of, see cgroups(7). `mount`: where they are mounted.
    """
    try:
        lines = groups.read_text().splitlines()
    except OSError:  # another system, or a closed one
        return sys.maxsize
    files = (file for line in lines for file in limit_files(line, mount))
    return min(map(limit_in, files), default=sys.maxsize)


def limit_files(line: str, mount: Path) -> Iterator[Path]:
    """Where a line of `groups` has its limit, those of the groups around it included.

    A container may see its own group as the root, whatever the line says: so the root counts too.
    """
    number, _, rest = line.partition(":")
    controllers, _, path = rest.partition(":")
    if number == "0" and not controllers:
        root, name = mount, V2
    elif "memory" in controllers.split(","):
        root, name = mount / "memory", V1
    else:
        return
    inside = PurePosixPath(path.lstrip("/"))  # also where it is empty
    for group in (inside, *inside.parents):
        yield root / group / name


def limit_in(file: Path) -> int:
    """The limit in a file; without end where it has none, as `max` and v1's large number say."""
    try:
        return min(int(file.read_text()), sys.maxsize)
    except (OSError, ValueError):
        return sys.maxsize
