"""Changes of documents, bytes and files, each fixed by a random generator."""

import json
import os
import socket
from collections.abc import Callable
from math import inf, nan
from pathlib import Path
from random import Random
from typing import Any

import tomli_w

HUGE_DIGITS = "7" * 5000
NUMBERS: tuple[Any, ...] = (
    *(0, -1, 1, 2, 3, 255, 65537, 2**31, 2**32, 2**53 + 1),
    *(2**63 - 1, 2**63, 2**64, -(2**63), 10**40),
    *(0.0, -0.0, 0.5, 1.5, 1e308, -1e308, 5e-324, 1e-9, nan, inf, -inf),
)
TEXTS = (
    *("", " ", "a", "a" * 5000, "x" * 300, "\0", "a\0b", "\x1b[31mred\x1b[0m", "\ud800"),
    *("e\u0301", "名前", "\r", "a\nb", "\u202e", "\ufeff", "\u2028", "\x85"),
    *("../../..", "/", ".", "~", "~nobody/x", "=1+1", "-1", "+x", "@x"),
    *("<script>alert(1)</script>", "%s%n{}", "{0.__class__}", "nan", "None", "true", "null"),
    *("1", "1e9", "digits", "Conv", "os:system", "__main__:X", "a:b", "file.py"),
)
OTHERS: tuple[Any, ...] = (
    *(None, True, False, [], {}, [[]], [None], {"": 0}, {"type": "Conv"}, [1, 2, 3]),
)
LITERALS = {
    f"<literal {i}>": text
    for i, text in enumerate(
        (
            *(HUGE_DIGITS, f"-{HUGE_DIGITS}", "1e400", "0x10", "01", "1_000", "NaN", "'a'"),
            *("[" * 3000, "[" * 900 + "]" * 900, '{"a": ' * 900 + "1" + "}" * 900),
        )
    )
}
"""Texts by the string in whose place they are written as they are."""


class Twin(str):
    """A name that a mapping can hold beside its equal."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other


def value(rng: Random) -> Any:
    """Return a value that few expect."""
    kind = rng.random()
    if kind < 0.4:
        return rng.choice(NUMBERS)
    if kind < 0.7:
        return rng.choice(TEXTS)
    if kind < 0.85:
        return rng.choice(OTHERS)
    if kind < 0.95:
        return rng.choice([*LITERALS])
    return nested(rng.choice((2, 5, 50)), rng.random() < 0.5)


def nested(depth: int, lists: bool) -> Any:
    """Return a value that many others enclose."""
    inner: Any = 1
    for _ in range(depth):
        inner = [inner] if lists else {"a": inner}
    return inner


# Documents: values of JSON's types.

Place = tuple[Any, Any, str]
"""A mapping or list, the name or index of an item in it, and the whole path to that."""


def places(document: Any, path: str = "") -> list[Place]:
    """Return all items of a document, at any depth."""
    pairs = document.items() if isinstance(document, dict) else enumerate(document)
    found: list[Place] = []
    for name, item in pairs:
        below = f"{path}.{name}".lstrip(".")
        found.append((document, name, below))
        if isinstance(item, dict | list):
            found += places(item, below)
    return found


def change_document(document: Any, rng: Random, given: tuple[Any, ...] = ()) -> str:
    """Change one to three items in place, and return what was done; `given`: further values."""
    times = range(rng.choice((1, 1, 1, 1, 2, 3)))
    found = (places(document) for _ in times)
    done = (rng.choice(_CHANGES)(*rng.choice(each), rng, given) for each in found if each)
    return "; ".join(done)


def _replace(holder: Any, name: Any, path: str, rng: Random, given: tuple[Any, ...]) -> str:
    chosen = rng.choice(given) if given and rng.random() < 0.4 else value(rng)
    holder[name] = chosen
    return f"{path} = {chosen!r:.60}"


def _near(holder: Any, name: Any, path: str, rng: Random, given: tuple[Any, ...]) -> str:
    """Replace a value by one of its own type, or of the nearest one."""
    old = holder[name]
    if isinstance(old, bool) or old is None:
        new: Any = rng.choice((not old, int(bool(old)), str(old)))
    elif isinstance(old, int | float):
        new = rng.choice((old + 1, -old, old * 10, old / 3, float(old), str(old), old * 2**60))
    elif isinstance(old, str):
        new = rng.choice((old + " ", old.upper(), old[:-1], old + "x", [old], old * 9, old + "\0"))
    else:
        return _replace(holder, name, path, rng, given)
    holder[name] = new
    return f"{path} = {new!r:.60}"


def _delete(holder: Any, name: Any, path: str, _rng: Random, _given: tuple[Any, ...]) -> str:
    del holder[name]
    return f"delete {path}"


def _twice(holder: Any, name: Any, path: str, rng: Random, _given: tuple[Any, ...]) -> str:
    if isinstance(holder, list):
        holder.insert(rng.randint(0, len(holder)), holder[name])
        return f"{path} twice"
    holder[Twin(name)] = other = rng.choice((holder[name], value(rng)))
    return f"{path} twice, then {other!r:.40}"


def _rename(holder: Any, name: Any, path: str, rng: Random, given: tuple[Any, ...]) -> str:
    if isinstance(holder, list):
        return _replace(holder, name, path, rng, given)
    new = rng.choice((str(name).upper(), f"{name}s", f" {name}", *TEXTS))
    holder[new] = holder.pop(name)
    return f"{path} is named {new!r:.40}"


def _wrap(holder: Any, name: Any, path: str, rng: Random, _given: tuple[Any, ...]) -> str:
    old = holder[name]
    if isinstance(old, list | dict) and old and rng.random() < 0.5:
        holder[name] = old[0] if isinstance(old, list) else next(iter(old.values()))
        return f"unwrap {path}"
    holder[name] = [old] if rng.random() < 0.5 else {str(name): old}
    return f"wrap {path}"


def _swap(holder: Any, name: Any, path: str, rng: Random, _given: tuple[Any, ...]) -> str:
    other, second, where = rng.choice(places(holder))
    here, there = holder[name], other[second]
    if other is here or here is there or not isinstance(here, int | float | str | None):
        return _delete(holder, name, path, rng, ())
    holder[name], other[second] = there, here
    return f"swap {path} and {where}"


_CHANGES: tuple[Callable[..., str], ...] = (
    *(_replace, _replace, _replace, _near, _near, _near, _near),
    *(_delete, _twice, _rename, _wrap, _swap),
)


def to_json(document: Any) -> bytes:
    """Return a document as JSON, with its literals and twins."""
    return _with_literals(json.dumps(document)).encode()


def to_toml(document: Any) -> bytes:
    """Return a document as TOML, without None, which it cannot hold."""
    return _with_literals(tomli_w.dumps(_without_none(document))).encode("utf-8", "surrogatepass")


def _without_none(item: Any) -> Any:
    if isinstance(item, dict):
        return {n: _without_none(each) for n, each in item.items() if each is not None}
    if isinstance(item, list):
        return [_without_none(each) for each in item if each is not None]
    return item


def _with_literals(text: str) -> str:
    for name, literal in LITERALS.items():
        text = text.replace(f'"{name}"', literal)
    return text


# Bytes.


def change_bytes(data: bytes, rng: Random) -> tuple[bytes, str]:
    """Return changed bytes, and what was done."""
    at = rng.randrange(len(data) + 1)
    size = rng.choice((1, 1, 2, 8, 64, 1024))
    name = rng.choice(("flip", "cut", "insert", "zero", "drop", "double", "random", "text", "wide"))
    if name == "flip":
        some = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 20))):
            some[rng.randrange(len(some))] ^= 1 << rng.randrange(8)
        return bytes(some), "flip bits"
    if name == "wide":
        how = rng.choice(("utf-8-sig", "utf-16", "utf-32", "latin-1"))
        text = data.decode("latin-1" if how == "latin-1" else "utf-8", "replace")
        return text.encode("utf-8" if how == "latin-1" else how, "replace"), f"write as {how}"
    odd = rng.choice((b"\0", b"\xff\xfe", b"\n", b'"', b"{", b"]", b"\x80"))
    new = {
        "cut": data[:at],
        "insert": data[:at] + odd + data[at:],
        "zero": data[:at] + bytes(min(size, len(data) - at)) + data[at + size :],
        "drop": data[:at] + data[at + size :],
        "double": data + rng.choice((data, b"\n", b"\0", b"x")),
        "random": data[:at] + rng.randbytes(size) + data[at + size :],
        "text": data.replace(b"\n", rng.choice((b"\r\n", b"\r", b"\0", b" "))),
    }[name]
    return new, f"{name} at byte {at} of {len(data)}, {size}"


# Files.


def change_file(file: Path, rng: Random) -> str:
    """Put something else in the place of a file, and return what."""
    name = rng.choice([*_FILES])
    file.unlink()
    _FILES[name](file)
    return f"{file.name} is {name}"


def _socket(file: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        here = os.open(file.parent, os.O_RDONLY)  # as a socket's path is at most 107 bytes
        made.bind(f"/proc/self/fd/{here}/{file.name}")
        os.close(here)


def _sparse(file: Path) -> None:
    with file.open("wb") as opened:
        opened.truncate(5 * 2**30)


_FILES: dict[str, Callable[[Path], object]] = {
    "missing": lambda _: None,
    "empty": Path.touch,
    "a folder": Path.mkdir,
    "a link to itself": lambda file: file.symlink_to(file.name),
    "a link to nothing": lambda file: file.symlink_to("nothing"),
    "a link to zeros": lambda file: file.symlink_to("/dev/zero"),
    "a link to the root": lambda file: file.symlink_to("/"),
    "a pipe": os.mkfifo,
    "a socket": _socket,
    "5 GB of zeros": _sparse,
    "a megabyte of zeros": lambda file: file.write_bytes(bytes(2**20)),
    "a megabyte of [": lambda file: file.write_bytes(b"[" * 2**20),
    "a megabyte of text": lambda file: file.write_bytes(b"a" * 2**20),
}
