import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copy, copytree

import pytest
import torch
from PIL import Image

from neptune_nas.data.images import NO_BOX
from neptune_nas.data.labelled_images import LabelledImages, labelled_images
from neptune_nas.data.load import load_data, split_files
from neptune_nas.data.pictures import read_picture
from neptune_nas.data.training_images import TrainedOn
from neptune_nas.errors import DataError
from tests.data.folders import write_boxed, write_classes, write_masked, write_picture

SHAPE = (3, 8, 8)
PETS = TrainedOn(("cat", "dog"), SHAPE)


def read(folder: Path, part: str | None = None, model: TrainedOn = PETS) -> LabelledImages:
    return labelled_images(f"folder:{folder}", model, part)


def trained_on(folder: Path, count: str = "") -> TrainedOn:
    """Return what a model knows of the folder that it was trained on."""
    name = f"folder:{folder}{count}"
    return replace(PETS, data=name, fingerprint=load_data(name).fingerprint)


def test_a_folder_without_splits_is_read_whole_as_a_prediction_reads_it(tmp_path: Path) -> None:
    write_picture(tmp_path / "dog" / "wide.png", (30, 20))
    write_picture(tmp_path / "cat" / "tall.jpg", (9, 40))
    found = read(tmp_path)
    assert (found.part, found.split.targets.tolist(), found.notes) == ("all", [0, 1], ())
    assert [file.name for file in found.files] == ["tall.jpg", "wide.png"]
    for image, file in zip(found.split.images, found.files, strict=True):
        assert torch.equal(image, read_picture(file, SHAPE).pixels)


def test_labels_are_places_in_the_models_classes_whatever_the_folder_lacks(tmp_path: Path) -> None:
    write_classes(tmp_path, 2, ("zebra", "dog"))
    model = replace(PETS, classes=("zebra", "cat", "dog"))
    assert read(tmp_path, model=model).split.targets.tolist() == [2, 2, 0, 0]


@pytest.mark.parametrize(("name", "label"), [("Cat", "cat"), ("Caf\u00e9", "cafe\u0301")])
def test_names_that_differ_in_case_or_accents_are_matched_and_that_is_said(
    tmp_path: Path, name: str, label: str
) -> None:
    write_classes(tmp_path, 1, (name, "dog"))
    found = read(tmp_path, model=replace(PETS, classes=("dog", label)))
    assert found.split.targets.tolist() == [1, 0]
    assert found.notes == (f"'{name}' is taken as the model's class '{label}'.",)


def test_of_two_names_that_are_alike_only_one_can_be_a_class(tmp_path: Path) -> None:
    write_classes(tmp_path, 1, ("Cat", "cat"))
    with pytest.raises(DataError, match="known to the model, but Cat is not: did you mean 'cat'"):
        read(tmp_path)


def test_unknown_classes_are_refused_or_left_out(tmp_path: Path) -> None:
    write_classes(tmp_path, 2, ("cat", "dgo", "owl"))
    with pytest.raises(DataError, match=r"but dgo, owl are not: did you mean 'dog'.*--skip-unk"):
        read(tmp_path)
    found = labelled_images(f"folder:{tmp_path}", PETS, skip_unknown=True)
    assert found.split.targets.tolist() == [0, 0]
    assert found.notes == ("Left out 2 classes unknown to the model (dgo, owl).",)


def test_one_picture_of_one_class_is_enough(tmp_path: Path) -> None:
    write_classes(tmp_path, 1, ("dog",))
    assert read(tmp_path).split.targets.tolist() == [1]


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda _: None, "needs at least one folder of images, one per class, but got 0"),
        (lambda path: write_picture(path / "a.png"), "at least one folder of images, one per"),
        (lambda path: (path / "cat").mkdir(), "it has no image of the model's classes: add"),
        (lambda path: (path / "cat").touch(), "at least one folder of images, one per class"),
        (lambda path: write_classes(path / "test", 1, ("owl",)), "owl is not: choose one of cat"),
    ],
)
def test_a_folder_without_a_labelled_picture_is_refused(
    tmp_path: Path, make: Callable[[Path], object], why: str
) -> None:
    make(tmp_path)
    with pytest.raises(DataError, match=why):
        read(tmp_path)


def test_unreadable_pictures_are_left_out_and_the_first_is_named(tmp_path: Path) -> None:
    write_classes(tmp_path, 2)
    for name in ("cat/000.png", "dog/x.jpg"):
        (tmp_path / name).write_bytes(b"\x89PNG\r\n\x1a\n")
    found = read(tmp_path)
    assert [str(file.relative_to(tmp_path)) for file in found.files] == [
        "cat/001.png",
        "dog/000.png",
        "dog/001.png",
    ]
    assert found.split.targets.tolist() == [0, 1, 1]
    (note,) = found.notes
    assert note.startswith("Left out 2 images that cannot be read; the first: ")
    assert "cat/000.png must be an intact image" in note


def test_where_no_picture_can_be_read_the_first_is_named(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "a.png").write_text("none")
    with pytest.raises(DataError, match=r"but none is; the first: .*a.png must be an intact"):
        read(tmp_path)


def test_more_pictures_than_memory_holds_are_refused(tmp_path: Path) -> None:
    write_classes(tmp_path, 1)
    huge = replace(PETS, shape=(3, 2**30, 2**30))
    with pytest.raises(DataError, match="2 images of 1073741824x1073741824 must fit into memory"):
        read(tmp_path, model=huge)


def test_what_is_no_picture_and_what_changes_its_colours_is_said(tmp_path: Path) -> None:
    write_classes(tmp_path, 1)
    Image.new("L", (8, 8)).save(tmp_path / "cat" / "gray.png")
    (tmp_path / "cat" / "notes.txt").write_text("some words")
    left_out, converted = read(tmp_path).notes
    assert "files that are not images: 1 (such as cat/notes.txt)" in left_out
    assert converted.startswith("Converted 1 image from gray to RGB")


def test_names_that_are_not_utf8_are_read(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    root = tmp_path / name
    write_picture(root / name / "a.png")
    copy(root / name / "a.png", root / name / f"{name}.png")
    found = read(root, model=replace(PETS, classes=("dog", r"caf\xe9")))
    assert found.split.targets.tolist() == [1, 1]
    assert found.name.endswith(r"/caf\xe9")
    assert {file.name for file in found.files} == {"a.png", f"{name}.png"}


@pytest.mark.parametrize(
    ("splits", "part", "counts"),
    [
        (("train", "val", "test"), None, ("test", 6)),
        (("train", "test"), None, ("test", 6)),
        (("test",), None, ("test", 6)),
        (("test", "val"), None, ("test", 6)),
        (("train", "val"), None, ("test", 4)),
        (("train", "test"), "validation", ("validation", 4)),
        (("train", "test"), "train", ("train", 36)),
        (("train", "val", "test"), "validation", ("validation", 6)),
        (("train", "val", "test"), "all", ("all", 52)),
        ((), None, ("all", 40)),
        ((), "test", ("test", 8)),
        ((), "train", ("train", 24)),
    ],
)
def test_a_split_is_the_one_that_training_has(
    tmp_path: Path, splits: tuple[str, ...], part: str | None, counts: tuple[str, int]
) -> None:
    for split in splits or ("",):
        write_classes(tmp_path / split, 3 if split in ("val", "test") else 20)
    found = read(tmp_path, part)
    assert (found.part, len(found.split)) == counts
    if "train" in splits and found.part != "all":
        trained = getattr(load_data(f"folder:{tmp_path}"), found.part)
        assert torch.equal(found.split.images, trained.images)
        assert torch.equal(found.split.targets, trained.targets)


def test_a_split_that_is_not_there_is_refused(tmp_path: Path) -> None:
    write_classes(tmp_path / "test", 2)
    with pytest.raises(DataError, match="has no train split, only test: name one of those"):
        read(tmp_path, "train")


def test_a_size_in_the_name_must_be_the_models(tmp_path: Path) -> None:
    write_classes(tmp_path, 1)
    assert len(labelled_images(f"folder:{tmp_path}@8", PETS).split) == 2
    with pytest.raises(DataError, match="at 8x8, but the name says @16: leave it out"):
        labelled_images(f"folder:{tmp_path}@16", PETS)


@pytest.mark.parametrize("count", ["", "#9"])
def test_of_the_folder_that_it_was_trained_on_a_model_sees_what_was_held_out(
    tmp_path: Path, count: str
) -> None:
    write_classes(tmp_path / "pets")
    model = trained_on(tmp_path / "pets", count)
    moved = copytree(tmp_path / "pets", tmp_path / "moved")
    for folder in (tmp_path / "pets", moved):
        found = read(folder, model=model)
        assert found.part == "test"
        assert torch.equal(found.split.images, load_data(f"folder:{folder}").test.images)
        assert len(found.files) == len(found.split) == 4
        assert (
            "was trained on this folder of 20 images, so it is evaluated on the 4" in found.notes[0]
        )


def test_a_model_that_knows_all_of_the_images_is_said_to(tmp_path: Path) -> None:
    write_classes(tmp_path)
    found = read(tmp_path, "all", trained_on(tmp_path))
    assert (found.part, len(found.split)) == ("all", 20)
    whole, copies = found.notes
    assert whole.startswith("The model was trained on these 20 images")
    assert copies.startswith("16 of 20 images are identical to one that the model was trained or")


def test_a_folder_that_has_changed_since_is_another(tmp_path: Path) -> None:
    write_classes(tmp_path / "pets")
    model = trained_on(tmp_path / "pets")
    write_picture(tmp_path / "pets" / "cat" / "new.png")
    found = read(tmp_path / "pets", model=model)
    assert (found.part, len(found.split)) == ("all", 21)
    assert "are identical to one that the model was trained or chosen on" in found.notes[0]


def test_copies_of_training_images_are_counted_by_their_content(tmp_path: Path) -> None:
    old = tmp_path / "new" / "old"
    write_classes(old / "train", 5)
    write_classes(tmp_path / "new", 2)
    (known, *_), _, (held, *_) = split_files(f"folder:{old}")
    copy(known, tmp_path / "new" / "dog" / "known.png")
    copy(held, tmp_path / "new" / "dog" / "held.png")
    name = f"folder:{tmp_path / 'new'}"
    *_, note = labelled_images(name, trained_on(old), skip_unknown=True).notes
    assert note.startswith("1 of 6 images is identical to one that the model was trained or chosen")
    assert note.endswith(
        f"(such as {tmp_path / 'new/dog/known.png'} and {known}): the model may know its label."
    )


@pytest.mark.parametrize("place", ["pets", "new/link"])
def test_no_folder_that_only_a_model_names_is_looked_into(tmp_path: Path, place: str) -> None:
    write_classes(tmp_path / "pets" / "train", 5)
    write_classes(tmp_path / "new", 2)
    (tmp_path / "new" / "link").symlink_to(tmp_path / "pets")
    copy(tmp_path / "pets/train/dog/000.png", tmp_path / "new" / "dog" / "known.png")
    name = f"folder:{tmp_path / 'new'}"
    found = labelled_images(name, trained_on(tmp_path / place), skip_unknown=True)
    assert found.notes == ("Left out 1 class unknown to the model (link).",)


@pytest.mark.parametrize(
    "data", ["folder:gone", "folder:", "folder:\0", "cifar10", "x", "folder:/"]
)
def test_what_a_model_says_of_its_data_need_not_be_there(tmp_path: Path, data: str) -> None:
    write_classes(tmp_path, 2)
    found = read(tmp_path, model=replace(PETS, data=data, fingerprint="0" * 16))
    assert (found.part, len(found.split), found.notes) == ("all", 4, ())


@pytest.fixture
def digits() -> TrainedOn:
    data = load_data("digits")
    return TrainedOn(data.classes, data.input_shape, "digits", data.fingerprint)


def test_of_a_named_data_set_the_test_split_is_taken(digits: TrainedOn) -> None:
    found = labelled_images("digits", digits)
    assert (found.part, found.what) == ("test", "the test split of digits")
    assert torch.equal(found.split.images, load_data("digits").test.images)
    assert (found.files, found.notes) == ((), ())


def test_all_of_a_data_set_is_known_to_the_model_that_was_trained_on_it(digits: TrainedOn) -> None:
    found = labelled_images("digits", digits, "all")
    assert (len(found.split), found.what) == (1797, "all images of digits")
    assert found.notes == ("The model was trained on these images, so it may know their labels.",)


def test_a_data_set_of_other_classes_or_sizes_is_refused_or_cut(digits: TrainedOn) -> None:
    few = replace(digits, classes=("7", "3"))
    with pytest.raises(DataError, match="but 0, 1, 2, 4 and 4 more are not"):
        labelled_images("digits", few)
    found = labelled_images("digits", few, skip_unknown=True)
    test = load_data("digits").test.targets
    assert len(found.split) == int((test == 7).sum() + (test == 3).sum())
    assert int((found.split.targets == 0).sum()) == int((test == 7).sum())
    with pytest.raises(DataError, match=r"must be 3x8x8, like those .* but are 1x8x8"):
        labelled_images("digits", replace(digits, shape=SHAPE))
    with pytest.raises(DataError, match="it has no image of the model's classes"):
        labelled_images("digits", replace(digits, classes=("x", "y")), skip_unknown=True)


def test_a_folder_without_its_prefix_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"did you mean 'folder:{tmp_path}'"):
        labelled_images(str(tmp_path), PETS)


def masked_model(root: Path, name: str = "") -> TrainedOn:
    data = load_data(f"folder:{root}")
    return TrainedOn(
        data.classes, data.input_shape, name or f"folder:{root}", data.fingerprint, data.task
    )


def test_of_the_folder_with_masks_it_was_trained_on_the_test_split_is_taken(tmp_path: Path) -> None:
    write_masked(tmp_path, [f"{i:02}" for i in range(10)])
    data, model = load_data(f"folder:{tmp_path}"), masked_model(tmp_path)
    found = labelled_images(f"folder:{tmp_path}", model)
    assert found.part == "test"
    assert torch.equal(found.split.targets, data.test.targets)
    assert [file.parent.name for file in found.files] == ["images"] * 2


def test_of_another_folder_with_masks_all_images_are_taken_in_the_models_shape(
    tmp_path: Path,
) -> None:
    write_masked(tmp_path / "a", [f"{i:02}" for i in range(10)])
    write_masked(tmp_path / "b", [f"{i:02}" for i in range(15)], (16, 12))
    found = labelled_images(f"folder:{tmp_path / 'b'}", masked_model(tmp_path / "a"))
    assert (found.part, len(found.files)) == ("all", 15)
    assert found.split.images.shape == (15, 3, 6, 8)


def test_classes_of_masks_are_put_at_the_models_places(tmp_path: Path) -> None:
    for name, lines in (("a", "x\ny\nz\n"), ("b", "z\nnew\nx\n")):
        write_masked(tmp_path / name, [f"{i:02}" for i in range(10)])
        (tmp_path / name / "classes.txt").write_text(lines)
    model, name = masked_model(tmp_path / "a"), f"folder:{tmp_path / 'b'}"
    with pytest.raises(DataError, match="but new is not"):
        labelled_images(name, model)
    found = labelled_images(name, model, skip_unknown=True)
    assert found.split.targets[0, 0, :3].tolist() == [2, 255, 0]


@pytest.mark.parametrize("side", ["@16", "@6x8"])
def test_a_size_that_is_not_the_models_is_refused_for_masks_too(tmp_path: Path, side: str) -> None:
    write_masked(tmp_path, [f"{i:02}" for i in range(10)])
    with pytest.raises(DataError, match=f"at 6x8, but the name says {side}"):
        labelled_images(f"folder:{tmp_path}{side}", masked_model(tmp_path))


def test_data_of_another_task_are_refused(tmp_path: Path) -> None:
    write_masked(tmp_path, [f"{i:02}" for i in range(10)])
    model = masked_model(tmp_path)
    with pytest.raises(DataError, match="'digits' is for classification, but the model for segm"):
        labelled_images("digits", model)
    with pytest.raises(DataError, match="is for segmentation, but the model for classification"):
        labelled_images("digits-scenes", replace(model, task="classification"))


def boxed_model(folder: Path) -> TrainedOn:
    """Return what a model knows that was trained on a folder of boxes."""
    data = load_data(f"folder:{folder}")
    return TrainedOn(data.classes, data.input_shape, data.name, data.fingerprint, task="detection")


def test_of_another_folder_with_boxes_all_images_are_taken_in_the_models_shape(
    tmp_path: Path,
) -> None:
    write_boxed(tmp_path / "a")
    write_boxed(tmp_path / "b", (32, 24), 15)
    model = boxed_model(tmp_path / "a")
    found = labelled_images(f"folder:{tmp_path / 'b'}", model)
    assert (found.part, len(found.files)) == ("all", 15)
    assert found.split.images.shape == (15, 3, 12, 16)
    same = labelled_images(f"folder:{tmp_path / 'a'}", model)
    assert (same.part, len(same.split)) == ("test", 2)


def test_boxes_of_classes_that_the_model_lacks_are_gone_but_not_their_images(
    tmp_path: Path,
) -> None:
    write_boxed(tmp_path / "a")
    write_boxed(tmp_path / "b", classes=3)
    model, name = boxed_model(tmp_path / "a"), f"folder:{tmp_path / 'b'}"
    with pytest.raises(DataError, match="but kind 2 is not"):
        labelled_images(name, model)
    found = labelled_images(name, model, skip_unknown=True)
    assert len(found.split) == 10
    assert {*found.split.targets[..., 4].flatten().tolist()} == {-1, 0, 1}
    assert found.split.targets[2].eq(NO_BOX).all(1).sum() == 1  # its first box is of kind 2
