import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from neptune_nas.devices.processor import usable_cores
from neptune_nas.retrain.metrics import load_metrics
from neptune_nas.study.read import read_study
from tests.cli.run import assert_one_sentence, neptune
from tests.cli.test_interrupt import unblock_ctrl_c

SHORT = ("--epochs", 1, "--seeds", 2, "--threads", 1)


def test_a_trial_of_a_study_is_trained_with_its_data_and_recipe(
    study: Path, tmp_path: Path
) -> None:
    outcome = neptune("train", study, "--best", "knee", *SHORT, "-o", tmp_path / "x")
    assert outcome.code == 0, outcome
    terms = load_metrics(tmp_path / "x" / "metrics.json").terms
    assert (terms.data, terms.recipe["batch_size"]) == ("digits", 64)
    for part in (
        "mean",
        "once for each of 2 seeds",
        "±",
        "FLOPs",
        "metrics.json",
        "curves.html",
        "model.safetensors",
    ):
        assert part in outcome.out
    for seed in (0, 1):
        assert f"seed {seed} ({seed + 1} of 2), epoch 1/1: accuracy 0." in outcome.err


def test_a_finished_training_says_so(study: Path, tmp_path: Path) -> None:
    command = ("train", study / "best.json", *SHORT, "-o", tmp_path / "x")
    assert "Trained before" not in neptune(*command).out
    again = neptune(*command)
    assert "Already trained: the results were read from" in again.out
    assert again.err == ""


def test_a_recipe_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("lr = 0.02")
    out = tmp_path / "x"
    options = ("--data", "digits#60", "--recipe", tmp_path / "recipe.toml", "-o", out, "-q")
    outcome = neptune("train", "resnet8", *options, *SHORT)
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert load_metrics(out / "metrics.json").terms.recipe["lr"] == 0.02


def test_the_default_recipe_can_be_had_by_its_name(tmp_path: Path) -> None:
    options = ("--data", "digits#60", "-o", tmp_path / "x", "-q", *SHORT)
    assert neptune("train", "resnet8", "--recipe", "default", *options).code == 0
    assert load_metrics(tmp_path / "x" / "metrics.json").terms.recipe["optimizer"] == "adamw"
    assert_one_sentence(neptune("train", "resnet8", *options), "adamw, but now it is muon")


def test_a_plain_network_is_trained_by_the_recipe_of_a_study(study: Path, tmp_path: Path) -> None:
    options = ("--data", "digits#60", "--recipe", study / "study.toml", "-o", tmp_path / "x", "-q")
    outcome = neptune("train", "plain-4", *options, *SHORT)
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    asked = tomllib.loads((study / "study.toml").read_text())["question"]["recipe"]
    recipe = load_metrics(tmp_path / "x" / "metrics.json").terms.recipe
    decided = ("crop", "flip")  # auto, until the images are known
    assert {name: recipe[name] for name in asked if name not in decided} == {
        name: value for name, value in asked.items() if name not in decided
    }


def test_the_network_of_a_trained_model_is_trained(study: Path, tmp_path: Path) -> None:
    neptune("train", study / "best.json", *SHORT, "-o", tmp_path / "x", "-q")
    model = tmp_path / "x" / "seed-0" / "model.safetensors"
    outcome = neptune("train", model, *SHORT, "-o", tmp_path / "y", "-q")
    assert (outcome.code, outcome.err) == (0, "")
    one, two = (load_metrics(tmp_path / name / "metrics.json") for name in "xy")
    assert one.terms == two.terms


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("resnet9",), ("resnet9 is not a file, a study's folder", "did you mean 'resnet8'")),
        (("none.json",), ("none.json cannot be read",)),
        (("resnet8",), ("needs `data`, such as cifar10",)),
        (("resnet8", "--best", "knee"), ("resnet8 is not a folder",)),
        (("resnet8", "--trial", "1"), ("resnet8 is not a folder",)),
        (("STUDY", "--best", "fastest"), ("--best 'fastest' is unknown",)),
        (("STUDY", "--trial", "99"), ("trials 0 to 2", "asks for 99")),
        (("STUDY", "--epochs", "0"), ("`epochs` must be a whole number of at least 1, but got 0",)),
        (("STUDY", "--recipe", "none.toml"), ("none.toml cannot be read",)),
        (("STUDY", "--data", "minst"), ("data 'minst' is unknown",)),
        (("STUDY", "--device", "tpu"), ("device 'tpu' is unknown",)),
        (
            ("resnet18", "--data", "digits#0"),
            ("must be 10 (one image a class)", "but got 0"),
        ),
        ((".",), ("is not a study",)),
    ],
)
def test_a_mistake_is_one_sentence(
    study: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    parts: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    words = (str(study) if word == "STUDY" else word for word in arguments)
    assert_one_sentence(neptune("train", *words), *parts)
    assert [*tmp_path.rglob("*")] == []


def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    options = ("--data", "digits#60", "--epochs", "2000", "--threads", "1", "-o", str(tmp_path))
    command = [sys.executable, "-m", "neptune_nas", "train", "resnet8", *options]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, preexec_fn=unblock_ctrl_c
    ) as process:
        assert process.stderr is not None
        recipe, epoch = process.stderr.readline(), process.stderr.readline()
        assert recipe.startswith("Training uses the strong recipe: muon, learning rate 0.02, ")
        assert epoch.startswith("seed 0 (1 of 3), epoch 1/2000: ")
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 130, rest
    assert "Traceback" not in rest
    assert f"Stopped; results so far are in {tmp_path}. The same command resumes." in rest


def test_a_dry_run_says_what_would_be_trained_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ("train", "resnet8", "--data", "digits#60", "--epochs", 3, "--seeds", 2)
    outcome = neptune(*asked, "--threads", 1, "--dry-run")
    recipe = "Training uses the strong recipe: muon, learning rate 0.02, batches of 16 images.\n"
    assert (outcome.code, outcome.err) == (0, recipe)
    for part in ("resnet8: ", " FLOPs, ", "60 training, 360 validation, 359 test images"):
        assert part in outcome.out
    assert re.search(r"2 seeds of 3 epochs each, on cpu, about \S+\n", outcome.out)
    assert str(Path("trained", "resnet8-digits-60")) in outcome.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_dry_run_of_few_epochs_does_not_say_that_all_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epochs: int
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ("train", "resnet8", "--data", "digits#60", "--epochs", epochs, "--seeds", 1)
    outcome = neptune(*asked, "--threads", 1, "--dry-run")
    assert "all trained" not in outcome.out
    assert re.search(r"on cpu, about \S+\n", outcome.out)


def test_a_dry_run_refuses_what_the_training_would_and_says_what_is_done(
    study: Path, tmp_path: Path
) -> None:
    once = ("train", study, "--seeds", 1, "--threads", 1, "-o", tmp_path)
    assert neptune(*once, "--epochs", 1, "-q").code == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert "all trained" in neptune(*once, "--epochs", 1, "--dry-run").out
    assert_one_sentence(neptune(*once, "--epochs", 2, "--dry-run"), "started with epochs 1")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_pick_that_has_moved_names_the_trial_to_go_on_with(study: Path, tmp_path: Path) -> None:
    picked = read_study(study).best("accuracy").number
    other = next(trial.number for trial in read_study(study).trials if trial.number != picked)
    once = ("--epochs", 1, "--seeds", 1, "--threads", 1, "-o", tmp_path / "x", "-q")
    assert neptune("train", study, "--trial", other, *once).code == 0
    outcome = neptune("train", study, "--best", "accuracy", *once)
    parts = (
        f"the trial now first by accuracy in {study} is trial {picked}, but",
        f"{tmp_path / 'x'} was started with trial {other}: use --trial {other} to go on",
        "(--out)",
    )
    assert_one_sentence(outcome, *parts)
    named = neptune("train", study, "--trial", picked, *once)
    assert_one_sentence(named, f"the chosen trial in {study} is trial {picked}", *parts[1:])
    assert neptune("train", study, "--trial", other, *once).code == 0


def test_single_values_change_the_recipe_of_the_search(study: Path, tmp_path: Path) -> None:
    once = ("--epochs", 1, "--seeds", 1, "--threads", 1, "-o", tmp_path / "x", "-q")
    assert neptune("train", study, "--set", "lr=0.01", "--set", "flip=false", *once).code == 0
    recipe = load_metrics(tmp_path / "x" / "metrics.json").terms.recipe
    assert (recipe["lr"], recipe["flip"], recipe["batch_size"]) == (0.01, False, 64)
    wrong = neptune("train", study, "--set", "lrr=0.01", *once)
    assert_one_sentence(wrong, "--set: `lrr` is unknown", "did you mean 'lr'")


def test_the_threads_are_those_that_train_fastest_and_are_recorded(tmp_path: Path) -> None:
    options = ("--data", "digits#60", "--epochs", 1, "--seeds", 1, "-o", tmp_path / "x")
    outcome = neptune("train", "resnet8", *options)
    assert outcome.code == 0
    (seed,) = load_metrics(tmp_path / "x" / "metrics.json").seeds
    if usable_cores() > 1:
        said = next(line for line in outcome.err.splitlines() if "fastest: a step takes" in line)
        assert said.startswith(f"{seed.threads} thread")
    assert 1 <= (seed.threads or 0) <= usable_cores()
    assert neptune("train", "resnet8", *options).err == ""


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
def test_a_training_is_tracked_in_its_folder(tmp_path: Path, name: str) -> None:
    options = ("--data", "digits#60", *SHORT, "-o", tmp_path / "x")
    outcome = neptune("train", "resnet8", *options, "--tracker", name)
    assert outcome.code == 0, outcome
    folder = tmp_path / "x" / {"mlflow": "mlruns"}.get(name, name)
    assert [*folder.rglob("*")]
    assert f"Tracked: {'tensorboard' if name == 'tensorboard' else 'MLFLOW'}" in outcome.err


def test_epochs_fewer_than_those_of_the_search_are_told(tmp_path: Path) -> None:
    asked = ("--space", "tiny", "--trials", 1, "--epochs", 2, "-j", 1, "--threads", 1)
    assert neptune("search", *asked, "--out", tmp_path, "-q").code == 0
    once = ("train", tmp_path / "tiny-digits", "--epochs", 1, "--seeds", 1, "--threads", 1)
    note = "1 epoch of training is fewer than the 2 that this network had in its search"
    assert note in neptune(*once, "-o", tmp_path / "x", "--dry-run").err
    assert note in neptune(*once, "-o", tmp_path / "x").err
