import subprocess
import sys

import pytest
import torch
from sklearn.datasets import load_digits

from neptune_nas.data.images import Split
from neptune_nas.data.load import load_data
from neptune_nas.errors import DataError


def rows(split: Split) -> set[bytes]:
    return {image.numpy().tobytes() for image in split.images}


def test_digits_hold_every_image_of_scikit_learn_exactly() -> None:
    data = load_data("digits")
    ours = torch.cat([s.images for s in (data.train, data.validation, data.test)])
    original = torch.from_numpy(load_digits().images).unsqueeze(1)
    assert sorted((ours / 15).flatten(1).tolist()) == sorted(original.flatten(1).tolist())


def test_digits_are_split_sixty_twenty_twenty() -> None:
    data = load_data("digits")
    assert (len(data.train), len(data.validation), len(data.test)) == (1078, 360, 359)


def test_the_splits_of_digits_share_no_image() -> None:
    data = load_data("digits")
    train, validation, test = rows(data.train), rows(data.validation), rows(data.test)
    assert not (train & validation) | (train & test) | (validation & test)


def test_the_digits_of_seed_zero_are_the_same_on_every_machine() -> None:
    assert load_data("digits").fingerprint == "45152ee408159ffa"


def test_another_seed_is_another_split() -> None:
    assert load_data("digits", seed=1).fingerprint != load_data("digits").fingerprint


def test_digits_are_cropped_and_never_mirrored() -> None:
    data = load_data("digits")
    assert (data.crop, data.flip, data.input_shape) == (1, False, (1, 8, 8))


def test_a_count_cuts_the_training_images_alone() -> None:
    data, whole = load_data("digits#50"), load_data("digits")
    assert [len(s) for s in (data.train, data.validation, data.test)] == [50, 360, 359]
    assert rows(data.train) < rows(whole.train)
    assert torch.equal(data.test.images, whole.test.images)
    assert torch.bincount(data.train.targets).tolist() == [5] * 10


def test_a_count_is_part_of_the_name_and_changes_the_fingerprint() -> None:
    data = load_data("digits#50")
    assert data.name == "digits#50"
    assert data.fingerprint != load_data("digits").fingerprint


@pytest.mark.parametrize("count", [0, 9, 1079, 99999])
def test_a_count_below_the_classes_or_above_the_images_is_refused(count: int) -> None:
    message = f"data 'digits#{count}': the count after # must be 10 .* to 1078 .* got {count}"
    with pytest.raises(DataError, match=message):
        load_data(f"digits#{count}")


@pytest.mark.parametrize("count", [10, 1078])
def test_a_count_from_the_classes_to_the_images_is_taken(count: int) -> None:
    assert len(load_data(f"digits#{count}").train) == count


def test_a_mark_without_a_number_belongs_to_the_name() -> None:
    with pytest.raises(DataError, match="data 'digits#few' is unknown"):
        load_data("digits#few")


def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(DataError, match="data 'minst' is unknown: did you mean 'mnist'"):
        load_data("minst")


def test_loading_digits_imports_neither_torchvision_nor_scikit_learn() -> None:
    code = (
        "import sys; from neptune_nas.data.load import load_data; load_data('digits'); "
        "sys.exit(not {'torchvision', 'sklearn'}.isdisjoint(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
