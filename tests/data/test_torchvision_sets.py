from dataclasses import dataclass, field
from pathlib import Path
from struct import pack

import numpy as np
import pytest
from numpy.typing import NDArray

from neptune_nas.data import load
from neptune_nas.data.load import load_data
from neptune_nas.data.torchvision_sets import KNOWN, Known
from neptune_nas.errors import DataError


def write_idx(folder: Path, stem: str, count: int, seed: int) -> None:
    """MNIST's own file format, with random pixels and labels that go round the classes."""
    pixels = np.random.default_rng(seed).integers(256, size=(count, 28, 28), dtype=np.uint8)
    labels = (np.arange(count) % 10).astype(np.uint8)
    for kind, header, values in (
        ("images-idx3", pack(">IIII", 2051, count, 28, 28), pixels),
        ("labels-idx1", pack(">II", 2049, count), labels),
    ):
        (folder / f"{stem}-{kind}-ubyte").write_bytes(header + values.tobytes())


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    write_idx(raw, "train", 200, seed=0)
    write_idx(raw, "t10k", 50, seed=1)
    return tmp_path


def test_mnist_on_disk_is_read_with_a_tenth_for_validation(mnist: Path) -> None:
    data = load_data("mnist", mnist)
    assert [len(s) for s in (data.train, data.validation, data.test)] == [180, 20, 50]


def test_mnist_is_gray_and_never_mirrored(mnist: Path) -> None:
    data = load_data("mnist", mnist)
    assert (data.input_shape, data.flip, data.classes[3]) == ((1, 28, 28), False, "3 - three")


def test_every_class_has_its_share_of_the_validation_split(mnist: Path) -> None:
    assert load_data("mnist", mnist).validation.targets.bincount().tolist() == [2] * 10


def test_the_test_split_is_the_one_the_data_set_came_with(mnist: Path) -> None:
    expected = np.random.default_rng(1).integers(256, size=(50, 28, 28), dtype=np.uint8)
    assert (load_data("mnist", mnist).test.images[:, 0].numpy() == expected).all()


@pytest.mark.parametrize("where", ["raw/train-images-idx3-ubyte", "processed/training.pt"])
@pytest.mark.parametrize("size", [2**28 + 1, 3 * 2**30])
def test_a_file_that_is_far_too_large_is_refused_unread(mnist: Path, where: str, size: int) -> None:
    file = mnist / "MNIST" / where
    file.parent.mkdir(exist_ok=True)
    with file.open("ab") as content:
        content.truncate(size)  # a sparse file
    with pytest.raises(DataError, match=rf"must have at most 268,435,456 bytes, but has {size:,}"):
        load_data("mnist", mnist)


@pytest.mark.parametrize("count", [0, 7, 60])
def test_labels_for_another_number_of_images_are_refused(mnist: Path, count: int) -> None:
    content = pack(">II", 2049, count) + bytes(count)
    (mnist / "MNIST" / "raw" / "t10k-labels-idx1-ubyte").write_bytes(content)
    with pytest.raises(DataError, match="data 'mnist': "):
        load_data("mnist", mnist)


def test_a_truncated_file_is_refused_with_the_folder(mnist: Path) -> None:
    file = mnist / "MNIST" / "raw" / "train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(DataError, match=r"data 'mnist': the files in .* are incomplete"):
        load_data("mnist", mnist)


def test_unless_said_data_sets_lie_in_the_users_cache_folder(
    mnist: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cache = tmp_path / "neptune-nas"
    cache.mkdir()
    (mnist / "MNIST").rename(cache / "MNIST")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert len(load_data("mnist").test) == 50


def test_a_user_without_a_home_is_asked_where_data_sets_lie(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(load, "cache_folder", lambda: None)
    with pytest.raises(DataError, match=r"data 'mnist' has nowhere to .*: set .*\(--data-dir\)"):
        load_data("mnist")


@dataclass
class MadeCifar:
    """What torchvision's CIFAR10 looks like once it is read: pixels are (N, H, W, C)."""

    train: bool
    classes: tuple[str, ...] = ("cat", "dog")
    data: NDArray[np.uint8] = field(init=False)
    targets: list[int] = field(init=False)

    def __post_init__(self) -> None:
        count = 40 if self.train else 6
        self.data = np.zeros((count, 32, 32, 3), dtype=np.uint8)
        self.data[:, 1, 2, 0] = 7
        self.targets = [i % 2 for i in range(count)]


def obtained(_: Path, train: bool, download: bool) -> MadeCifar:  # noqa: ARG001  # torchvision's
    return MadeCifar(train)


def test_color_images_get_their_channels_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KNOWN, "cifar10", Known(obtained, crop=4, flip=True))
    images = load_data("cifar10").train.images
    assert images.shape == (36, 3, 32, 32)
    assert int(images[0, 0, 1, 2]) == 7


def unobtainable(_: Path, train: bool, download: bool) -> MadeCifar:  # noqa: ARG001  # likewise
    if not download:
        raise RuntimeError("Dataset not found or corrupted.")
    print("Downloading ...")
    raise OSError("no route to host\nand more")


def test_a_failed_download_is_one_sentence_that_names_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(KNOWN, "cifar100", Known(unobtainable, crop=4, flip=True))
    with pytest.raises(
        DataError, match=r"failed \(no route to host\): connect .*\(--data-dir\)\.$"
    ):
        load_data("cifar100", tmp_path)


def test_a_failed_download_prints_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(KNOWN, "cifar100", Known(unobtainable, crop=4, flip=True))
    with pytest.raises(DataError, match="the download failed"):
        load_data("cifar100", tmp_path)
    assert capsys.readouterr() == ("", "")


def test_what_only_a_file_names_is_not_downloaded(
    mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load.refuse_download("mnist#90", mnist, "net.json")
    load.refuse_download("folder:nowhere", mnist, "net.json")
    monkeypatch.setitem(KNOWN, "cifar10", Known(unobtainable, crop=4, flip=True))
    with pytest.raises(DataError, match=r"which net\.json names, is not in .*data_dir` \(--data-d"):
        load.refuse_download("cifar10#90", mnist, "net.json")
