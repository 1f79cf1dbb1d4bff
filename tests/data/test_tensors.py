import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from neptune_nas.data.images import Split
from neptune_nas.data.load import load_data, load_once
from neptune_nas.data.tensors import eight_bits, save_tensors
from neptune_nas.errors import DataError
from neptune_nas.files.tensors import dump_tensors, read_tensors


def labelled(count: int = 20, shape: tuple[int, ...] = (3, 4, 5), seed: int = 0) -> Any:
    """Random uint8 images of two classes, as many of each."""
    rng = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, *shape), generator=rng, dtype=torch.uint8)
    return images, torch.arange(count) % 2


def same(split: Split, pair: tuple[Tensor, Tensor]) -> bool:
    return torch.equal(split.images, pair[0]) and torch.equal(split.targets, pair[1])


def test_three_parts_come_back_as_they_were(tmp_path: Path) -> None:
    train, validation, test = labelled(20), labelled(6, seed=1), labelled(8, seed=2)
    name = save_tensors(tmp_path / "own.safetensors", train, validation, test)
    data = load_data(name)
    assert name == f"tensors:{tmp_path / 'own.safetensors'}" == data.name
    assert same(data.train, train)
    assert same(data.validation, validation)
    assert same(data.test, test)
    assert data.classes == ("0", "1")


def test_training_images_alone_are_cut_sixty_twenty_twenty(tmp_path: Path) -> None:
    data = load_data(save_tensors(tmp_path / "own.safetensors", labelled(50)))
    assert [len(s) for s in (data.train, data.validation, data.test)] == [30, 10, 10]


def test_with_a_test_part_a_tenth_of_train_becomes_validation(tmp_path: Path) -> None:
    test = labelled(6, seed=1)
    data = load_data(save_tensors(tmp_path / "own.safetensors", labelled(50), test=test))
    assert [len(s) for s in (data.train, data.validation)] == [45, 5]
    assert same(data.test, test)


def test_names_and_augmentation_are_kept(tmp_path: Path) -> None:
    name = save_tensors(
        tmp_path / "own.safetensors", labelled(), classes=("cat", "Hund & Maus"), crop=2, flip=True
    )
    data = load_data(name)
    assert (data.classes, data.crop, data.flip) == (("cat", "Hund & Maus"), 2, True)


def test_a_count_takes_some_of_the_training_images(tmp_path: Path) -> None:
    name = save_tensors(tmp_path / "own.safetensors", labelled(50), test=labelled(6))
    assert len(load_data(f"{name}#10").train) == 10


@given(st.integers(0, 255))
def test_floating_point_in_0_to_1_is_kept_to_8_bits(level: int) -> None:
    images = torch.full((2, 1, 4, 4), level / 255)
    assert {*eight_bits(images, "images").flatten().tolist()} == {level}


def test_gray_images_get_their_channel(tmp_path: Path) -> None:
    images, labels = labelled(shape=(4, 5))
    data = load_data(save_tensors(tmp_path / "own.safetensors", (images, labels)))
    assert data.input_shape == (1, 4, 5)


def test_numpy_arrays_serve_too(tmp_path: Path) -> None:
    images, labels = labelled(50)
    ours = load_data(save_tensors(tmp_path / "a.safetensors", (images, labels)))
    theirs = load_data(save_tensors(tmp_path / "b.safetensors", (images.numpy(), labels.numpy())))
    assert ours.fingerprint == theirs.fingerprint


def test_the_fingerprint_changes_with_one_pixel(tmp_path: Path) -> None:
    images, labels = labelled(50)
    before = load_data(save_tensors(tmp_path / "own.safetensors", (images, labels))).fingerprint
    images[7, 1, 2, 3] ^= 1
    assert (
        load_data(save_tensors(tmp_path / "own.safetensors", (images, labels))).fingerprint
        != before
    )


def test_a_file_that_is_written_again_is_read_again(tmp_path: Path) -> None:
    before = load_once(save_tensors(tmp_path / "own.safetensors", labelled(50)), None, 0)
    after = load_once(save_tensors(tmp_path / "own.safetensors", labelled(50, seed=1)), None, 0)
    assert before.fingerprint != after.fingerprint


def test_equal_images_make_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_tensors(tmp_path / f"{name}.safetensors", labelled(), classes=("x", "y"))
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


IMAGES, LABELS = labelled()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"train": labelled(shape=(6, 5, 3))}, "channels last"),
        ({"train": (IMAGES[0, 0], LABELS)}, r"the train images must be \(N, C, H, W\) with"),
        ({"train": (IMAGES.long(), LABELS)}, "uint8, or floating point in 0..1, but got torch.int"),
        ({"train": (IMAGES.float(), LABELS)}, "undo their normalisation"),
        ({"train": (IMAGES.float() / 0, LABELS)}, "undo their normalisation"),
        ({"train": (IMAGES, LABELS.float())}, "the train labels must be whole numbers"),
        ({"train": (IMAGES, LABELS[:-1])}, r"the train labels must be \(20,\), one label an image"),
        ({"train": IMAGES}, "`train` must be a pair of images and their labels, but got Tensor"),
        ({"train": IMAGES[:2]}, "`train` must be a pair of images and their labels"),
        (
            {"train": ([[1, 2], [3]], LABELS)},
            "the train images must be a tensor, an array or lists",
        ),
        ({"train": (IMAGES, ["cat"] * 20)}, "the train labels must be a tensor, an array or lists"),
        ({"train": (IMAGES, LABELS), "test": (IMAGES, LABELS)}, "the same: leave `test` out"),
        (
            {"train": (IMAGES, LABELS), "classes": [0, 1]},
            r"`classes\.0` must be a non-empty string",
        ),
        ({"train": (IMAGES, LABELS), "classes": np.arange(2)}, r"`classes\.0` must be .* string"),
        ({"train": (IMAGES, LABELS), "classes": "ab"}, "`classes` must be .* but got 'ab'"),
        ({"train": (IMAGES, LABELS), "classes": 2}, "`classes` must be .* but got 2"),
        ({"train": (IMAGES[..., :0], LABELS)}, "must be .* with pixels in them, but got"),
        ({"train": (IMAGES, LABELS), "classes": ("a", "a")}, "`classes` must be .* no two alike"),
        (
            {"train": (IMAGES, LABELS), "classes": ("a", "")},
            r"`classes\.1` must be a non-empty string, but got ''",
        ),
        (
            {"train": (IMAGES, LABELS), "classes": [["a"], ["b"]]},
            r"`classes\.0` must be a non-empty string",
        ),
        ({"train": (IMAGES, LABELS), "crop": -1}, "`crop` must be a whole number of at least 0"),
        ({"train": (IMAGES, LABELS), "crop": 4}, "`crop` must be below the 4 pixels .* got 4"),
        ({"train": (IMAGES, LABELS), "flip": 1}, "`flip` must be true or false, but got 1"),
        ({"train": (IMAGES, LABELS - 1)}, r"labels must lie in 0\.\.0"),
        ({"train": (IMAGES, LABELS), "classes": ("one",)}, r"labels must lie in 0\.\.0"),
        ({"train": (IMAGES[:0], LABELS[:0])}, "the train split needs images"),
        ({"train": (IMAGES, LABELS), "validation": (IMAGES, LABELS)}, "needs `test` too"),
        ({"train": (IMAGES, LABELS), "test": labelled(shape=(3, 4, 4))}, "in the test split"),
    ],
)
def test_what_is_no_data_set_is_refused(
    tmp_path: Path, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        save_tensors(tmp_path / "own.safetensors", **given)
    assert not (tmp_path / "own.safetensors").exists()


@pytest.mark.parametrize("name", ["own", "own.pt", "pets#100"])
def test_a_file_of_another_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=rf"must end in \.safetensors, but is {name}"):
        save_tensors(tmp_path / name, labelled())
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("name", ["~/own.safetensors", "~/pets#100.safetensors"])
def test_the_name_that_is_returned_opens_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(load_data(save_tensors(name, labelled(50))).train) == 30
    assert (tmp_path / name.removeprefix("~/")).is_file()


def test_parts_may_share_their_labels(tmp_path: Path) -> None:
    images, labels = labelled()
    name = save_tensors(tmp_path / "own.safetensors", (images, labels), test=(255 - images, labels))
    assert torch.equal(load_data(name).test.targets, labels)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": [0, 1]}, r"`classes\.0` must be a non-empty string"),
        ({"classes": ["a", "a"]}, "`classes` must be a list of .* no two alike"),
        ({"crop": 100_000}, "`crop` must be below the 4 pixels"),
        ({"format": "other"}, "`format` must be 'neptune-nas/images'"),
    ],
)
def test_a_header_that_was_changed_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    file = tmp_path / "own.safetensors"
    name = save_tensors(file, labelled())
    text, tensors = read_tensors(file)
    file.write_bytes(dump_tensors(json.dumps({**json.loads(text), **changes}), tensors))
    with pytest.raises(DataError, match=rf"data '{name}': {message}"):
        load_data(name)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.safetensors cannot be read: No such file"):
        load_data(f"tensors:{tmp_path / 'gone.safetensors'}")


def test_a_file_of_other_tensors_is_refused(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    message = r"data 'tensors:.*other.safetensors: it holds tensors, but .* no 'neptune-nas'"
    with pytest.raises(DataError, match=message):
        load_data(f"tensors:{tmp_path / 'other.safetensors'}")


def test_half_a_file_is_refused(tmp_path: Path) -> None:
    save_tensors(tmp_path / "own.safetensors", labelled())
    content = (tmp_path / "own.safetensors").read_bytes()
    (tmp_path / "own.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="is not a complete safetensors file"):
        load_data(f"tensors:{tmp_path / 'own.safetensors'}")


@pytest.mark.parametrize("missing", ["train.labels", "train.images", "test.labels"])
def test_a_file_that_lacks_a_part_is_refused(tmp_path: Path, missing: str) -> None:
    save_tensors(tmp_path / "own.safetensors", labelled(), test=labelled(seed=1))

    with safe_open(tmp_path / "own.safetensors", framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys() if name != missing}  # noqa: SIM118  # no mapping
    save_file(tensors, tmp_path / "own.safetensors", metadata)
    with pytest.raises(DataError, match=rf"`{missing}` is missing: write the file again"):
        load_data(f"tensors:{tmp_path / 'own.safetensors'}")
