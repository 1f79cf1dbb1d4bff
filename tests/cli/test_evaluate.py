import json
import os
import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
import torch
from PIL import Image
from rich.console import Console

from neptune_nas.architecture.records import Architecture, Stem
from neptune_nas.cli.evaluation_tables import confusion_table
from neptune_nas.data.load import load_data
from neptune_nas.models.architecture_file import without_study
from neptune_nas.models.model import load_model, make_untrained, save_model
from tests.cli.run import Outcome, assert_one_sentence, neptune
from tests.data.folders import write_classes, write_picture
from tests.report.test_evaluation import evaluated

CLASSES = ("cat", "dog", "o\x1b[31mwl")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model of three classes, one of them with a hostile name."""
    path = tmp_path_factory.mktemp("evaluate") / "model.safetensors"
    fresh = make_untrained(without_study(Architecture(Stem(4)), (3, 8, 8), 3))
    save_model(path, replace(fresh, labels=CLASSES))
    return path


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Return a folder of twelve pictures of two classes."""
    write_classes(tmp_path / "pets", 6)
    return tmp_path / "pets"


def evaluate(model: Path, folder: Path, *options: object) -> Outcome:
    return neptune("evaluate", model, f"folder:{folder}", *options)


def predicted(model: Path, folder: Path) -> dict[str, tuple[str, float]]:
    """Return the label of each picture and its probability, as `predict` says them."""
    found = json.loads(neptune("predict", model, folder, "--format", "json").out)
    return {
        each["image"]: (each["labels"][0]["label"], each["labels"][0]["probability"])
        for each in found
    }


def test_it_says_how_many_of_the_predictions_are_right(model: Path, pets: Path) -> None:
    labels = predicted(model, pets)
    right = sum(Path(image).parent.name == label for image, (label, _) in labels.items())
    outcome = evaluate(model, pets)
    assert outcome.code == 0
    first, chance, *rest = outcome.out.splitlines()
    assert re.fullmatch(
        rf"accuracy {right / 12:.4f}, 95% interval 0\.\d+ to [01]\.\d+, on 12 images: "
        rf"all images of folder:{re.escape(str(pets))}\.",
        first,
    )
    assert chance == "Chance, the score of the best constant answer, is 0.5000."
    assert any(re.match(r"\s+2\s+dog\s+[\d.]+\s+[\d.-]+\s+6\s", line) for line in rest)
    assert f"The surest of {12 - right} mistake" in outcome.out
    assert outcome.err == (
        "1 of 3 classes has no image here, so it is not measured: o\\x1b[31mwl.\n"
    )
    assert "\x1b" not in outcome.out


def test_the_surest_mistakes_are_those_of_the_predictions(
    model: Path, pets: Path, tmp_path: Path
) -> None:
    labels = predicted(model, pets)
    wrong = {image: found for image, found in labels.items() if Path(image).parent.name != found[0]}
    written = tmp_path / "a.json"
    outcome = evaluate(model, pets, "--json", written, "--worst", 99)
    assert outcome.out.endswith(f"JSON: {written}\n")
    found = json.loads(written.read_text())
    assert [each["image"] for each in found["worst"]] == sorted(wrong, key=lambda i: -wrong[i][1])
    for each in found["worst"]:
        label, probability = wrong[each["image"]]
        assert each["predicted"] == label
        assert each["probability"] == pytest.approx(probability, abs=1e-5)
        assert each["label"] == Path(each["image"]).parent.name


def test_a_page_is_written_with_so_many_pictures(model: Path, pets: Path, tmp_path: Path) -> None:
    page = tmp_path / "out" / "page.html"
    outcome = evaluate(model, pets, "-o", page, "--worst", 2)
    assert outcome.out.endswith(f"Page: {page}\n")
    assert page.read_text().count('src="data:image/png') == 2
    table = outcome.out.partition("The surest of")[2]
    assert table.count(".png") == 2


def test_no_mistake_needs_no_table(model: Path, tmp_path: Path, pets: Path) -> None:
    image, (label, _) = next(iter(predicted(model, pets).items()))
    (tmp_path / "one" / label).mkdir(parents=True)
    Path(image).rename(tmp_path / "one" / label / "a.png")
    outcome = evaluate(model, tmp_path / "one")
    assert outcome.code == 0
    assert outcome.out.startswith("accuracy 1.0000, 95% interval 0.2065 to 1.0000, on 1 image: all")
    assert "predicted as" not in outcome.out
    assert "The surest of" not in outcome.out


@pytest.mark.parametrize(("images", "is_whole"), [(400, True), (90_000, False)])
def test_a_matrix_is_shown_where_it_fits_into_the_terminal(images: int, is_whole: bool) -> None:
    found, _ = evaluated(tuple(map(str, range(12))), images)
    terminal = Console(width=80, file=StringIO())
    terminal.print(table := confusion_table(found, terminal))
    assert isinstance(terminal.file, StringIO)
    assert ("…" in terminal.file.getvalue(), len(table.columns)) == (False, 13 if is_whole else 3)


def test_many_classes_are_listed_as_pairs(tmp_path: Path) -> None:
    item = without_study(Architecture(Stem(4)), (1, 8, 8), 30)
    save_model(tmp_path / "model.safetensors", make_untrained(item))
    write_classes(tmp_path / "many", 2, map(str, range(30)))
    outcome = evaluate(tmp_path / "model.safetensors", tmp_path / "many")
    assert outcome.code == 0
    assert "predicted as:" not in outcome.out
    assert re.search(r"class\s+predicted\s+images", outcome.out)


def test_unreadable_pictures_are_counted_and_the_rest_evaluated(model: Path, pets: Path) -> None:
    (pets / "cat" / "broken.png").write_text("none")
    outcome = evaluate(model, pets)
    assert outcome.code == 0
    assert "on 12 images" in outcome.out
    assert "Left out 1 image that cannot be read; the first: " in outcome.err
    assert "broken.png must be an intact image" in outcome.err


def test_names_that_are_not_utf8_are_shown_with_escapes(
    model: Path, pets: Path, tmp_path: Path
) -> None:
    odd = pets.rename(os.fsdecode(os.fsencode(tmp_path) + b"/p\xe9ts"))
    write_picture(odd / "cat" / os.fsdecode(b"\xe9\x1b[31m.png"))
    outcome = evaluate(model, odd, "-o", tmp_path / "a.html", "--json", tmp_path / "a.json")
    assert outcome.code == 0, outcome
    assert r"/p\xe9ts." in outcome.out.splitlines()[0]
    assert "\x1b" not in outcome.out + outcome.err + (tmp_path / "a.html").read_text()
    assert json.loads((tmp_path / "a.json").read_text())["images"] == 13


def test_a_data_set_by_name_gives_its_test_split(tmp_path: Path) -> None:
    fresh = make_untrained(without_study(Architecture(Stem(4)), (1, 8, 8), 10))
    save_model(tmp_path / "model.safetensors", fresh)
    outcome = neptune("evaluate", tmp_path / "model.safetensors", "digits")
    test = load_data("digits").test
    right = fresh.predict(test.images).argmax(1) == test.targets
    assert outcome.out.startswith(f"accuracy {float(right.double().mean()):.4f}, ")
    assert f"on {len(test)} images: the test split of digits." in outcome.out


def test_a_training_evaluates_its_test_split_in_the_same_way(tmp_path: Path) -> None:
    write_classes(tmp_path / "pets", 30)
    data = f"folder:{tmp_path / 'pets'}"
    options = ("--data", data, "--epochs", 1, "--seeds", 2, "--threads", 1, "-o", tmp_path / "x")
    outcome = neptune("train", "resnet8", *options)
    last = outcome.out.splitlines()[-1]
    found = re.fullmatch(
        r"Tested:  (accuracy [\d.]+, 95% interval [\d.]+ to [\d.]+), on 12 images with seed (\d), "
        r"the best on validation: (.*)",
        last,
    )
    assert found, outcome
    model = tmp_path / "x" / f"seed-{found[2]}" / "model.safetensors"
    assert Path(found[3]) == model.with_name("evaluation.html")
    validation = [
        load_model(tmp_path / "x" / f"seed-{seed}" / model.name).metrics["validation_accuracy"]
        for seed in (0, 1)
    ]
    assert validation[int(found[2])] == max(validation)
    again = neptune("evaluate", model, data, "--json", tmp_path / "a.json")
    assert again.out.startswith(f"{found[1]}, on 12 images: the test split of {data}.")
    assert "so it is evaluated on the 12 that training held out" in again.err
    written, own = (
        json.loads(path.read_text())
        for path in (tmp_path / "a.json", model.with_name("evaluation.json"))
    )
    assert written.pop("notes")
    assert own.pop("notes") == []
    assert written.pop("loss") == pytest.approx(own.pop("loss"))
    for one, other in zip(written.pop("worst"), own.pop("worst"), strict=True):
        assert one == pytest.approx(other)
    assert written == own
    assert neptune("train", "resnet8", *options).out.splitlines()[-1] == last


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (("--worst", -1), "`--worst` must be a whole number of at least 0, but got -1"),
        (("--worst", "x"), "`--worst` must be a whole number, but got 'x'"),
        (("--split", "tset"), "--split 'tset' is unknown: did you mean 'test'?"),
        (("--split", "validation"), "has no validation split"),
        (("--device", "tpu"), "device 'tpu' is unknown"),
        (("-o", "model.safetensors"), "--out must name a file that ends in .html, but got model."),
        (("--json", "a.html"), "--json must name a file that ends in .json, but got a.html"),
    ],
)
def test_a_mistake_is_one_sentence(
    model: Path, tmp_path: Path, options: tuple[object, ...], part: str
) -> None:
    write_classes(tmp_path / "pets" / "test", 2)
    assert_one_sentence(evaluate(model, tmp_path / "pets", *options), part)


def test_what_is_no_labelled_folder_is_refused_in_one_sentence(
    model: Path, pets: Path, tmp_path: Path
) -> None:
    assert_one_sentence(evaluate(model, tmp_path / "none"), "must be a folder, but does not exist")
    assert_one_sentence(
        evaluate(model, pets / "cat"), "at least one folder of images, one per class"
    )
    assert_one_sentence(neptune("evaluate", model, pets), f"did you mean 'folder:{pets}'?")
    (pets / "cow").mkdir()
    assert_one_sentence(evaluate(model, pets), "cow is not", "--skip-unknown")
    assert evaluate(model, pets, "--skip-unknown").code == 0


def test_a_model_that_no_picture_fits_is_refused_in_one_sentence(
    pets: Path, tmp_path: Path
) -> None:
    fresh = make_untrained(without_study(Architecture(Stem(4)), (2, 8, 8), 2))
    save_model(tmp_path / "two.safetensors", replace(fresh, labels=("cat", "dog")))
    assert_one_sentence(evaluate(tmp_path / "two.safetensors", pets), "a network of 2 channels")
    assert_one_sentence(evaluate(pets / "cat" / "000.png", pets), "000.png")


def test_gray_pictures_are_converted_and_that_is_said(model: Path, pets: Path) -> None:
    Image.fromarray(torch.zeros(8, 8).byte().numpy()).save(pets / "cat" / "gray.png")
    assert "Converted 1 image from gray to RGB" in evaluate(model, pets).err
