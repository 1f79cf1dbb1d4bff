"""Trained models, and labelled images, which are in the same kind of file."""

import json
import struct
from collections.abc import Callable
from math import inf, nan, prod
from pathlib import Path
from random import Random
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from neptune_nas.data.load import load_data
from neptune_nas.files.tensors import HEADER, dump_tensors
from neptune_nas.models.model import load_model, save_model
from tests.fuzzing import mutations, valid
from tests.fuzzing.oracle import Case, Fault, Kind, command, json_in, require_kept
from tests.fuzzing.runner import MakeCase

LARGE = 10**6  # bytes of an image
DTYPES = ("F16", "BF16", "F64", "I64", "U8", "BOOL", "F8_E4M3", "F4", "C64")


def open_reader(folder: Path) -> MakeCase:
    """Return what makes cases of a model's file, or one of images."""
    save_model(folder / "model.safetensors", valid.model())
    valid.tensors(folder)
    Image.new("L", (8, 8), 99).save(folder / "image.png")
    load_model(folder / "model.safetensors")

    def make(rng: Random, given: Path) -> Case:
        name = rng.choice(("model", "model", "images"))
        file = given / f"{name}.safetensors"
        original = (folder / file.name).read_bytes()
        label = f"{name}: {_write(file, original, rng)}"
        read = _read_model if name == "model" else _read_images
        chosen = rng.random() < 0.4
        return Case(label, lambda: read(file, folder, chosen))

    return make


def _write(file: Path, original: bytes, rng: Random) -> str:
    how = rng.random()
    if how < 0.4:
        return _write_header(file, original, rng)
    if how < 0.6:
        return _write_index(file, original, rng)
    if how < 0.7:
        return _write_tensors(file, original, rng)
    file.write_bytes(original)
    if how > 0.92:
        return mutations.change_file(file, rng)
    changed, label = mutations.change_bytes(original, rng)
    file.write_bytes(changed)
    return label


def _split(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the index of a safetensors file, and the bytes of its tensors."""
    (size,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def _write_header(file: Path, original: bytes, rng: Random) -> str:
    """Change our own text in the metadata."""
    index, body = _split(original)
    header = json.loads(index["__metadata__"][HEADER])
    label = mutations.change_document(header, rng)
    index["__metadata__"][HEADER] = mutations.to_json(header).decode()
    text = json.dumps(index).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return label


def _write_index(file: Path, original: bytes, rng: Random) -> str:
    """Change the format's own index: shapes, types and places of tensors."""
    index, body = _split(original)
    label = mutations.change_document(index, rng, (*DTYPES, [0, 2**40], [2**62, 2], [0, 0]))
    text = mutations.to_json(index)
    size = rng.choice((len(text), len(text), len(text), len(text), 2**62, 0, len(text) + 99))
    file.write_bytes(struct.pack("<Q", size) + text + body)
    return f"index: {label}, {size - len(text)} bytes more"


def _write_tensors(file: Path, original: bytes, rng: Random) -> str:
    """Change whole tensors: their values, types and shapes."""
    file.write_bytes(original)
    tensors = load_file(file)
    header = _split(original)[0]["__metadata__"][HEADER]
    name = rng.choice(sorted(tensors))
    old = tensors[name]
    new: dict[str, Callable[[], Tensor]] = {
        "nan": lambda: old * nan,
        "inf": lambda: old + inf,
        "double": lambda: old.double(),
        "int": lambda: old.int(),
        "bool": lambda: old.bool(),
        "flat": lambda: old.flatten(),
        "empty": lambda: old.flatten()[:0],
        "scalar": lambda: old.flatten()[0],
        "negative": lambda: -old if old.is_floating_point() else -old.int(),
        "huge": lambda: old.float() * 1e38,
    }
    kind = rng.choice((*new, "gone", "more"))
    if make := new.get(kind):
        tensors[name] = make()
    elif kind == "gone":
        del tensors[name]
    else:
        tensors[rng.choice(("more", "", "test.images", "a" * 300))] = old
    file.write_bytes(dump_tensors(header, tensors))
    return f"{name or 'a tensor'} is {kind}"


def _header_in(file: Path) -> Any:
    data = file.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    return json_in(json_in(data[8 : 8 + size])["__metadata__"][HEADER].encode())


def _read_model(file: Path, folder: Path, by_command: bool) -> None:
    if by_command:
        command("predict", file, folder / "image.png", "--format", "json")
        command("export", file)
    model = load_model(file)
    again = file.with_name("again.safetensors")
    save_model(again, model)
    require_kept(_header_in(file), _header_in(again))
    for name, value in load_model(again).state.items():
        if not torch.equal(value, model.state[name]):
            raise Fault(Kind.SILENT, "written and read again, it is another one", name)
    again.unlink()
    if prod(model.input_shape) < LARGE:
        model.predict(torch.zeros(1, *model.input_shape, dtype=torch.uint8))


def _read_images(file: Path, _: Path, by_command: bool) -> None:
    if by_command:
        with valid.without_training():
            command("search", "--space", "tiny", "--data", f"tensors:{file}", "--dry-run")
    data = load_data(f"tensors:{file}")
    header = _header_in(file)
    kept = {"classes": data.classes, "flip": data.flip}
    require_kept({name: header[name] for name in kept}, kept)
    total = sum(len(split) for split in (data.train, data.validation, data.test))
    held = sum(len(t) for n, t in load_file(file).items() if n.endswith(".labels"))
    if total != held:
        raise Fault(Kind.SILENT, "images were left out", f"{held} became {total}")
