import os
from pathlib import Path

import pytest

from neptune_nas.data.load import load_data
from neptune_nas.errors import DataError
from tests.data.folders import write_classes, write_picture


def sizes(folder: Path) -> list[int]:
    """Return how many images a folder gives to train, to validate and to test."""
    data = load_data(f"folder:{folder}")
    assert data.classes == ("cat", "dog")
    return [len(split) for split in (data.train, data.validation, data.test)]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("train", "test"), [18, 2, 8]),
        (("training", "testing"), [18, 2, 8]),
        (("Train", "TEST"), [18, 2, 8]),
        (("train", "val"), [18, 8, 2]),
        (("train", "Valid"), [18, 8, 2]),
        (("train", "valid", "test"), [20, 8, 8]),
        (("TRAINING", "validation", "Test"), [20, 8, 8]),
        (("train",), [12, 4, 4]),
    ],
)
@pytest.mark.parametrize("wrapped", ["", "archive", "archive/data/pets"])
def test_the_usual_names_of_splits_are_known_inside_an_archives_folders(
    tmp_path: Path, names: tuple[str, ...], expected: list[int], wrapped: str
) -> None:
    for name in names:
        write_classes(tmp_path / wrapped / name, 10 if name.lower().startswith("train") else 4)
    (tmp_path / "__MACOSX" / "archive").mkdir(parents=True)
    assert sizes(tmp_path) == expected


@pytest.mark.parametrize("wrapped", ["train/train", "train/seg_train"])
def test_a_split_may_be_wrapped_too(tmp_path: Path, wrapped: str) -> None:
    write_classes(tmp_path / wrapped)
    write_classes(tmp_path / "test" / "test", 4)
    assert sizes(tmp_path) == [18, 2, 8]


def test_classes_without_splits_may_be_wrapped(tmp_path: Path) -> None:
    write_classes(tmp_path / "pets-1.0" / "images")
    assert sizes(tmp_path) == [12, 4, 4]


def test_a_class_may_have_the_name_of_a_split(tmp_path: Path) -> None:
    write_classes(tmp_path, classes=("bus", "train", "tram"))
    assert load_data(f"folder:{tmp_path}").classes == ("bus", "train", "tram")


def test_classes_may_have_folders_of_their_own(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        write_classes(tmp_path / name, 5, ("day", "night"))
    assert sizes(tmp_path) == [12, 4, 4]


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("test", "val"), "there is no train folder next to test, val"),
        (("Testing",), "there is no train folder next to Testing"),
        (("train", "training", "test"), "two of test, train, training name the same split"),
        (
            ("seg_test", "seg_train"),
            "seg_test, seg_train look like splits: name them train, val and test",
        ),
        (
            ("TestSet", "TrainSet"),
            "TestSet, TrainSet look like splits: name them train, val and test",
        ),
        (
            ("train2017", "val2017"),
            "train2017, val2017 look like splits: name them train, val and test",
        ),
        (("eval", "test", "train"), "eval may be a split: name it val or test"),
        (("birds", "train"), "train may be a split or a class"),
    ],
)
def test_what_may_be_read_in_two_ways_is_refused(
    tmp_path: Path, names: tuple[str, ...], why: str
) -> None:
    for name in names:
        write_classes(tmp_path / name)
    with pytest.raises(DataError, match=f"splits or classes, but {why}.*use one folder of images"):
        load_data(f"folder:{tmp_path}")


def test_splits_without_classes_are_refused(tmp_path: Path) -> None:
    for name in ("train", "test"):
        write_picture(tmp_path / name / "1.png")
    with pytest.raises(DataError, match=r"none of them has class folders \(it has test, train\)"):
        load_data(f"folder:{tmp_path}")


def test_images_without_classes_are_refused(tmp_path: Path) -> None:
    write_picture(tmp_path / "1.png")
    with pytest.raises(DataError, match=r"at least two folders of images.* but got 0 in"):
        load_data(f"folder:{tmp_path}")


def test_a_single_class_is_refused(tmp_path: Path) -> None:
    write_classes(tmp_path, classes=("cat",))
    with pytest.raises(DataError, match=r"at least two folders of images.* but got 1 in"):
        load_data(f"folder:{tmp_path}")


def test_a_test_folder_without_classes_is_left_out_and_named(tmp_path: Path) -> None:
    write_classes(tmp_path / "train")
    write_picture(tmp_path / "test" / "1.png")
    assert sizes(tmp_path) == [12, 4, 4]
    (note,) = load_data(f"folder:{tmp_path}").notes
    assert "folders that are neither splits nor classes: 1 (such as test)" in note


def test_a_class_that_is_missing_from_validation_is_no_obstacle(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", classes=("cat", "dog", "owl"))
    write_classes(tmp_path / "val")
    data = load_data(f"folder:{tmp_path}")
    assert data.validation.targets.bincount(minlength=3).tolist() == [10, 10, 0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    write_classes(tmp_path)
    (tmp_path / "cat").chmod(0)
    try:
        with pytest.raises(DataError, match=r"cat must be a folder that can be listed, .*denied"):
            load_data(f"folder:{tmp_path}")
    finally:
        (tmp_path / "cat").chmod(0o700)


def test_the_root_of_all_folders_is_refused_before_it_is_walked() -> None:
    with pytest.raises(DataError, match="is the root folder"):
        load_data("folder:/")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    write_picture(tmp_path / "1.png")
    with pytest.raises(DataError, match=r"1\.png must be a folder, but is a file"):
        load_data(f"folder:{tmp_path / '1.png'}")


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "~nobody-of-that-name/x"])
def test_a_path_that_no_folder_can_have_is_refused(path: str) -> None:
    with pytest.raises(DataError, match="must be a folder, but does not exist"):
        load_data(f"folder:{path}")
