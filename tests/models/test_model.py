import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import neptune_nas
from neptune_nas.architecture.records import Architecture, Conv, Stage, Stem
from neptune_nas.devices.memory import peak_memory
from neptune_nas.errors import ArchitectureError, DataError, FileFormatError
from neptune_nas.models.architecture_file import (
    ExportedArchitecture,
    document,
    dumps,
    without_study,
)
from neptune_nas.models.model import BATCH, Model, load_model, make_untrained, model_in, save_model
from neptune_nas.models.model_file import (
    ModelFile,
    header_in,
    read_model_file,
    write_model_file,
)
from neptune_nas.nn.builder import build
from neptune_nas.nn.references import ReferenceNetwork

SHAPE = (1, 8, 8)
SMALL = Architecture(Stem(4), (Stage(8),))
IMAGES = torch.arange(3 * 64).remainder(256).to(torch.uint8).view(3, *SHAPE)


@dataclass(frozen=True)
class Scale:
    """A user's SubStage."""

    def build(self, width: int) -> nn.Module:
        return nn.Conv2d(width, width, 1, groups=width)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def model(**changes: Any) -> Model:
    fresh = make_untrained(without_study(SMALL, SHAPE, 3))
    known = {"labels": ("a", "b", "c"), "mean": (0.2,), "std": (0.5,), "metrics": {"accuracy": 0.9}}
    return replace(fresh, **{**known, **changes})


def test_a_model_that_is_saved_is_loaded_again(file: Path) -> None:
    one = model(provenance={"seed": 3})
    save_model(file, one)
    again = load_model(file)
    for name in (
        "of",
        "task",
        "labels",
        "mean",
        "std",
        "metrics",
        "provenance",
        "key",
        "input_shape",
    ):
        assert getattr(again, name) == getattr(one, name)
    assert torch.equal(again.predict(IMAGES), one.predict(IMAGES))


@pytest.mark.parametrize("name", ["resnet8", "mnasnet0_5"])
def test_a_hand_designed_network_is_saved_by_name(name: str, file: Path) -> None:
    one = make_untrained(ReferenceNetwork(name, (3, 32, 32), 4))
    save_model(file, one)
    again = load_model(file)
    assert (again.of, again.key) == (one.of, name)
    assert again.network().state_dict().keys() == one.state.keys()


def test_the_file_of_an_architecture_takes_the_weights_of_its_model(
    file: Path, tmp_path: Path
) -> None:
    one = model()
    save_model(file, one)
    (tmp_path / "best.json").write_text(dumps(without_study(SMALL, SHAPE, 3)))
    item = neptune_nas.load(tmp_path / "best.json")
    for weights in (file, str(file), one):
        network = item.build(weights=weights)
        assert not network.training
        assert torch.equal(network(IMAGES / 255), one.network()(IMAGES / 255))


def test_weights_of_another_network_are_refused_by_key(file: Path) -> None:
    save_model(file, model())
    other = without_study(Architecture(Stem(4), (Stage(16),)), SHAPE, 3)
    with pytest.raises(FileFormatError, match=f"of the network {other.key}, but are of"):
        other.build(weights=file)


def test_probabilities_are_those_of_the_normalised_images() -> None:
    one = model()
    probabilities = one.predict(IMAGES)
    with torch.inference_mode():
        logits = one.network()((IMAGES / 255 - 0.2) / 0.5)
    torch.testing.assert_close(probabilities, logits.softmax(1))
    torch.testing.assert_close(probabilities.sum(1), torch.ones(3))


def test_the_most_probable_labels_of_images_are_found() -> None:
    best = model().predict(IMAGES).max(1)
    found = [*model().findings(IMAGES, 1)]
    assert [each.label for (each,) in found] == ["abc"[i] for i in best.indices]
    assert [each.probability for (each,) in found] == pytest.approx(best.values.tolist())


def test_many_images_are_predicted_as_one_by_one() -> None:
    times = 1 + BATCH // len(IMAGES)  # more than one batch, the last of which is not whole
    whole = model().predict(IMAGES)
    many = model().predict(IMAGES.repeat(times, 1, 1, 1))
    torch.testing.assert_close(many, whole.repeat(times, 1))


def test_no_images_have_no_predictions() -> None:
    one = model()
    assert one.predict(IMAGES[:0]).shape == (0, 3)
    assert list(one.findings(IMAGES[:0], 2)) == []


def test_a_prediction_leaves_no_gradient_and_the_random_state_alone() -> None:
    state = torch.get_rng_state()
    assert not model().predict(IMAGES).requires_grad
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    "images", [IMAGES.float(), IMAGES[0], IMAGES.expand(3, 3, 8, 8)], ids=["float", "one", "RGB"]
)
def test_images_of_another_kind_are_refused(images: torch.Tensor) -> None:
    with pytest.raises(DataError, match=r"`predict` needs uint8 images \(N, 1, H, W\), but got"):
        model().predict(images)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": ("a", "b")}, r"`Model.labels` must be 3 strings, one per class, but got \('a'"),
        ({"labels": (1, 2, 3)}, "`Model.labels` must be a tuple of strings"),
        ({"mean": (0.1, 0.2)}, "`Model.mean` must be 1 number, one per channel"),
        ({"std": (inf,)}, "`Model.std` must be a tuple of finite numbers above 0"),
        ({"std": (0.0,)}, "`Model.std` must be a tuple of finite numbers above 0"),
    ],
)
def test_a_model_that_does_not_fit_its_network_is_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ArchitectureError, match=message):
        model(**changes)


def test_weights_that_do_not_fit_are_not_saved(file: Path) -> None:
    with pytest.raises(FileFormatError, match=r"`head\.linear\.bias` is missing"):
        save_model(file, model(state={}))
    assert not file.exists()


def rewritten(file: Path, **changes: Any) -> None:
    """Return the model's file with other fields in its header."""
    save_model(file, model())
    content = read_model_file(file)
    write_model_file(file, ModelFile({**content.header, **changes}, content.state))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"key": "b"}, r"`key` must be \w{16}, but got 'b'"),
        ({"labels": ["a"]}, "`Model.labels` must be 3 strings"),
        ({"task": "clasification"}, "task 'clasification' is unknown: did you mean 'classif"),
        ({"task": 1}, "`task` must be a string, but got 1"),
        ({"mean": ["x"]}, r"`mean\.0` must be a finite number"),
        ({"network": {"reference": "resnet9"}}, r"`network\.input_shape`.* missing"),
        (
            {"network": {"reference": "resnet9", "input_shape": [3, 8, 8], "classes": 3}},
            "'resnet9' is unknown: did you mean 'resnet8'",
        ),
        ({"network": {}}, "`format` must be 'neptune-nas/architecture'"),
    ],
)
def test_a_header_that_was_changed_is_refused(
    file: Path, changes: dict[str, Any], message: str
) -> None:
    rewritten(file, **changes)
    with pytest.raises(FileFormatError, match=rf"model\.safetensors: .*{message}"):
        load_model(file)


def test_weights_of_another_shape_are_refused_with_the_file(file: Path) -> None:
    save_model(file, model())
    content = read_model_file(file)
    wrong = {**content.state, "stem.conv.weight": torch.zeros(1)}
    write_model_file(file, ModelFile(content.header, wrong))
    with pytest.raises(FileFormatError, match=r"safetensors: weights do not fit .*`stem\.conv"):
        load_model(file)


@pytest.mark.parametrize("width", [10**7, 2**31 - 1])
def test_a_network_too_large_for_any_memory_is_refused_before_it_is_built(
    file: Path, width: int
) -> None:
    large = Architecture(Stem(width), (Stage(width, substages=(Conv(), Conv())),))
    item = replace(without_study(SMALL, SHAPE, 3), architecture=large)
    rewritten(file, network=document(item), key=item.key)
    with pytest.raises(
        FileFormatError, match=r"model\.safetensors: .*(do not fit|cannot be built)"
    ):
        load_model(file)


@pytest.mark.parametrize("width", [2**31, 2**63, 10**30, -1, 1.5, "x" * 5000])
def test_a_width_that_no_network_has_is_refused_by_its_place(file: Path, width: object) -> None:
    network = document(without_study(SMALL, SHAPE, 3))
    network["architecture"]["stem"]["width"] = width
    rewritten(file, network=network)
    with pytest.raises(FileFormatError, match=r"`architecture\.stem\.width` must be a whole") as no:
        load_model(file)
    assert len(str(no.value)) < 600


def test_weights_that_do_not_fit_are_refused_before_they_take_any_memory(file: Path) -> None:
    save_model(file, model())
    content = file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    huge = 5 * 2**30
    name, place = next((n, h) for n, h in header.items() if n != "__metadata__")
    rest = {n: h for n, h in header.items() if n not in (name, "__metadata__")}
    shift = huge - (place["data_offsets"][1] - place["data_offsets"][0])
    moved = {
        n: {**h, "data_offsets": [o + shift for o in h["data_offsets"]]} for n, h in rest.items()
    }
    assert place["data_offsets"][0] == 0
    claimed = {"dtype": "U8", "shape": [huge], "data_offsets": [0, huge]}
    text = json.dumps({"__metadata__": header["__metadata__"], name: claimed, **moved}).encode()
    with file.open("wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        out.truncate(8 + len(text) + len(content) - 8 - length + shift)
    before = peak_memory(torch.device("cpu"))
    with pytest.raises(FileFormatError, match="weights do not fit the network"):
        load_model(file)
    assert peak_memory(torch.device("cpu")) - before < 2**30


@pytest.mark.parametrize("value", [nan, inf])
def test_weights_that_are_no_finite_numbers_are_refused(file: Path, value: float) -> None:
    state = dict(model().state)
    state["head.linear.bias"] = torch.full((3,), value)
    save_model(file, model(state=state))
    with pytest.raises(FileFormatError, match=r"finite, but `head\.linear\.bias` has NaN or inf"):
        load_model(file)


def test_a_model_is_loaded_and_used_with_one_network_built(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_model(file, model())
    devices = []

    def counted(item: ExportedArchitecture, seed: int | None = None) -> nn.Module:
        devices.append(torch.get_default_device().type)
        network: nn.Module = build(item.architecture, item.input_shape, item.classes, seed)
        return network

    monkeypatch.setattr(ExportedArchitecture, "build", counted)
    load_model(file).predict(IMAGES)
    assert devices == ["meta", "cpu"]


def test_a_users_own_record_is_refused_until_it_is_allowed(file: Path) -> None:
    own = Architecture(Stem(4), (Stage(8, substages=(Scale(), Conv())),))
    save_model(file, make_untrained(without_study(own, SHAPE, 3)))
    with pytest.raises(FileFormatError, match=r"not allowed.*--allow"):
        load_model(file)
    assert load_model(file, allow=(Scale,)).of == without_study(own, SHAPE, 3)


@dataclass(frozen=True)
class Noted:
    """A user's SubStage that notes each of its instances."""

    size: int = 1

    def __post_init__(self) -> None:
        made.append(self)

    def build(self, width: int) -> nn.Module:
        """Return a depthwise convolution."""
        return nn.Conv2d(width, width, self.size, groups=width)


made: list[Noted] = []


def test_the_records_of_a_model_are_made_once(file: Path) -> None:
    own = Architecture(Stem(4), (Stage(8, substages=(Noted(),)),))
    save_model(file, make_untrained(without_study(own, SHAPE, 3)))
    made.clear()
    load_model(file, allow=(cls for cls in (Noted,)))
    assert len(made) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place inside a JSON value: what holds it, and its name or number there."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for name, item in inner:
        yield value, name
        if isinstance(item, dict | list):
            yield from places(item)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> ModelFile:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_model(path, model())
    return read_model_file(path)


@given(st.data())
def test_whatever_stands_in_one_place_of_a_header_it_is_read_or_refused(
    content: ModelFile, data: st.DataObject
) -> None:
    header = json.loads(json.dumps(dict(content.header)))
    below = {name: header[name] for name in ("network", "labels", "mean", "std")}
    inside, name = data.draw(st.sampled_from([*places(below)]))
    inside[name] = data.draw(json_values)
    with suppress(FileFormatError, ArchitectureError):
        text = json.dumps({**header, **below})
        model_in(ModelFile(header_in(text), content.state), ())
