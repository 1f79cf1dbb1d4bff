import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from neptune_nas.data.images import IGNORED
from neptune_nas.data.load import load_data, split_files, task_named
from neptune_nas.data.mask_folder import mask_layout
from neptune_nas.errors import DataError
from tests.data.folders import ids, write_classes, write_mask, write_masked, write_picture

NAMES = [f"{i:02}" for i in range(10)]


def splits_in(root: Path, names: tuple[str, ...] = ("train", "val", "test")) -> None:
    for name in names:
        write_masked(root / name, NAMES[:4])


def test_a_folder_of_images_and_masks_is_split_at_random(tmp_path: Path) -> None:
    write_masked(tmp_path, NAMES)
    data = load_data(f"folder:{tmp_path}")
    assert (data.task, data.classes, data.input_shape) == (
        "segmentation",
        ("0", "1", "2"),
        (3, 6, 8),
    )
    assert [len(s) for s in (data.train, data.validation, data.test)] == [6, 2, 2]
    assert load_data(f"folder:{tmp_path}", seed=1).fingerprint != data.fingerprint


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_the_fingerprint_changes_with_any_image_or_mask(tmp_path: Path, kind: str) -> None:
    write_masked(tmp_path, NAMES)
    before = load_data(f"folder:{tmp_path}").fingerprint
    if kind == "images":
        write_picture(tmp_path / kind / "03.jpg", (8, 6))
    else:
        write_mask(tmp_path / kind / "03.png", np.ones((6, 8), np.uint8))
    assert load_data(f"folder:{tmp_path}").fingerprint != before


def test_split_folders_may_stand_above_or_below(tmp_path: Path) -> None:
    splits_in(tmp_path / "above")
    for name in ("train", "val", "test"):
        for kind in ("images", "masks"):
            place = tmp_path / "below" / kind / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(tmp_path / "above" / name / kind, place)
    above, below = (load_data(f"folder:{tmp_path / each}") for each in ("above", "below"))
    assert above.fingerprint == below.fingerprint
    assert len(above.validation) == 4


def test_an_archive_may_wrap_the_folder(tmp_path: Path) -> None:
    splits_in(tmp_path / "a" / "b")
    (tmp_path / "a" / "b" / "classes.txt").write_text("x\ny\nz\n")
    assert load_data(f"folder:{tmp_path}").classes == ("x", "y", "z")


def test_a_folder_of_classes_is_no_such_folder(tmp_path: Path) -> None:
    write_classes(tmp_path / "a")
    assert mask_layout(tmp_path / "a") is None
    assert mask_layout(tmp_path / "missing") is None
    assert task_named(f"folder:{tmp_path / 'a'}") == "classification"


def test_each_mask_goes_with_its_image_and_its_file(tmp_path: Path) -> None:
    write_masked(tmp_path, NAMES)
    for i, name in enumerate(NAMES):
        write_mask(tmp_path / "masks" / f"{name}.png", np.full((6, 8), i, np.uint8))
    name = f"folder:{tmp_path}"
    data, files = load_data(name), split_files(name)
    for split, each in zip((data.train, data.validation, data.test), files, strict=True):
        assert split.targets[:, 0, 0].tolist() == [int(file.stem) for file in each]


def test_a_size_scales_images_and_masks_alike(tmp_path: Path) -> None:
    write_masked(tmp_path, NAMES, (80, 60))
    data = load_data(f"folder:{tmp_path}@40x30")
    assert data.input_shape == (3, 30, 40)
    assert data.train.targets.shape[1:] == (30, 40)
    assert load_data(f"folder:{tmp_path}@16").input_shape == (3, 16, 16)


def test_decoded_images_are_mapped_from_a_cache(tmp_path: Path) -> None:
    write_masked(tmp_path / "data", NAMES)
    name = f"folder:{tmp_path / 'data'}"
    kept, whole = load_data(name, tmp_path / "cache"), load_data(name)
    assert kept.train.file is not None
    assert torch.equal(kept.train.images, whole.train.images)
    assert kept.fingerprint == whole.fingerprint


def test_the_classes_are_those_of_the_list(tmp_path: Path) -> None:
    write_masked(tmp_path, NAMES)
    (tmp_path / "classes.txt").write_text("sky\nroad\nignored\ntree\n")
    data = load_data(f"folder:{tmp_path}")
    assert data.classes == ("sky", "road", "tree")
    assert {*data.train.targets.flatten().tolist()} == {0, 1, IGNORED}


def test_pixels_of_no_class_are_ignored_with_a_note(tmp_path: Path) -> None:
    write_masked(tmp_path, NAMES)
    (tmp_path / "classes.txt").write_text("sky\nroad\n")
    data = load_data(f"folder:{tmp_path}")
    assert {*data.train.targets.flatten().tolist()} == {0, 1, IGNORED}
    (note,) = data.notes
    assert note.startswith("160 pixels of the masks (33.3%) have no class in classes.txt, such as ")
    assert f"such as id 2 in {tmp_path / 'masks' / '00.png'}" in note


def test_masks_of_mostly_no_class_are_refused(tmp_path: Path) -> None:
    write_masked(tmp_path, NAMES, classes=5)
    (tmp_path / "classes.txt").write_text("sky\nroad\n")
    with pytest.raises(DataError, match=r"most pixels of its masks must be .* but 58% are not"):
        load_data(f"folder:{tmp_path}")


@pytest.mark.parametrize(("value", "got"), [(0, "only 0"), (IGNORED, "none")])
def test_masks_of_fewer_than_two_classes_are_refused(tmp_path: Path, value: int, got: str) -> None:
    write_masked(tmp_path, NAMES)
    for name in NAMES:
        write_mask(tmp_path / "masks" / f"{name}.png", np.full((6, 8), value, np.uint8))
    with pytest.raises(DataError, match=f"must hold two classes or more, but hold {got}"):
        load_data(f"folder:{tmp_path}")


def test_what_has_no_partner_is_left_out_with_a_note(tmp_path: Path) -> None:
    write_masked(tmp_path, NAMES)
    write_picture(tmp_path / "images" / "alone.png", (8, 6))
    write_picture(tmp_path / "images" / "00.png", (8, 6))
    write_mask(tmp_path / "masks" / "lone.png", ids((8, 6), 3))
    write_mask(tmp_path / "masks" / "05.png", ids((4, 6), 3))
    data = load_data(f"folder:{tmp_path}")
    assert sum(len(s) for s in (data.train, data.validation, data.test)) == 9
    (note,) = data.notes
    for words in (
        "images without a mask of the same name: 1 (such as images/alone.png)",
        "masks without an image of the same name: 1 (such as masks/lone.png)",
        "files with the name of another but another suffix: 1 (such as images/00.",
        "images whose mask has another size: 1 (such as images/05.jpg)",
    ):
        assert words in note


def test_a_folder_of_none_that_fit_is_refused_with_what_was_left_out(tmp_path: Path) -> None:
    write_picture(tmp_path / "images" / "a.png")
    write_mask(tmp_path / "masks" / "b.png", ids((8, 8), 2))
    with pytest.raises(DataError, match=r"has none\. Left out of .* images without a mask"):
        load_data(f"folder:{tmp_path}")


def test_broken_images_are_all_named(tmp_path: Path) -> None:
    write_masked(tmp_path, NAMES)
    for name in ("02", "07"):
        (tmp_path / "images" / f"{name}.jpg").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"2 files must be intact .*02\.jpg, .*07\.jpg"):
        load_data(f"folder:{tmp_path}")


def test_splits_without_training_are_refused(tmp_path: Path) -> None:
    splits_in(tmp_path, ("val", "test"))
    with pytest.raises(DataError, match="needs a train folder with images and masks, but has only"):
        load_data(f"folder:{tmp_path}")


def test_a_split_without_masks_is_refused(tmp_path: Path) -> None:
    for name in ("train", "test"):
        write_picture(tmp_path / "images" / name / "a.png")
    write_mask(tmp_path / "masks" / "train" / "a.png", ids((8, 8), 2))
    with pytest.raises(DataError, match=r"masks/test must be a folder that can be listed"):
        load_data(f"folder:{tmp_path}")
