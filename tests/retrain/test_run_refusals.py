"""What a folder of a training does not go on with."""

from dataclasses import replace
from pathlib import Path
from shutil import copy
from typing import Any

import pytest

from neptune_nas.errors import StudyError
from neptune_nas.models.model import load_model, save_model
from neptune_nas.retrain.metrics import dumps, load_metrics
from neptune_nas.training.recipe import Recipe
from tests.retrain.builders import asked, noting, refuse


def test_the_model_of_another_seed_is_refused(done: Path) -> None:
    (done / "metrics.json").unlink()
    copy(done / "seed-1" / "model.safetensors", done / "seed-0" / "model.safetensors")
    with pytest.raises(StudyError, match=r"seed-0.* must be of seed 0, but is of seed 1"):
        asked(done, noting(refuse)).run()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 9}, r"model\.safetensors was trained with epochs 9, but now it is 3"),
        ({"epochs": "x"}, r"does not say how it was trained \(`provenance\.epochs` must be"),
    ],
)
def test_the_model_of_another_training_is_refused(
    done: Path, change: dict[str, Any], message: str
) -> None:
    (done / "metrics.json").unlink()
    file = done / "seed-0" / "model.safetensors"
    model = load_model(file)
    save_model(file, replace(model, provenance={**model.provenance, **change}))
    with pytest.raises(StudyError, match=message):
        asked(done, noting(refuse)).run()


def test_the_metrics_of_another_training_are_refused(done: Path) -> None:
    metrics = load_metrics(done / "metrics.json")
    foreign = replace(metrics, terms=replace(metrics.terms, epochs=9))
    (done / "metrics.json").write_text(dumps(foreign))
    with pytest.raises(StudyError, match=r"metrics\.json was measured with epochs 9, but now"):
        asked(done).run()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 4}, "was started with epochs 3, but now it is 4"),
        (
            {"recipe": Recipe(lr=0.1, batch_size=16)},
            "the recipe's optimizer muon, but now it is adamw",
        ),
        ({"data": "digits#90"}, r"data digits#100 \("),
        ({"source": "resnet8"}, "network .*, but now it is resnet8"),
    ],
)
def test_another_question_is_refused(done: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        asked(done, **changes).run()


def test_two_trainings_in_one_folder_are_refused(done: Path) -> None:
    training = asked(done)
    with training.folder.locked(), pytest.raises(StudyError, match="is training in"):
        training.run()
