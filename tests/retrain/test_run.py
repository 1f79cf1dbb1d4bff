import json
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
import torch

from neptune_nas.architecture.records import Architecture, Stem
from neptune_nas.data.images import ImageData, Split
from neptune_nas.data.load import split_files
from neptune_nas.devices.processor import hardware
from neptune_nas.errors import NeptuneError, StudyError
from neptune_nas.interrupts import ExitingHandler
from neptune_nas.models.architecture_file import without_study
from neptune_nas.models.model import load_model
from neptune_nas.retrain.folder import write_terms
from neptune_nas.retrain.history import read_history, write_history
from neptune_nas.retrain.metrics import dumps, load_metrics
from neptune_nas.retrain.progress import TrainingPace, TrainingStep
from neptune_nas.retrain.run import Training
from neptune_nas.training.recipe import Recipe
from neptune_nas.training.resumable_loop import choose
from neptune_nas.training.state import to_device
from tests.data.test_folder import write_classes
from tests.retrain.builders import asked, noting, on, refuse
from tests.training.data import assert_same, endless

METRICS = ("accuracy", "loss")
SEED_FILES = ("model.safetensors", "history.csv", "evaluation.html", "evaluation.json")
KILLED = """
import os, signal, sys
from pathlib import Path
from tests.retrain.builders import asked

def watch(step):
    if (step.seed, step.epoch.number) == (1, 2):
        os.kill(os.getpid(), signal.SIGKILL)

asked(Path(sys.argv[1])).run(watch)
"""


def test_a_folder_holds_what_is_said_to_be_in_it(made: Path) -> None:
    files = {str(file.relative_to(made)) for file in made.rglob("*") if file.is_file()}
    seeds = {f"seed-{n}/{name}" for n in (0, 1) for name in SEED_FILES}
    assert files == {"train.toml", "train.lock", "metrics.json", "curves.html", *seeds}


def test_what_the_data_lacks_is_said_once_before_a_training(tmp_path: Path) -> None:
    write_classes(tmp_path / "pets", 12)
    (tmp_path / "pets" / "blue" / "notes.txt").write_text("some words")
    data, said = f"folder:{tmp_path / 'pets'}", list[str]()
    training = replace(asked(tmp_path / "out"), data=data, epochs=1, seeds=1)
    for _ in range(2):
        training.run(say=said.append)
    recipe, left_out, copies, few = (each for each in said if "chance" not in each)
    assert recipe.startswith("Training uses the strong recipe: ")
    assert left_out.endswith(": files that are not images: 1 (such as blue/notes.txt).")
    assert copies.startswith("10 validation or test images are identical to one of")
    assert few.startswith("The validation split has ")


def test_the_model_is_the_best_of_its_history(made: Path) -> None:
    for seed in (0, 1):
        history = read_history(made / f"seed-{seed}" / "history.csv", METRICS)
        model = load_model(made / f"seed-{seed}" / "model.safetensors")
        choice = choose(history, METRICS)
        assert [epoch.number for epoch in history] == [1, 2, 3]
        assert model.metrics["validation_accuracy"] == choice.values["accuracy"]
        assert model.metrics["weights"] == choice.weights
        assert model.provenance["seed"] == seed


def test_the_metrics_are_those_of_the_models_on_the_test_split(made: Path) -> None:
    training = asked(made)
    test = training.images.test
    for seed in load_metrics(made / "metrics.json").seeds:
        model = load_model(made / f"seed-{seed.seed}" / "model.safetensors")
        right = (model.predict(test.images).argmax(1) == test.targets).float().mean()
        assert seed.test["accuracy"] == pytest.approx(float(right), abs=0.01)


def test_each_model_is_evaluated_beside_it_by_what_was_measured(made: Path) -> None:
    for seed in load_metrics(made / "metrics.json").seeds:
        folder = made / f"seed-{seed.seed}"
        found = json.loads((folder / "evaluation.json").read_text())
        assert {name: found[name] for name in METRICS} == seed.test
        assert (found["model"], found["split"]) == (str(folder / "model.safetensors"), "test")
        assert f"{seed.test['accuracy']:.4f}" in (folder / "evaluation.html").read_text()


@pytest.mark.parametrize("changed", [False, True])
def test_an_evaluation_names_the_files_of_a_folder_that_has_not_changed(
    tmp_path: Path, changed: bool
) -> None:
    write_classes(tmp_path / "pets", 12)
    training = asked(tmp_path / "x", data=f"folder:{tmp_path / 'pets'}", epochs=1, seeds=1)

    def add(_: TrainingStep) -> None:
        if changed:
            for i in range(12):
                copy(tmp_path / "pets" / "red" / "00.png", tmp_path / "pets" / "red" / f"x{i}.png")

    training.run(add)
    worst = json.loads((tmp_path / "x" / "seed-0" / "evaluation.json").read_text())["worst"]
    assert worst
    files = {str(file) for file in split_files(training.data_name)[2]}
    for each in worst:
        assert isinstance(each["image"], int) if changed else each["image"] in files


def test_seeds_differ(made: Path) -> None:
    first, second = load_metrics(made / "metrics.json").seeds
    assert first.validation["loss"] != second.validation["loss"]


def test_a_killed_training_ends_as_one_that_was_not(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "x"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(out)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (out / "seed-1" / "checkpoint.pt").exists()
    told: list[tuple[int, int]] = []
    asked(out).run(lambda step: told.append((step.seed, step.epoch.number)))
    assert told == [(1, 3)]
    for seed in (0, 1):
        whole, parts = (
            load_model(folder / f"seed-{seed}" / "model.safetensors") for folder in (made, out)
        )
        for name, value in whole.state.items():
            torch.testing.assert_close(parts.state[name], value, atol=1e-6, rtol=1e-5)
        assert parts.metrics == pytest.approx(whole.metrics, abs=1e-6)


def test_a_training_on_streamed_images_is_the_same(tmp_path: Path) -> None:
    write_classes(tmp_path / "pictures")
    network = without_study(Architecture(stem=Stem(width=4)), (3, 8, 10), 2)
    data = f"folder:{tmp_path / 'pictures'}"
    held = asked(tmp_path / "held", on(endless), source=network, data=data, seeds=1)
    streamed = replace(held, out=tmp_path / "streamed", data_dir=str(tmp_path / "cache"))
    assert not to_device(held.images, torch.device("cpu"))[0].streamed
    assert to_device(streamed.images, torch.device("cpu"))[0].streamed
    (one,), (other,) = held.run().seeds, streamed.run().seeds
    assert one.test == other.test
    models = [load_model(out.folder.seed(0).model) for out in (held, streamed)]
    assert_same(models[0].state, models[1].state)


def test_a_finished_training_is_read_and_not_trained_or_measured_again(done: Path) -> None:
    before = {file: file.read_bytes() for file in done.rglob("*") if file.is_file()}
    training = asked(done, noting(refuse))
    assert training.is_done
    assert training.run(refuse) == load_metrics(done / "metrics.json")
    assert {file: file.read_bytes() for file in done.rglob("*") if file.is_file()} == before


def test_more_seeds_go_on_with_the_new_ones(done: Path) -> None:
    before = load_metrics(done / "metrics.json")
    told: list[int] = []
    training = asked(done, seeds=3)
    assert not training.is_done
    metrics = training.run(lambda step: told.append(step.seed))
    assert told == [2, 2, 2]
    assert metrics.seeds[:2] == before.seeds
    assert metrics == load_metrics(done / "metrics.json")


def test_each_seed_names_the_machine_that_it_was_measured_on(done: Path) -> None:
    metrics = load_metrics(done / "metrics.json")
    elsewhere = tuple(replace(seed, hardware="another machine") for seed in metrics.seeds)
    (done / "metrics.json").write_text(dumps(replace(metrics, seeds=elsewhere)))
    seeds = asked(done, seeds=3).run().seeds
    another = "another machine"
    assert [seed.hardware for seed in seeds] == [another, another, hardware()]


def test_fewer_seeds_are_read_from_what_is_there(done: Path) -> None:
    assert len(asked(done, seeds=1).run().seeds) == 2


def test_the_test_split_is_not_read_before_every_seed_is_trained(tmp_path: Path) -> None:
    order: list[str] = []
    training = asked(tmp_path / "x", noting(lambda: order.append("test")), epochs=1)
    training.run(lambda step: order.append(f"seed {step.seed}"))
    assert order == ["seed 0", "seed 1", "test", "test"]


def test_a_training_that_is_stopped_leaves_its_curves(tmp_path: Path) -> None:
    def stop(_: TrainingStep) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        asked(tmp_path / "x").run(stop)
    assert (tmp_path / "x" / "curves.html").exists()
    assert not (tmp_path / "x" / "metrics.json").exists()


def test_a_kill_between_checkpoint_and_history_is_gone_on_from(tmp_path: Path) -> None:
    training = asked(tmp_path / "x")
    seed = training.folder.seed(0)
    write_terms(training.folder, training.terms)
    seed.history.mkdir(parents=True)
    with pytest.raises(NeptuneError, match=r"history\.csv cannot be written"):
        training.run()
    seed.history.rmdir()
    assert seed.checkpoint.exists()
    told: list[tuple[int, int]] = []
    asked(tmp_path / "x").run(lambda step: told.append((step.seed, step.epoch.number)))
    assert told[0] == (0, 2)
    assert [epoch.number for epoch in read_history(seed.history, METRICS)] == [1, 2, 3]


@pytest.mark.usefixtures("ctrl_c_raises")
def test_a_ctrl_c_that_got_lost_ends_a_training_after_the_epoch(tmp_path: Path) -> None:
    def lose(step: TrainingStep) -> None:
        told.append(step.epoch.number)
        if len(told) == 1:
            with suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)

    told: list[int] = []
    signal.signal(signal.SIGINT, ExitingHandler(signal.default_int_handler))
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        asked(tmp_path / "x").run(lose)
    assert told == [1]


@pytest.mark.parametrize("text", [None, "nonsense"])
def test_a_lost_history_is_written_again_from_the_checkpoint(
    tmp_path: Path, text: str | None
) -> None:
    def stop(step: TrainingStep) -> None:
        if step.epoch.number == 2:
            raise KeyboardInterrupt

    training = asked(tmp_path / "x", seeds=1)
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        training.run(stop)
    history = training.folder.seed(0).history
    history.unlink() if text is None else history.write_text(text)
    training.run()
    assert [epoch.number for epoch in read_history(history, METRICS)] == [1, 2, 3]


def test_the_test_split_is_read_once_a_seed_though_the_reading_is_stopped(tmp_path: Path) -> None:
    reads = iter((True, False, True))  # whether it goes on

    def stop_at_the_second() -> None:
        if not next(reads):
            raise KeyboardInterrupt

    training = asked(tmp_path / "x", noting(stop_at_the_second), epochs=1)
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        training.run()
    (first,) = load_metrics(training.folder.metrics).seeds
    assert first.seed == 0
    assert not training.is_done
    same, second = training.run().seeds
    assert (same, second.seed) == (first, 1)
    assert next(reads, None) is None


@pytest.mark.parametrize("text", [None, "nonsense"])
def test_the_test_split_is_not_read_for_a_seed_without_a_history(
    done: Path, text: str | None
) -> None:
    (done / "metrics.json").unlink()
    history = done / "seed-0" / "history.csv"
    history.unlink() if text is None else history.write_text(text)
    with pytest.raises(NeptuneError, match=r"history\.csv"):
        asked(done, noting(refuse)).run()


def test_terms_hold_the_augmentation_of_the_data_and_its_classes() -> None:
    training = asked(Path("x"))
    assert training.terms.recipe["crop"] == training.images.crop
    assert training.terms.recipe["flip"] is False
    assert training.terms.classes == tuple("0123456789")


def test_data_with_another_augmentation_is_refused(done: Path) -> None:
    flipped = on(lambda data: replace(data, flip=True))
    with pytest.raises(StudyError, match="the recipe's flip False, but now it is True"):
        asked(done, flipped).run()


@pytest.mark.parametrize("text", [None, "the test split not read"])
def test_curves_that_are_missing_or_behind_are_drawn_again(done: Path, text: str | None) -> None:
    page = done / "curves.html"
    page.unlink() if text is None else page.write_text(text)
    asked(done).run()
    assert "over 2 seeds" in page.read_text()


def test_an_empty_history_does_not_hide_what_went_wrong(tmp_path: Path) -> None:
    def spoil(_: TrainingStep) -> None:
        write_history(tmp_path / "x" / "seed-0" / "history.csv", (), METRICS)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        asked(tmp_path / "x").run(spoil)


def test_a_lone_image_is_a_sentence(tmp_path: Path) -> None:
    lone = on(lambda data: replace(data, train=data.train[torch.tensor([0])]))
    # Its last feature map has but one pixel.
    training = asked(tmp_path / "x", lone, source="mobilenet_v3_small")
    with pytest.raises(NeptuneError, match=r"seed-0 met a batch of one image, .*: take more"):
        training.run()


def test_the_time_that_is_left_falls_to_nothing(tmp_path: Path) -> None:
    left: list[float] = []
    asked(tmp_path / "x").run(lambda step: left.append(step.seconds_left))
    assert left[-1] == 0.0
    assert min(left[:-1]) > 0


def test_a_forecast_counts_every_epoch_that_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(step: TrainingStep) -> None:
        if (step.seed, step.epoch.number) == (0, 2):
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingPace, "seconds_for", lambda _, epochs: float(epochs))
    training = asked(tmp_path / "x")
    assert training.forecast() == 6.0
    assert asked(tmp_path / "y", epochs=1, seeds=1).forecast() == 1.0
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        training.run(stop)
    assert training.forecast() == 4.0
    (tmp_path / "x" / "seed-0" / "history.csv").unlink()  # a training needs the checkpoint alone
    assert training.forecast() == 6.0


def test_there_is_no_forecast_of_what_is_trained(done: Path) -> None:
    assert asked(done).forecast() is None


def test_a_training_that_diverges_says_what_to_change(tmp_path: Path) -> None:
    recipe = Recipe(lr=100.0, optimizer="sgd", clip_norm=0.0, schedule="constant")
    with pytest.raises(NeptuneError, match=r"seed-0 diverged: .* of 9: lower the recipe's `lr`"):
        asked(tmp_path / "x", recipe=recipe, epochs=9).run()


def test_a_hand_designed_network_is_trained_alike(tmp_path: Path) -> None:
    metrics = asked(tmp_path / "x", source="resnet8", epochs=1, seeds=1).run()
    assert metrics.terms.network == "resnet8"
    assert metrics.costs["flops"] == 1_527_040
    assert json.loads((tmp_path / "x" / "metrics.json").read_text())["seeds"][0]["seed"] == 0


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"device": "gpu"}, "device 'gpu' is unknown"),
        ({"data": "minst"}, "data 'minst' is unknown"),
    ],
)
def test_a_name_is_looked_at_when_it_is_given(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(NeptuneError, match=says):
        Training("resnet8", **{"data": "digits", **wrong})


def test_a_training_that_ends_at_chance_says_so_once(tmp_path: Path) -> None:
    def blind(data: ImageData) -> ImageData:
        black = torch.zeros_like(data.validation.images)  # one answer for all, so at most chance
        return replace(data, validation=Split(black, data.validation.targets))

    said = list[str]()
    training = asked(tmp_path / "x", on(blind), epochs=1, seeds=1)
    for _ in range(2):
        training.run(say=said.append)
    assert len([text for text in said if "not clearly better than chance" in text]) == 1


def test_a_folder_has_an_id_of_its_own_and_keeps_it(made: Path, tmp_path: Path) -> None:
    first = load_metrics(made / "metrics.json").terms.id
    assert asked(made).terms.id == first != ""
    assert asked(tmp_path).terms.id not in (first, asked(tmp_path / "other").terms.id)
