"""The ways to open an SQLite file of a study, and scripts and pages to change one."""

import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from neptune_nas.study.database import has_studies, storage_at
from neptune_nas.study.database_url import database_errors
from neptune_nas.study.store import create_store, open_store
from tests.study.builders import AIMS


def open_to_write(url: str, _: Path) -> None:
    with database_errors(url):
        storage_at(url)


READERS: dict[str, Callable[[str, Path], object]] = {
    "open_store": lambda url, _: open_store(url, "few-digits"),
    "has_studies": has_studies,
    "storage_at": open_to_write,
    "create_store": lambda url, _: create_store(url, "few-digits", AIMS, "a question"),
}


def execute(file: Path, script: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(script)


def leading_in_circles(file: Path) -> None:
    """Make the pages of `trial_params` a tree with few nodes and 300 ** 5 ways to a leaf."""
    with closing(sqlite3.connect(file)) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'trial_params'"
        ((root,),) = connection.execute(query)
    content, size = bytearray(file.read_bytes()), 4096
    leaf = len(content) // size + 1
    content += content[(root - 1) * size : root * size]
    nodes = [tree_node(leaf + level, size) for level in range(5)]
    content += b"".join(nodes[:-1])
    content[(root - 1) * size : root * size] = nodes[-1]
    content[28:32] = struct.pack(">I", len(content) // size)
    file.write_bytes(content)


def tree_node(child: int, size: int, count: int = 300, last: int | None = None) -> bytes:
    """Return an interior page of a table, whose children, but for the last, are one page."""
    end = size - 5 * count
    head = struct.pack(">BHHHBI", 5, 0, count, end, 0, last or child)
    cells = struct.pack(f">{count}H", *range(end, size, 5))
    return (head + cells).ljust(end, b"\0") + struct.pack(">IB", child, 1) * count
