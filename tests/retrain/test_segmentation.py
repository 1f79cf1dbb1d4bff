"""The full training of a network for segmentation, and its evaluation."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from neptune_nas.data.labelled_images import labelled_images
from neptune_nas.data.load import load_data
from neptune_nas.data.names import SCENES
from neptune_nas.deploy.export import export
from neptune_nas.deploy.formats import file_kind
from neptune_nas.errors import FileFormatError, NeptuneError, OptionError
from neptune_nas.models.architecture_file import without_study
from neptune_nas.models.evaluation import evaluate, trained_on
from neptune_nas.models.model import Model, load_model, make_untrained, save_model
from neptune_nas.nn.references import ReferenceNetwork
from neptune_nas.retrain.run import Training
from tests.tasks.dense import Dense, Flat

NETWORK = without_study(Dense(), (1, 48, 48), 11)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of one seed, trained for an epoch."""
    out = tmp_path_factory.mktemp("trained")
    Training(NETWORK, data=f"{SCENES}#40", epochs=1, seeds=1, out=out, threads=1).run()
    return out / "seed-0"


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return load_model(folder / "model.safetensors", (Dense,))


def test_a_model_knows_its_task_and_the_classes_of_pixels(model: Model) -> None:
    assert model.task == "segmentation"
    assert model.labels == ("background", *"0123456789")
    assert {"validation_miou", "validation_pixel_accuracy"} <= {*model.metrics}


def test_a_prediction_has_a_probability_of_each_class_at_each_pixel(model: Model) -> None:
    images = load_data(SCENES).test.images[:3]
    found = model.predict(images)
    assert found.shape == (3, 11, 48, 48)
    torch.testing.assert_close(found.sum(1), torch.ones(3, 48, 48))


def test_the_test_split_is_evaluated_class_by_class(folder: Path) -> None:
    content = json.loads((folder / "evaluation.json").read_text())
    assert {"miou", "pixel_accuracy", "loss", "interval", "chance"} <= {*content}
    assert {*content["classes"][0]} == {
        *("label", "images", "IoU", "recall", "precision", "pixels")
    }
    assert {*content["worst"][0]} == {
        *("image", "label", "predicted", "wrong_pixels", "right_pixels")
    }
    assert sum(pair["pixels"] for pair in content["confusion"]) == 200 * 48 * 48


def test_the_page_shows_images_with_their_classes(folder: Path) -> None:
    page = (folder / "evaluation.html").read_text()
    assert "The worst images" in page
    assert page.count("data:image/png;base64,") == 12
    assert 'class="bar" style="--bar: ' in page


def test_a_model_is_evaluated_on_the_data_it_was_trained_for(model: Model) -> None:
    images = labelled_images(SCENES, trained_on(model), "validation")
    found = evaluate(model, images.split)
    assert found.images == 200
    assert found.values["miou"] == pytest.approx(model.metrics["validation_miou"], abs=0.02)
    assert found.mistakes[0].found is not None


def test_a_plain_unet_is_trained_and_kept_like_any_network(tmp_path: Path) -> None:
    metrics = Training("unet-2", data=SCENES, epochs=1, seeds=1, out=tmp_path).run()
    assert metrics.names == ("miou", "pixel_accuracy", "loss")
    images = load_data(SCENES).test.images[:2]
    found = load_model(tmp_path / "seed-0" / "model.safetensors").predict(images)
    assert found.shape == (2, 11, 48, 48)


def test_a_network_that_classifies_images_is_refused(tmp_path: Path) -> None:
    training = Training("resnet8", data=SCENES, epochs=1, out=tmp_path)
    with pytest.raises(
        OptionError, match="resnet8 is for classification, but data 'digits-scenes'"
    ):
        training.run()


def test_a_network_for_another_task_is_refused(tmp_path: Path) -> None:
    network = without_study(Flat(), (1, 48, 48), 11)
    with pytest.raises(NeptuneError, match="for N images of segmentation, but for one image it"):
        Training(network, data=SCENES, epochs=1, out=tmp_path).run()


def test_a_network_learns_from_a_teacher_of_every_pixel(folder: Path, tmp_path: Path) -> None:
    training = Training(
        NETWORK,
        data=f"{SCENES}#40",
        epochs=1,
        seeds=1,
        out=tmp_path,
        threads=1,
        teacher=folder / "model.safetensors",
        teacher_views=1,
    )
    assert training.run().best.test["miou"] > 0


@pytest.mark.parametrize("name", ["resnet8", "unet-2"])
def test_a_model_whose_network_is_for_another_task_is_refused(tmp_path: Path, name: str) -> None:
    model = make_untrained(ReferenceNetwork(name, (1, 48, 48), 3))
    other = {"resnet8": "segmentation", "unet-2": "classification"}[name]
    with pytest.raises(FileFormatError, match=f"its task is {other}, but its network is for"):
        save_model(tmp_path / "model.safetensors", replace(model, task=other))


def test_a_network_in_int8_is_measured_and_written_as_it_was_simulated(tmp_path: Path) -> None:
    training = Training(
        NETWORK, data=f"{SCENES}#40", epochs=1, seeds=1, out=tmp_path, threads=1, int8=True
    )
    metrics = training.run()
    assert metrics.names == ("miou", "pixel_accuracy", "loss", "int8_miou")
    model = load_model(tmp_path / "seed-0" / "model.safetensors", (Dense,))
    kind = file_kind("tflite")
    _, record = export(model, kind, tmp_path / "dense.tflite", load_data(f"{SCENES}#40"))
    assert record is not None
    assert record.measured == record.promised
    assert record.measured["int8_miou"] == model.metrics["validation_int8_miou"]
    assert record.difference == 0
