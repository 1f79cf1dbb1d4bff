import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import NoReturn
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
import torch
from torch import nn

from neptune_nas.errors import FileFormatError
from neptune_nas.training.checkpoint import load_checkpoint, read, save_checkpoint
from neptune_nas.training.recipe import Recipe
from neptune_nas.training.state import RunState, Setup, copy_tensors, make_setup, make_state
from tests.training.data import easy_data, small_network


@pytest.fixture
def setup() -> Setup:
    return make_setup(small_network(), easy_data(), Recipe(batch_size=20), torch.device("cpu"))


@pytest.fixture
def state(setup: Setup) -> RunState:
    return make_state(setup, epochs=3, seed=0, averaged=True)


@pytest.fixture
def file(setup: Setup, state: RunState, tmp_path: Path) -> Path:
    file = tmp_path / "checkpoint.pt"
    save_checkpoint(file, setup, state, copy_tensors(setup.network))
    return file


def test_the_best_weights_come_back(setup: Setup, state: RunState, file: Path) -> None:
    best = load_checkpoint(file, setup, state)
    assert all(
        torch.equal(best[name], value) for name, value in copy_tensors(setup.network).items()
    )


def test_half_a_file_is_refused(setup: Setup, state: RunState, file: Path) -> None:
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(FileFormatError, match=r"checkpoint\.pt cannot be resumed .*remove it"):
        load_checkpoint(file, setup, state)


def test_a_file_that_unpacks_to_more_than_its_size_is_refused(
    setup: Setup, state: RunState, file: Path
) -> None:
    with ZipFile(file) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    with ZipFile(file, "w", ZIP_DEFLATED) as new:
        for name, part in parts.items():
            new.writestr(name, part + bytes(2**20))
    with pytest.raises(FileFormatError, match=r"cannot be resumed \(.* bytes, but .* are enough"):
        load_checkpoint(file, setup, state)


def test_a_file_far_larger_than_its_network_is_refused(
    setup: Setup, state: RunState, file: Path
) -> None:
    with file.open("ab") as grown:
        grown.truncate(5 * 2**30)
    with pytest.raises(FileFormatError, match="cannot be resumed"):
        load_checkpoint(file, setup, state)


@pytest.mark.parametrize("kind", ["pipe", "loop"])
def test_what_is_no_file_is_refused_at_once(
    setup: Setup, state: RunState, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / kind
    os.mkfifo(path) if kind == "pipe" else path.symlink_to(path)
    with pytest.raises(FileFormatError, match="cannot be read: "):
        load_checkpoint(path, setup, state)


def test_another_version_is_refused(setup: Setup, state: RunState, file: Path) -> None:
    torch.save({**read(file), "version": 99}, file)
    with pytest.raises(FileFormatError, match="its version is 99, not 2"):
        load_checkpoint(file, setup, state)


@pytest.mark.parametrize("change", ["missing", "scalar", "number", "more"])
def test_best_weights_of_another_network_are_refused(
    setup: Setup, state: RunState, file: Path, change: str
) -> None:
    content = read(file)
    name, value = next(iter(content["best"].items()))
    others: dict[str, dict[str, object]] = {
        "missing": {},
        "scalar": {name: value.flatten()[0]},
        "number": {name: 65537},
        "more": {name: value, "more": value},
    }
    del content["best"][name]
    torch.save({**content, "best": {**content["best"], **others[change]}}, file)
    with pytest.raises(FileFormatError, match=r"cannot be resumed .*remove it"):
        load_checkpoint(file, setup, state)


@pytest.mark.parametrize("part", ["best", "network"])
def test_a_batch_norm_without_its_counter_is_refused(
    setup: Setup, state: RunState, file: Path, part: str
) -> None:
    content = read(file)
    counter = next(name for name in content[part] if name.endswith("num_batches_tracked"))
    del content[part][counter]
    torch.save(content, file)
    with pytest.raises(FileFormatError, match=f"its weights lack {counter}"):
        load_checkpoint(file, setup, state)


def test_the_present_weights_are_not_the_best(setup: Setup, state: RunState, file: Path) -> None:
    present = copy_tensors(setup.network)
    best = {name: torch.zeros_like(value) for name, value in present.items()}
    save_checkpoint(file, setup, state, best)
    loaded = load_checkpoint(file, setup, state)
    assert all(not value.any() for value in loaded.values())
    now = copy_tensors(setup.network)
    assert all(torch.equal(now[name], value) for name, value in present.items())


def test_a_file_of_something_else_is_refused(setup: Setup, state: RunState, file: Path) -> None:
    torch.save([1, 2], file)
    with pytest.raises(FileFormatError, match="cannot be resumed"):
        load_checkpoint(file, setup, state)


@pytest.mark.parametrize("message", ["out of memory", "an illegal memory access"])
def test_an_error_of_the_device_does_not_blame_the_file(
    setup: Setup, state: RunState, file: Path, message: str
) -> None:
    kind = torch.OutOfMemoryError if "out of" in message else torch.AcceleratorError

    class Unlucky(nn.Module):
        def load_state_dict(self, *_: object) -> NoReturn:
            raise kind(message)

    with pytest.raises(kind, match=message):
        load_checkpoint(file, replace(setup, network=Unlucky()), state)


def test_a_file_that_the_system_refuses_is_not_to_be_removed(
    setup: Setup, state: RunState, tmp_path: Path
) -> None:
    with pytest.raises(FileFormatError, match=r"cannot be read: Is a directory\.$"):
        load_checkpoint(tmp_path, setup, state)


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.file,)


def test_code_in_a_file_is_not_executed(setup: Setup, state: RunState, file: Path) -> None:
    trace = file.with_name("trace")
    torch.save({"version": 1, "best": Evil(trace)}, file)
    with pytest.raises(FileFormatError, match="cannot be resumed"):
        load_checkpoint(file, setup, state)
    assert not trace.exists()
    pickle.loads(pickle.dumps(Evil(trace)))
    assert trace.exists()
