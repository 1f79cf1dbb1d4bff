"""The trained model that networks start from."""

import pickle
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from shutil import copy

import pytest
import torch
from torch import nn

from neptune_nas.architecture.records import Architecture, Stage, Stem
from neptune_nas.errors import FileFormatError, NeptuneError, OptionError, StudyError
from neptune_nas.models.architecture_file import save, without_study
from neptune_nas.models.model import Model, make_untrained, save_model
from neptune_nas.models.start import NothingFitsError, Start, start_at
from neptune_nas.nn.builder import build
from neptune_nas.nn.references import ReferenceNetwork
from neptune_nas.tasks.classification import Classification

SHAPE = (1, 8, 8)
SMALL = Architecture(stem=Stem(width=8), stages=(Stage(width=16, norm="batch"),))
DIGITS = tuple(map(str, range(10)))


def trained(of: Architecture = SMALL, seed: int = 0) -> Model:
    return replace(make_untrained(without_study(of, SHAPE, 10), seed), provenance={"seed": seed})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    save_model(tmp_path / "model.safetensors", trained())
    return tmp_path / "model.safetensors"


def start_in(file: Path) -> Start:
    start = start_at(file)
    assert start is not None
    return start


def test_a_network_begins_with_the_weights_that_fit(file: Path) -> None:
    network = build(SMALL, SHAPE, 10, seed=5)
    assert start_in(file).begin(network, DIGITS) == 1.0
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, trained().state[name])


@pytest.mark.parametrize("classes", [("a", "b"), tuple("abcdefghij")])
def test_for_other_classes_the_last_layer_is_fresh(file: Path, classes: tuple[str, ...]) -> None:
    network = build(SMALL, SHAPE, len(classes), seed=5)
    before = network.state_dict()["head.linear.weight"].clone()
    assert 0.8 < start_in(file).begin(network, classes) < 1
    assert torch.equal(network.state_dict()["head.linear.weight"], before)


def test_a_start_is_its_file_by_digest_wherever_that_is(file: Path, tmp_path: Path) -> None:
    here, there = start_in(file), start_in(Path(copy(file, tmp_path / "b.safetensors")))
    assert here == there
    assert here.file != there.file
    save_model(file, trained(seed=1))
    assert start_in(file) != here


def test_a_start_given_as_one_or_none_is_taken_as_it_is(file: Path) -> None:
    start = start_in(file)
    assert start_at(start) is start
    assert start_at(None) is None


def test_a_model_reaches_a_worker_by_its_file(file: Path) -> None:
    start = pickle.loads(pickle.dumps(start_in(file)))
    assert start.begin(build(SMALL, SHAPE, 10), DIGITS) == 1.0
    assert len(pickle.dumps(start)) < 1000


def test_a_copy_is_made_once_and_mended(file: Path, tmp_path: Path) -> None:
    start = start_in(file)
    made = start.copied(tmp_path / "shared")
    assert made == start
    assert made.file.read_bytes() == file.read_bytes()
    file.unlink()
    assert start.copied(tmp_path / "shared").file == made.file  # needs the first file no more
    made.file.write_bytes(b"")
    with pytest.raises(FileFormatError, match=r"model\.safetensors cannot be read"):
        start.copied(tmp_path / "shared")


def test_a_file_that_has_changed_since_is_refused(file: Path) -> None:
    digest = start_in(file).digest
    save_model(file, trained(seed=7))
    assert start_in(file).model  # so that this process holds another one
    with pytest.raises(StudyError, match=f"is not the model that networks started.*{digest}"):
        Start(digest, file).begin(build(SMALL, SHAPE, 10), DIGITS)


def test_a_model_of_which_nothing_fits_is_refused(file: Path) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    with pytest.raises(NothingFitsError, match=r"no weight of .* so there is nothing to inherit"):
        start_in(file).begin(network, DIGITS)


def test_a_hand_designed_network_can_be_the_start(tmp_path: Path) -> None:
    of = ReferenceNetwork("resnet8", SHAPE, 10)
    save_model(tmp_path / "m.safetensors", replace(make_untrained(of), provenance={}))
    start = start_in(tmp_path / "m.safetensors")
    assert start.begin(of.build(1), DIGITS) == 1.0
    with pytest.raises(NothingFitsError, match=r"\(resnet8\) fits this network"):
        start.begin(build(SMALL, SHAPE, 10), DIGITS)


def test_a_model_of_another_task_is_refused(file: Path) -> None:
    other = replace(Classification(), name="segmentation")

    start = start_in(file)
    assert start.of(Classification()) is start
    with pytest.raises(OptionError, match=r"is a model of classification, but .* for segmentation"):
        start.of(other)


def _text(path: Path) -> None:
    path.write_text("weights")


def _nothing(path: Path) -> None:
    pass


def _architecture(path: Path) -> None:
    save(path, without_study(SMALL, SHAPE, 10))


def _fresh(path: Path) -> None:
    save_model(path, make_untrained(without_study(SMALL, SHAPE, 10)))


def _folder(path: Path) -> None:
    (path / "seed-0").mkdir(parents=True)
    (path / "seed-0" / "model.safetensors").touch()


def _cut(path: Path) -> None:
    save_model(path, trained())
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_text, "must be safetensors that neptune-nas wrote, but is a text file"),
        (_nothing, "cannot be read: No such file"),
        (_architecture, "is an architecture without weights"),
        (_fresh, r"`start` \(--first\): .* has fresh weights: choose a trained model"),
        (_folder, r"is a folder: name a model in it, such as .*seed-0/model\.safetensors"),
        (_cut, "is not a complete safetensors file"),
    ],
)
def test_what_is_no_trained_model_is_refused(make: object, message: str, tmp_path: Path) -> None:
    assert callable(make)
    make(tmp_path / "x")
    with pytest.raises(NeptuneError, match=message):
        start_in(tmp_path / "x").of(Classification())


@dataclass(frozen=True)
class Plain:
    """A user's own network."""

    width: int = 4

    def build(self, input_shape: tuple[int, int, int], outputs: int) -> nn.Module:
        pixels = prod(input_shape)
        layers = nn.Linear(pixels, self.width), nn.ReLU(), nn.Linear(self.width, outputs)
        return nn.Sequential(nn.Flatten(), *layers)


def test_a_users_record_must_be_allowed(tmp_path: Path) -> None:
    model = replace(make_untrained(without_study(Plain(), SHAPE, 10)), provenance={})
    save_model(tmp_path / "m.safetensors", model)
    with pytest.raises(NeptuneError, match="Plain"):
        start_in(tmp_path / "m.safetensors").of(Classification())
    start = start_at(tmp_path / "m.safetensors", [Plain])
    assert start is not None
    assert start.begin(build(Plain(), SHAPE, 10), DIGITS) == 1.0
    wider = build(Plain(8), SHAPE, 10)
    assert start.begin(wider, DIGITS) == 10 / sum(each.numel() for each in wider.parameters())
