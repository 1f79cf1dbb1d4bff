"""The full training of a network for detection, and its evaluation."""

import json
from pathlib import Path

import pytest
import torch

from neptune_nas.data.images import BOX
from neptune_nas.data.labelled_images import labelled_images
from neptune_nas.data.load import load_data
from neptune_nas.data.names import BOXES
from neptune_nas.deploy.export import export
from neptune_nas.deploy.formats import file_kind
from neptune_nas.errors import NeptuneError, OptionError
from neptune_nas.models.architecture_file import without_study
from neptune_nas.models.evaluation import evaluate, trained_on
from neptune_nas.models.model import Model, load_model
from neptune_nas.retrain.run import Training
from neptune_nas.tasks.boxes import exist
from tests.tasks.dense import Dense, Points

NETWORK = without_study(Points(), (1, 48, 48), 10)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of one seed, trained for an epoch."""
    out = tmp_path_factory.mktemp("trained")
    Training(NETWORK, data=f"{BOXES}#40", epochs=1, seeds=1, out=out, threads=1).run()
    return out / "seed-0"


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return load_model(folder / "model.safetensors", (Points,))


def test_a_model_knows_its_task_and_the_classes_of_boxes(model: Model) -> None:
    assert model.task == "detection"
    assert model.labels == tuple("0123456789")
    assert {"validation_map50", "validation_map"} <= {*model.metrics}


def test_a_prediction_has_boxes_with_their_class_the_surest_first(model: Model) -> None:
    found = model.predict(load_data(BOXES).test.images[:3])
    assert found.shape == (3, 100, 6)
    for each in found:
        probabilities = each[exist(each)][:, BOX]
        assert bool((probabilities.diff() <= 0).all())
        assert {*each[exist(each)][:, 4].tolist()} <= {*range(10)}


def test_predictions_do_not_depend_on_how_many_images_there_are(model: Model) -> None:
    images = load_data(BOXES).test.images[:3]
    alone = torch.cat([model.predict(images[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(model.predict(images), alone, rtol=1e-4, atol=1e-4)


def test_the_test_split_is_evaluated_class_by_class(folder: Path) -> None:
    content = json.loads((folder / "evaluation.json").read_text())
    assert {"map50", "map", "loss", "interval", "chance"} <= {*content}
    assert {*content["classes"][0]} == {"label", "images", "AP50", "AP", "recall", "precision"}
    assert {*content["worst"][0]} == {"image", "label", "predicted", "wrong_boxes", "right_boxes"}
    true = int(exist(load_data(BOXES).test.targets).sum())
    counted = [pair["boxes"] for pair in content["confusion"] if pair["label"] != "nothing"]
    assert sum(counted) == true


def test_the_page_shows_images_with_their_boxes(folder: Path) -> None:
    page = (folder / "evaluation.html").read_text()
    assert "The worst images" in page
    assert page.count("data:image/") == 12


def test_a_model_is_evaluated_on_the_data_it_was_trained_for(model: Model) -> None:
    images = labelled_images(BOXES, trained_on(model), "validation")
    found = evaluate(model, images.split)
    assert found.images == 200
    assert found.values["map50"] == pytest.approx(model.metrics["validation_map50"], abs=0.02)


def test_all_splits_are_evaluated_together(model: Model) -> None:
    images = labelled_images(BOXES, trained_on(model), "all")
    assert len(images.split) == 1_000


def test_a_plain_detector_is_trained_and_kept_like_any_network(tmp_path: Path) -> None:
    metrics = Training("fcos-2", data=BOXES, epochs=1, seeds=1, out=tmp_path).run()
    assert metrics.names == ("map50", "map", "loss")
    found = load_model(tmp_path / "seed-0" / "model.safetensors")
    assert found.predict(load_data(BOXES).test.images[:2]).shape == (2, 100, 6)


def test_a_network_that_classifies_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="resnet8 is for classification, but data 'digits-boxes'"):
        Training("resnet8", data=BOXES, epochs=1, out=tmp_path).run()


def test_a_network_for_another_task_is_refused(tmp_path: Path) -> None:
    network = without_study(Dense(), (1, 48, 48), 11)
    with pytest.raises(NeptuneError, match="for N images of detection, but for one image it"):
        Training(network, data=BOXES, epochs=1, out=tmp_path).run()


def taught(teacher: Path, tmp_path: Path, width: int = 4) -> Training:
    return Training(
        without_study(Points(width), (1, 48, 48), 10),
        data=f"{BOXES}#40",
        epochs=1,
        seeds=1,
        out=tmp_path,
        threads=1,
        teacher=teacher,
        teacher_views=1,
    )


def test_a_network_learns_from_a_teacher_of_equal_points(folder: Path, tmp_path: Path) -> None:
    metrics = taught(folder / "model.safetensors", tmp_path).run()
    assert metrics.best.test["loss"] < 50


def test_a_teacher_of_other_points_is_refused(tmp_path: Path) -> None:
    Training("fcos-1", data=f"{BOXES}#40", epochs=1, seeds=1, out=tmp_path / "t", threads=1).run()
    with pytest.raises(NeptuneError, match="a teacher for detection must have as many points"):
        taught(tmp_path / "t" / "seed-0" / "model.safetensors", tmp_path / "s").run()


def test_int8_is_refused_before_training_and_for_files(model: Model, tmp_path: Path) -> None:
    training = Training(NETWORK, data=BOXES, epochs=1, seeds=1, out=tmp_path, int8=True)
    with pytest.raises(OptionError, match="int8, in which detection is not supported: leave out"):
        training.run()
    with pytest.raises(OptionError, match="for detection, which is not supported in int8: export"):
        export(model, file_kind("tflite"), tmp_path / "points.tflite")
