"""The valid inputs that are changed, small and made without a training worth the name."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, NoReturn
from unittest.mock import patch

import torch

from neptune_nas.data.tensors import save_tensors
from neptune_nas.devices.numerics import Numerics
from neptune_nas.evaluators.short_training import ShortTraining
from neptune_nas.metrics.counted import Cost
from neptune_nas.metrics.score import Score
from neptune_nas.models.architecture_file import ExportedArchitecture, dumps, without_study
from neptune_nas.models.model import Model, make_untrained
from neptune_nas.retrain import run as retraining
from neptune_nas.search import assembly
from neptune_nas.search import run as searching
from neptune_nas.search.config import Search, ignore
from neptune_nas.space import find_space
from neptune_nas.study.audit import AuditRecord, Truth, write_audit
from neptune_nas.study.confirmation import Aim, Goal, write_confirmations
from neptune_nas.study.references import Reference, write_references
from neptune_nas.study.study import Study
from tests.fuzzing.oracle import Began
from tests.study.fakes import Arithmetic, InlineAssembly, InlineEngine

SHAPE, CLASSES = (1, 8, 8), 2
NUMERICS = Numerics("fp32")


def architecture(name: str = "tiny", seed: int = 0) -> ExportedArchitecture:
    """Return an architecture of a shipped space, with a score, a recipe and a provenance."""
    found = without_study(find_space(name).sample(Random(seed)), SHAPE, CLASSES)
    score = Score(3, {"accuracy": 0.9, "loss": 0.5}, seed=7, seconds=1.5, started=1e9, worker=1)
    return replace(
        found,
        scores=(score, replace(score, fidelity=1, values={"accuracy": 0.5, "loss": 1.0})),
        recipe={"optimizer": "sgd", "lr": 0.1},
        provenance={"study": "tiny-digits", "trial": 3, "data": "digits", "space": name},
    )


def model() -> Model:
    """Return an untrained model of a small network."""
    return replace(make_untrained(architecture()), labels=("cat", "dog"), mean=(0.5,), std=(0.25,))


def tensors(folder: Path) -> str:
    """Return the name of a small data set in a file of a folder."""
    images = torch.randint(0, 256, (40, *SHAPE), generator=torch.Generator().manual_seed(0))
    labels = torch.arange(40) % CLASSES
    return save_tensors(
        folder / "images.safetensors", (images.byte(), labels), classes=("cat", "dog")
    )


def study(folder: Path, data: str) -> Study:
    """Return a finished study with all files that a study may have."""
    search = Search(
        space="tiny",
        data=data,
        trials=8,
        rungs=(1, 3),
        sampler="random",
        out=folder,
        name="study",
        jobs=1,
        device="cpu",
    )
    parts = InlineAssembly(search, lambda: InlineEngine(Arithmetic()))
    with without_training():
        found = searching.run_search(parts, ignore, ignore)
    scored = [trial for trial in found.trials if trial.score]
    place = search.folder
    truths = (
        Truth(t.number, t.key, Arithmetic()(t.architecture, 9, 1), {"synflow": 1.0}) for t in scored
    )
    write_audit(place.audit, AuditRecord(9, tuple(truths)))
    scores = tuple(Score(3, {"accuracy": 0.8, "loss": 1.0}, seed) for seed in range(2))
    write_references(place.references, [Reference("resnet8", Cost(100, 20, 3).values, scores)])
    confirmed = [
        replace(t, confirmations=(Score(3, {"accuracy": 0.7, "loss": 1.0}, 9),))
        for t in found.pareto()
    ]
    write_confirmations(place.confirmations, confirmed, Aim(Goal(3)))
    return found


def exported(folder: Path) -> Path:
    """Return the file of an architecture."""
    file = folder / "best.json"
    file.write_text(dumps(architecture()))
    return file


@contextmanager
def without_training() -> Iterator[None]:
    """Let nothing be trained inside: `Began` is raised where a command would begin with it.

    Dry runs and engines of a test's own get scores that no training led to.
    """
    with (
        patch.object(searching, "start_fork_server", ignore),
        patch.object(assembly, "LocalEngine", _begin),
        patch.object(assembly, "numerics_for", lambda *_: NUMERICS),
        patch.object(retraining, "numerics_for", lambda *_: NUMERICS),
        patch.object(retraining, "train_seed", _begin),
        patch.object(ShortTraining, "__call__", _score),
    ):
        yield


def _begin(*_: object, **__: object) -> NoReturn:
    raise Began


def _score(_: ShortTraining, _network: Any, fidelity: int, seed: int) -> Score:
    return Score(fidelity, {"accuracy": 0.5, "loss": 1.0}, seed, seconds=0.01)
