from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest

from neptune_nas.deploy.execution import run_int8
from neptune_nas.deploy.int8_model import quantised_of
from neptune_nas.errors import StudyError
from neptune_nas.graphs.lowering import UnsupportedOperationError
from neptune_nas.metrics.registry import INT8
from neptune_nas.metrics.score import Score
from neptune_nas.models.model import load_model, save_model
from neptune_nas.retrain.int8 import add_int8
from neptune_nas.retrain.metrics import load_metrics
from neptune_nas.retrain.run import Training
from neptune_nas.training.recipe import Recipe
from tests.retrain.builders import NETWORK, asked, refuse

NAME = INT8[0].name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("int8") / "x"
    training(out).run()
    return out


def training(out: Path, **changes: object) -> Training:
    recipe = Recipe(batch_size=16, lr=0.02, precision="fp32")
    return asked(out, source="plain-4", seeds=1, int8=True, recipe=recipe, **changes)


def test_each_seed_has_its_network_in_int8_measured_on_both_splits(folder: Path) -> None:
    (seed,) = load_metrics(folder / "metrics.json").seeds
    model = load_model(folder / "seed-0" / "model.safetensors")
    data, quantised = training(folder).images, quantised_of(model)
    assert quantised is not None
    for split, found in ((data.validation, seed.validation), (data.test, seed.test)):
        right = run_int8(quantised, split.images.float() / 255).argmax(1) == split.targets
        assert found[NAME] == int(right.sum()) / len(split)
    assert model.metrics["validation_int8_accuracy"] == seed.validation[NAME]
    assert [*seed.test] == ["accuracy", "loss", NAME]


def test_a_finished_training_is_read_and_not_quantised_again(folder: Path) -> None:
    assert training(folder).is_done
    assert training(folder).run(refuse, refuse).seeds == load_metrics(folder / "metrics.json").seeds


def test_int8_is_a_term_of_a_training(folder: Path) -> None:
    with pytest.raises(StudyError, match=r"int8 calibrated on 256 .* but now it is not at all"):
        replace(training(folder), int8=False).run()


def test_a_seed_that_was_stopped_before_int8_goes_on_with_it(tmp_path: Path) -> None:
    def stop(sentence: str) -> None:
        if "int8" in sentence:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        training(tmp_path / "x").run(say=stop)
    said: list[str] = []
    training(tmp_path / "x").run(refuse, said.append)
    assert load_metrics(tmp_path / "x" / "metrics.json").names == ("accuracy", "loss", NAME)


def test_a_network_that_loses_much_is_fine_tuned(folder: Path, tmp_path: Path) -> None:
    again = training(copytree(folder, tmp_path / "x"))
    file = again.folder.seed(0).model
    model = load_model(file)
    best = {**model.metrics, "validation_accuracy": 1.0}
    save_model(file, replace(model, int8={}, metrics=best))
    said = add_int8(again.job, 0, again.folder.seed(0))
    assert "in float 1.0000; 3 epochs of fine-tuning in int8 gave 0." in said
    assert quantised_of(load_model(file)) is not None
    assert add_int8(again.job, 0, again.folder.seed(0)) == ""


def test_a_network_without_an_int8_path_is_refused_before_it_is_trained(tmp_path: Path) -> None:
    published = asked(tmp_path / "x", source="mobilenet_v3_small", int8=True)
    with pytest.raises(
        UnsupportedOperationError,
        match=r"mobilenet_v3_small cannot be trained for int8: .*hardsigmoid.*leave out `int8`",
    ):
        published.run(refuse)
    assert not (tmp_path / "x").exists()


def test_a_network_whose_search_measured_int8_gets_it_by_default(tmp_path: Path) -> None:
    assert asked(tmp_path).terms.calibration is None
    known = replace(NETWORK, scores=(Score(1, {NAME: 0.5, "accuracy": 0.5, "loss": 1.0}),))
    assert asked(tmp_path, source=known).terms.calibration is not None
    assert asked(tmp_path, source=known, int8=False).terms.calibration is None
