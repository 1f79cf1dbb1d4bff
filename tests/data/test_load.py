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
    assert (data.crop, data.flip, data.input_shape, data.chance) == (1, False, (1, 8, 8), 0.1)


def test_a_limit_cuts_every_split() -> None:
    data = load_data("digits", limit=50)
    assert [len(s) for s in (data.train, data.validation, data.test)] == [50, 50, 50]


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(DataError, match="limit must be at least 1 image, but got 0"):
        load_data("digits", limit=0)


def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(DataError, match="data 'minst' is unknown: did you mean 'mnist'"):
        load_data("minst")


def test_loading_digits_does_not_import_torchvision() -> None:
    code = (
        "import sys; from neptune_nas.data.load import load_data; load_data('digits'); "
        "sys.exit('torchvision' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
