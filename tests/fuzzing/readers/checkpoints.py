"""The state of a training that was stopped, which `neptune-nas train` resumes from."""

from pathlib import Path
from random import Random
from typing import Any

import torch

from neptune_nas.training.checkpoint import load_checkpoint, read, save_checkpoint
from neptune_nas.training.recipe import Recipe
from neptune_nas.training.state import copy_tensors, make_setup, make_state
from tests.fuzzing import mutations
from tests.fuzzing.oracle import Case, Fault, Kind
from tests.fuzzing.runner import MakeCase
from tests.training.data import easy_data, small_network

VALUES = (torch.zeros(3), torch.tensor(1), torch.full((10,), torch.nan), {"a": torch.zeros(1)})


def open_reader(folder: Path) -> MakeCase:
    """Return what makes cases of the checkpoint of a small network."""
    setup = make_setup(small_network(), easy_data(), Recipe(batch_size=20), torch.device("cpu"))
    original = folder / "checkpoint.pt"
    state = make_state(setup, epochs=3, seed=0, averaged=True)
    save_checkpoint(original, setup, state, copy_tensors(setup.network))

    def make(rng: Random, given: Path) -> Case:
        file = given / original.name
        label = _write(file, original, rng)

        def load() -> None:
            best = load_checkpoint(file, setup, state)
            wanted = {name: each.shape for name, each in copy_tensors(setup.network).items()}
            if {name: each.shape for name, each in best.items()} != wanted:
                raise Fault(Kind.SILENT, "weights of another form were taken")

        return Case(label, load)

    return make


def _write(file: Path, original: Path, rng: Random) -> str:
    how = rng.random()
    if how < 0.6:
        content: Any = read(original)
        label = mutations.change_document(content, rng, VALUES)
        torch.save(content, file)
        return label
    file.write_bytes(original.read_bytes())
    if how > 0.9:
        return mutations.change_file(file, rng)
    data, label = mutations.change_bytes(file.read_bytes(), rng)
    file.write_bytes(data)
    return label
