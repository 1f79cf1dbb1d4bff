import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from neptune_nas.data.image_file import ImageFile
from neptune_nas.data.images import ImageData, Split
from neptune_nas.devices.memory import host_memory
from neptune_nas.errors import DataError
from neptune_nas.training.feed import AHEAD, Feed, make_feeds, must_stream
from neptune_nas.training.loop import TrainResult, train
from neptune_nas.training.recipe import Recipe
from neptune_nas.training.resumable_loop import Course, Trained, train_long
from tests.training.data import (
    assert_same,
    easy_data,
    endless,
    in_file,
    in_files,
    small_network,
)

RECIPE = Recipe(batch_size=20, lr=0.02, precision="fp32", crop=1, flip=True, cutout=2)
DATA = easy_data()
CPU = torch.device("cpu")


@pytest.fixture
def mapped(tmp_path: Path) -> ImageData:
    return in_files(DATA, tmp_path)


@pytest.fixture
def streaming(mapped: ImageData) -> ImageData:
    """Return the same images, none of which are held."""
    return endless(mapped)


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    before = {*threading.enumerate()}
    yield
    assert {*threading.enumerate()} <= before


def batches_of(feed: Feed, *rows: Tensor) -> list[Split]:
    with feed.batches(rows) as found:
        return [*found]


class Clumsy(nn.Module):
    """Runs out of memory on a batch of more than 10 images, from some step on."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.inner = small_network(dropout=0.5)

    def forward(self, x: Tensor) -> Tensor:
        self.steps -= self.training
        if self.training and self.steps < 0 and len(x) > 10:
            raise torch.OutOfMemoryError("out of memory")
        y: Tensor = self.inner(x)
        return y


@pytest.mark.parametrize("steps", [1000, 2], ids=["whole batches", "batches in halves"])
@pytest.mark.parametrize("curve", [True, False])
def test_a_short_training_is_the_same_held_and_streamed(
    streaming: ImageData, steps: int, curve: bool
) -> None:
    def trained(data: ImageData) -> tuple[TrainResult, dict[str, Tensor]]:
        network = Clumsy(steps)
        return train(network, data, RECIPE, 3, seed=1, curve=curve), network.state_dict()

    (held, weights), (streamed, others) = trained(DATA), trained(streaming)
    assert held.values == streamed.values
    assert_same(held.history, streamed.history)
    assert_same(weights, others)


@pytest.mark.parametrize("steps", [1000, 4], ids=["whole batches", "batches in halves"])
def test_a_long_training_is_the_same_held_and_streamed(
    streaming: ImageData, tmp_path: Path, steps: int
) -> None:
    def trained(data: ImageData, name: str) -> Trained:
        course = Course(3, seed=1, checkpoint=tmp_path / name, watch=lambda _: None)
        return train_long(Clumsy(steps), data, RECIPE, course)

    held, streamed = trained(DATA, "held.pt"), trained(streaming, "streamed.pt")
    assert_same(held.history, streamed.history)
    assert_same(held.weights, streamed.weights)


@given(st.lists(st.lists(st.integers(0, 59), min_size=1), min_size=1, max_size=9))
def test_images_in_memory_are_the_same_held_and_streamed(asked: list[list[int]]) -> None:
    rows = [*map(torch.tensor, asked)]
    held, streamed = (batches_of(Feed(DATA.train, CPU, way), *rows) for way in (False, True))
    for one, other, some in zip(held, streamed, rows, strict=True):
        assert torch.equal(one.images, DATA.train.images[some])
        assert torch.equal(one.targets, DATA.train.targets[some])
        assert torch.equal(other.images, one.images)
        assert torch.equal(other.targets, one.targets)


@pytest.mark.parametrize("streamed", [False, True])
def test_batches_lie_on_the_device(streamed: bool) -> None:
    meta = torch.device("meta")
    split = DATA.train if streamed else DATA.train.to(meta)
    found = batches_of(Feed(split, meta, streamed), torch.arange(3), torch.arange(2))
    assert [(b.images.device, b.targets.device, len(b)) for b in found] == [
        (meta, meta, 3),
        (meta, meta, 2),
    ]


def test_batches_are_read_ahead_while_another_is_used_and_no_further(mapped: ImageData) -> None:
    taken: list[int] = []
    read: list[int] = []
    enough = threading.Semaphore(0)

    class Rows(list[Tensor]):
        def __iter__(self) -> Iterator[Tensor]:
            for row in super().__iter__():
                taken.append(int(row))
                yield row

    class Noted(ImageFile):
        def read(self, rows: Tensor, images: Tensor) -> None:
            assert not images.is_pinned()
            read.append(int(rows))
            enough.release()
            super().read(rows, images)

    assert mapped.train.file is not None
    split = replace(mapped.train, file=Noted(mapped.train.file.path))
    rows = Rows(torch.split(torch.arange(9), 1))
    with Feed(split, CPU, streamed=True).batches(rows) as found:
        for number in range(9 - AHEAD):
            next(found)
            assert taken == [*range(number + 1 + AHEAD)]
            while len(read) < number + 1 + AHEAD:
                assert enough.acquire(timeout=30)
            assert read == taken


def test_a_file_that_cannot_be_read_ends_the_training_with_that_error(
    streaming: ImageData,
) -> None:
    assert streaming.train.file is not None
    streaming.train.file.path.unlink()
    with pytest.raises(DataError, match=r"0\.npy cannot be read"):
        train(small_network(), streaming, RECIPE, 1)


def test_a_training_that_diverges_says_so_and_leaves_no_thread(streaming: ImageData) -> None:
    network = small_network()
    nn.init.constant_(list(network.parameters())[-1], float("nan"))
    result = train(network, streaming, RECIPE, 2)
    assert str(result.failure).startswith("diverged")


class Interrupting(nn.Module):
    """Acts as if its user pressed Ctrl-C."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = small_network()

    def forward(self, _: Tensor) -> Tensor:
        raise KeyboardInterrupt("stopped")


def test_an_interrupted_training_leaves_no_thread_while_its_error_is_held(
    streaming: ImageData,
) -> None:
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt, match="stopped") as raised:
        train(Interrupting(), streaming, RECIPE, 1)
    assert raised.traceback
    assert threading.active_count() == before


@given(size=st.integers(0, 10**15), room=st.integers(0, 10**15))
def test_images_stream_where_they_exceed_a_quarter_of_the_room(size: int, room: int) -> None:
    assert must_stream(size, room) == (4 * size > room)


def test_mapped_images_stream_on_a_host_whose_memory_they_would_fill(mapped: ImageData) -> None:
    splits = (mapped.train, mapped.validation)
    size = sum(split.nbytes for split in splits)
    for room, streamed in ((4 * size, False), (4 * size - 1, True)):
        assert [feed.streamed for feed in make_feeds(splits, CPU, room)] == [streamed] * 2


def test_the_room_on_a_host_is_its_memory(mapped: ImageData) -> None:
    image, target = mapped.train.images[:1], mapped.train.targets[:1]
    count = host_memory() // image.nbytes
    endless = replace(  # one image, as many times as fill the memory, in the place of one
        mapped.train, images=image.expand(count, *image.shape[1:]), targets=target.expand(count)
    )
    (feed,) = make_feeds((endless,), CPU)
    assert feed.streamed


def test_images_that_lie_in_the_hosts_memory_stay_there() -> None:
    (feed,) = make_feeds((DATA.train,), CPU, room=1)
    assert not feed.streamed
    assert feed.split.images is DATA.train.images


def test_images_stream_to_a_gpu_whose_free_memory_they_would_fill(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    splits = (DATA.train, in_file(DATA.validation, tmp_path / "x.npy"))
    size = sum(split.nbytes for split in splits)
    asked: list[torch.device] = []

    def free(device: torch.device) -> tuple[int, int]:
        asked.append(device)
        return 4 * size - 1, 100 * size

    monkeypatch.setattr(torch.cuda, "mem_get_info", free)
    gpu = torch.device("cuda:1")
    first, second = make_feeds(splits, gpu)
    assert (first.split, second.split, first.streamed, second.streamed) == (*splits, True, True)
    assert asked == [gpu]


def test_images_that_fit_are_moved_to_the_device() -> None:
    (feed,) = make_feeds((DATA.train,), torch.device("meta"), room=4 * DATA.train.nbytes)
    assert not feed.streamed
    assert feed.split.images.device.type == "meta"
