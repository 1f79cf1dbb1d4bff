"""Exported architectures: `load`, and the commands that take one."""

import json
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from neptune_nas.architecture.codec import from_json, key
from neptune_nas.errors import NeptuneError
from neptune_nas.models.architecture_file import document, dumps, load, loads
from tests.fuzzing import mutations, valid
from tests.fuzzing.oracle import Case, Fault, Kind, command, json_in, require_kept
from tests.fuzzing.runner import MakeCase

SPACES = ("tiny", "default", "mobile", "attention", "mnist")
VALUES = (2**20, 10**9, "depthwise", "residual", [[0], [0, 1]], {"type": "Attention"}, "a.py:X")


def open_reader(folder: Path) -> MakeCase:
    """Return what makes cases of architectures of several spaces."""
    originals = [document(valid.architecture(space, n)) for space in SPACES for n in range(2)]
    (folder / "valid.json").write_text(json.dumps(originals[0]))
    for item in originals:
        loads(json.dumps(item), "it")

    def make(rng: Random, folder: Path) -> Case:
        file = folder / "best.json"
        label = _write(file, json.loads(json.dumps(rng.choice(originals))), rng)
        return Case(label, _reading(file, rng))

    return make


def _write(file: Path, content: Any, rng: Random) -> str:
    """Write a changed architecture, and return how it was changed."""
    how = rng.random()
    label = ""
    if how < 0.75:
        label = mutations.change_document(content, rng, VALUES)
        if rng.random() < 0.8:
            _sign(content)
    file.write_bytes(mutations.to_json(content))
    if 0.75 <= how < 0.9:
        data, label = mutations.change_bytes(file.read_bytes(), rng)
        file.write_bytes(data)
    elif how >= 0.9:
        label = mutations.change_file(file, rng)
    return label


def _sign(content: Any) -> None:
    """Write the key that belongs to a changed architecture, if it can be read."""
    with suppress(NeptuneError, RecursionError, AttributeError, KeyError, TypeError, ValueError):
        content["key"] = key(from_json(content["architecture"]))


def _reading(file: Path, rng: Random) -> Any:
    """Return what reads the file: `load`, and perhaps a command after it."""
    valid_one = file.parents[2] / "valid" / "valid.json"
    commands: list[tuple[object, ...]] = [
        ("show", file),
        ("draw", file),
        ("export", file),
        ("export", file, "-o", file.parents[1] / "home" / "out.json"),
        ("diff", file, valid_one),
        ("diff", valid_one, file),
        ("space", "validate", "tiny", "--json", file),
        ("space", "neighbors", "tiny", file),
    ]
    chosen = rng.choice(commands) if rng.random() < 0.4 else None

    def read() -> None:
        if chosen:
            command(*chosen)
        item = load(file)
        written = dumps(item)
        require_kept(json_in(file.read_bytes()), json.loads(written))
        if loads(written, "it") != item:
            raise Fault(Kind.SILENT, "written and read again, it is another one")

    return read
