import re
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from neptune_nas.data.load import load_data
from neptune_nas.data.notes import notes_on
from neptune_nas.data.tensors import save_tensors
from tests.data.folders import write_boxed, write_classes, write_picture


def notes(name: object) -> list[str]:
    return [*notes_on(load_data(str(name)), None)]


@pytest.mark.parametrize("name", ["digits", "digits#100"])
def test_of_an_even_data_set_there_is_nothing_to_say(name: str) -> None:
    assert notes(name) == []


def test_copies_across_splits_are_counted_with_an_example(tmp_path: Path) -> None:
    for name, images in (("train", 10), ("test", 3)):
        write_classes(tmp_path / name, images)
    train, test = tmp_path / "train" / "cat", tmp_path / "test" / "dog"
    for i in range(2):
        shutil.copy(train / f"00{i}.png", test / f"copy{i}.png")
    note, _ = notes(f"folder:{tmp_path}")
    assert note.startswith("2 validation or test images are identical to one of another split")
    assert f"(such as {test / 'copy0.png'} and {train / '000.png'})" in note


def test_a_copy_in_another_format_is_a_copy(tmp_path: Path) -> None:
    for name, images in (("train", 10), ("val", 3), ("test", 3)):
        write_classes(tmp_path / name, images)
    with Image.open(tmp_path / "val" / "cat" / "000.png") as image:
        image.save(tmp_path / "test" / "dog" / "x.bmp")
    note, _ = notes(f"folder:{tmp_path}")
    assert note.startswith("1 validation or test image is identical to one of another")


def test_copies_that_a_random_split_takes_apart_are_counted(tmp_path: Path) -> None:
    write_classes(tmp_path, 2)
    for i in range(14):
        shutil.copy(tmp_path / "cat" / "000.png", tmp_path / "cat" / f"copy{i:02}.png")
    write_classes(tmp_path, 16, ("dog",))
    note, _ = notes(f"folder:{tmp_path}")
    assert note.startswith("7 validation or test images are identical")


def test_copies_in_a_file_of_tensors_are_counted(tmp_path: Path) -> None:
    images = torch.randint(256, (40, 1, 4, 4), generator=torch.Generator().manual_seed(0)).byte()
    labels = torch.arange(40) % 2
    test = images[:6].clone()
    test[3:] += 1
    name = save_tensors(tmp_path / "a.safetensors", (images, labels), test=(test, labels[:6]))
    note, _ = notes(name)
    assert note.startswith("3 validation or test images are identical to one of another split")


def test_a_class_of_one_image_is_named_for_each_split_that_lacks_it(tmp_path: Path) -> None:
    write_classes(tmp_path, 9)
    write_picture(tmp_path / "owl" / "1.png")
    *gaps, _ = notes(f"folder:{tmp_path}")
    assert gaps == [
        f"1 of 3 classes has no {split} image, such as 'owl' (1 training image): it is not "
        f"measured."
        for split in ("validation", "test")
    ]


def test_a_class_that_a_given_split_lacks_is_named(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", 5, ("cat", "dog", "owl", "rat"))
    write_classes(tmp_path / "val", 3)
    write_classes(tmp_path / "test", 3, ("cat", "dog", "owl", "rat"))
    note, _ = notes(f"folder:{tmp_path}")
    assert note.startswith("2 of 4 classes have no validation image, such as 'owl' (5 training")


def test_a_class_without_a_training_image_is_named(tmp_path: Path) -> None:
    images, labels = torch.rand(20, 4, 4), torch.arange(20) % 2
    test = torch.rand(3, 4, 4), torch.arange(3)
    name = save_tensors(tmp_path / "a.safetensors", (images, labels), test=test)
    assert any("has no training image, such as '2' (0 tr" in note for note in notes(name))


@pytest.mark.parametrize(
    ("images", "step"),
    [(2, "2 images, so accuracy changes in steps of 50%"), (4, "25%"), (1, "1 image, .* 100%")],
)
def test_a_step_of_accuracy_that_is_large_is_said(tmp_path: Path, images: int, step: str) -> None:
    labels = torch.arange(40) % 2
    train = torch.rand(40, 1, 4, 4), labels
    held, test = ((torch.rand(images, 1, 4, 4), labels[:images]) for _ in range(2))
    name = save_tensors(tmp_path / "a.safetensors", train, validation=held, test=test)
    found = [each for each in notes(name) if each.startswith("The validation split has")]
    assert len(found) == 1
    assert re.search(step, found[0])


def test_twenty_images_to_choose_by_need_no_warning(tmp_path: Path) -> None:
    train = torch.rand(40, 1, 4, 4), torch.arange(40) % 2
    held, test = ((torch.rand(20, 1, 4, 4), torch.arange(20) % 2) for _ in range(2))
    assert notes(save_tensors(tmp_path / "a.safetensors", train, held, test)) == []


def test_classes_of_unequal_sizes_are_told_with_what_a_guess_gets(tmp_path: Path) -> None:
    write_classes(tmp_path, 200, ("cat",))
    write_classes(tmp_path, 5, ("dog",))
    (note,) = notes(f"folder:{tmp_path}")
    assert note.startswith(
        "The classes are unequal: 'cat' has 200 images, 'dog' 5. Always predicting"
    )
    assert "0.9756 of validation and 0.9756 of test images; that counts as chance" in note


def test_what_a_folder_leaves_out_is_said_first(tmp_path: Path) -> None:
    write_classes(tmp_path)
    (tmp_path / "readme.txt").write_text("some words")
    (tmp_path / "cat" / "notes.md").write_text("more words")
    write_picture(tmp_path / "cover.jpg")
    write_picture(tmp_path / ".ipynb_checkpoints" / "000.png")
    note, _ = notes(f"folder:{tmp_path}")
    assert note.startswith(f"Left out of {tmp_path}: ")
    assert "files that are not images: 2 (such as readme.txt)" in note
    assert "hidden and system files and folders: 1 (such as .ipynb_checkpoints)" in note
    assert "images outside class folders: 1 (such as cover.jpg)" in note


def test_a_class_without_boxes_in_a_split_is_told(tmp_path: Path) -> None:
    write_boxed(tmp_path, classes=2)
    file = tmp_path / "annotations.json"
    file.write_text(file.read_text().replace('"kind 1"}', '"kind 1"}, {"id": 7, "name": "rare"}'))
    assert notes(f"folder:{tmp_path}") == [
        f"1 of 3 classes has no {split} image, such as 'rare' (0 training images): {end}."
        for split, end in (
            ("training", "it cannot be learned"),
            ("validation", "it is not measured"),
            ("test", "it is not measured"),
        )
    ]
