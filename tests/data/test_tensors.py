from pathlib import Path
from typing import Any

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


def labelled(count: int = 20, shape: tuple[int, ...] = (3, 4, 5), seed: int = 0) -> Any:
    """Random uint8 images of two classes, as many of each."""
    rng = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, *shape), generator=rng, dtype=torch.uint8)
    return images, torch.arange(count) % 2


def same(split: Split, pair: tuple[Tensor, Tensor]) -> bool:
    return torch.equal(split.images, pair[0]) and torch.equal(split.labels, pair[1])


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
    data = load_data(save_tensors(tmp_path / "own", labelled(50)))
    assert [len(s) for s in (data.train, data.validation, data.test)] == [30, 10, 10]


def test_with_a_test_part_a_tenth_of_train_becomes_validation(tmp_path: Path) -> None:
    test = labelled(6, seed=1)
    data = load_data(save_tensors(tmp_path / "own", labelled(50), test=test))
    assert [len(s) for s in (data.train, data.validation)] == [45, 5]
    assert same(data.test, test)


def test_names_and_augmentation_are_kept(tmp_path: Path) -> None:
    name = save_tensors(
        tmp_path / "own", labelled(), classes=("cat", "Hund & Maus"), crop=2, flip=True
    )
    data = load_data(name)
    assert (data.classes, data.crop, data.flip) == (("cat", "Hund & Maus"), 2, True)


def test_a_count_takes_some_of_the_training_images(tmp_path: Path) -> None:
    name = save_tensors(tmp_path / "own", labelled(50), test=labelled(6))
    assert len(load_data(f"{name}#10").train) == 10


@given(st.integers(0, 255))
def test_floating_point_in_0_to_1_is_kept_to_8_bits(level: int) -> None:
    images = torch.full((2, 1, 4, 4), level / 255)
    assert {*eight_bits(images, "images").flatten().tolist()} == {level}


def test_gray_images_get_their_channel(tmp_path: Path) -> None:
    images, labels = labelled(shape=(4, 5))
    data = load_data(save_tensors(tmp_path / "own", (images, labels)))
    assert data.input_shape == (1, 4, 5)


def test_numpy_arrays_serve_too(tmp_path: Path) -> None:
    images, labels = labelled(50)
    ours = load_data(save_tensors(tmp_path / "a", (images, labels)))
    theirs = load_data(save_tensors(tmp_path / "b", (images.numpy(), labels.numpy())))
    assert ours.fingerprint == theirs.fingerprint


def test_the_fingerprint_changes_with_one_pixel(tmp_path: Path) -> None:
    images, labels = labelled(50)
    before = load_data(save_tensors(tmp_path / "own", (images, labels))).fingerprint
    images[7, 1, 2, 3] ^= 1
    assert load_data(save_tensors(tmp_path / "own", (images, labels))).fingerprint != before


def test_a_file_that_is_written_again_is_read_again(tmp_path: Path) -> None:
    before = load_once(save_tensors(tmp_path / "own", labelled(50)), None, 0)
    after = load_once(save_tensors(tmp_path / "own", labelled(50, seed=1)), None, 0)
    assert before.fingerprint != after.fingerprint


def test_equal_images_make_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_tensors(tmp_path / name, labelled(), classes=("x", "y"))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


IMAGES, LABELS = labelled()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"train": labelled(shape=(6, 5, 3))}, "channels last"),
        ({"train": (IMAGES[0, 0], LABELS)}, r"the train images must be \(N, C, H, W\), but got"),
        ({"train": (IMAGES.long(), LABELS)}, "uint8, or floating point in 0..1, but got torch.int"),
        ({"train": (IMAGES.float(), LABELS)}, "undo their normalisation"),
        ({"train": (IMAGES.float() / 0, LABELS)}, "undo their normalisation"),
        ({"train": (IMAGES, LABELS.float())}, "the train labels must be whole numbers"),
        ({"train": (IMAGES, LABELS[:-1])}, "one label an image"),
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
        save_tensors(tmp_path / "own", **given)
    assert not (tmp_path / "own").exists()


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone cannot be read: No such file"):
        load_data(f"tensors:{tmp_path / 'gone'}")


def test_a_file_of_other_tensors_is_refused(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(3)}, tmp_path / "other")
    with pytest.raises(DataError, match="must be a file that `save_tensors` wrote"):
        load_data(f"tensors:{tmp_path / 'other'}")


def test_half_a_file_is_refused(tmp_path: Path) -> None:
    save_tensors(tmp_path / "own", labelled())
    content = (tmp_path / "own").read_bytes()
    (tmp_path / "own").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="must be a file that `save_tensors` wrote"):
        load_data(f"tensors:{tmp_path / 'own'}")


@pytest.mark.parametrize("missing", ["train.labels", "train.images"])
def test_a_file_that_lacks_a_part_is_refused(tmp_path: Path, missing: str) -> None:
    save_tensors(tmp_path / "own", labelled(), test=labelled())

    with safe_open(tmp_path / "own", framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys() if name != missing}  # noqa: SIM118  # no mapping
    save_file(tensors, tmp_path / "own", metadata)
    with pytest.raises(DataError, match="must be a file that `save_tensors` wrote"):
        load_data(f"tensors:{tmp_path / 'own'}")
