"""Networks of torchvision and timm by name, as records."""

import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import ResNet18_Weights, resnet18

from neptune_nas import Space, build, choice
from neptune_nas.architecture.fields import UnknownRecord
from neptune_nas.errors import ArchitectureError, FileFormatError, NeptuneError, OptionError
from neptune_nas.metrics.counted import CostModel, cost
from neptune_nas.models.architecture_file import without_study
from neptune_nas.models.model import load_model, make_untrained, save_model
from neptune_nas.nn.model_zoo import (
    ZOO,
    Pruned,
    TimmModel,
    TorchvisionModel,
    weights_digests,
    without_weights,
)
from neptune_nas.nn.pretrained import ZooNetwork, resized
from neptune_nas.training.optimizer import make_optimizer
from neptune_nas.training.recipe import Recipe
from tests.nn.contract_network import NetworkContract

SMALL = "shufflenet_v2_x0_5"
SHAPE = (3, 16, 16)


class TestTorchvision(NetworkContract):
    """A network of torchvision at a resolution of its own."""

    allow = ZOO

    def record(self) -> TorchvisionModel:
        return TorchvisionModel(SMALL, resolution=12)

    def wider(self) -> TorchvisionModel:
        return TorchvisionModel("shufflenet_v2_x1_0", resolution=12)


class TestTimm(NetworkContract):
    """A network of timm."""

    allow = ZOO

    def record(self) -> TimmModel:
        return TimmModel("test_efficientnet", resolution=16)

    def wider(self) -> TimmModel:
        return TimmModel("test_resnet", resolution=16)


def built(
    record: TorchvisionModel | TimmModel, shape: tuple[int, int, int] = SHAPE, outputs: int = 4
) -> ZooNetwork:
    network = build(record, shape, outputs, 0)
    assert isinstance(network, ZooNetwork)
    return network


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """Return the state of a network as others train it: RGB images and 10 classes."""
    state = built(TorchvisionModel(SMALL), outputs=10).network.state_dict()
    return {name: value + value.is_floating_point() / 4 for name, value in state.items()}


def saved(folder: Path, state: dict[str, Any], name: str = "net.safetensors") -> str:
    """Return the path of a file with a state."""
    if name.endswith(".safetensors"):
        save_file(state, folder / name)
    else:
        torch.save(state, folder / name)
    return str(folder / name)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (
            TorchvisionModel("resnet19"),
            r"torchvision has no network 'resnet19': did you mean 'resn",
        ),
        (TimmModel("resnet19"), r"timm has no network 'resnet19': did you mean 'resn.*list_models"),
        (TimmModel("hf-hub:someone/else"), "timm has no network 'hf-hub:someone/else'"),
        (TorchvisionModel(SMALL, weights="IMAGENET"), "no weights 'IMAGENET'.*IMAGENET1K_V1.*file"),
        (TimmModel("resnet18", weights="IMAGENET"), "must be 'DEFAULT' or a file that ends in"),
        (TimmModel("resnet10t", weights="x.txt"), "must be 'DEFAULT' or a file that ends in"),
    ],
)
def test_an_unknown_name_is_refused_with_what_is_known(record: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        build(record, SHAPE, 4)


def test_an_unknown_name_ends_a_count_instead_of_leaving_the_network_out() -> None:
    with pytest.raises(OptionError, match="network: torchvision has no network 'resnet19'"):
        CostModel(SHAPE, 4).cost(TorchvisionModel("resnet19"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": ""}, "`TorchvisionModel.name` must be a non-empty string, but got ''"),
        ({"resolution": -1}, "`TorchvisionModel.resolution` must be a whole number of at least 0"),
        ({"frozen": 2.0}, r"`TorchvisionModel.frozen` must be a number in 0\.\.1, but got 2\.0"),
        ({"first_rate": 0.0}, "`TorchvisionModel.first_rate` must be a number above 0 and at most"),
    ],
)
def test_values_out_of_their_range_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        TorchvisionModel(**{"name": SMALL, **values})


def test_they_are_options_of_a_space() -> None:
    space = Space(
        "zoo",
        choice(
            TorchvisionModel(choice(SMALL, "resnet18"), resolution=choice(16, 32)),
            TimmModel("resnet10t", resolution=choice(16, 32), frozen=choice(0.0, 0.5)),
        ),
    )
    assert space.size == 8
    assert len({*map(space.__getitem__, range(8))}) == 8


def test_costs_are_counted_at_the_resolution() -> None:
    shape, name = (3, 32, 32), "squeezenet1_1"
    at = [CostModel(shape, 4).cost(TorchvisionModel(name, side)) for side in (0, 32, 64)]
    assert at[0] == at[1] == cost(built(TorchvisionModel(name), shape), shape)
    assert at[1].macs < at[2].macs
    assert at[1].params == at[2].params


def test_a_device_resizes_images_by_any_factor() -> None:
    model, sides = CostModel((3, 64, 64), 4), (32, 48, 64, 96)
    ram = [model.value("ram", TorchvisionModel("mobilenet_v2", side)) for side in sides]
    assert ram[0] > 0
    assert ram == sorted({*ram})


def test_images_shrink_by_whole_pixels_first_and_grow_bilinearly() -> None:
    images = torch.arange(64.0).view(1, 1, 8, 8)
    assert resized(images, 0) is images
    assert torch.equal(resized(images, 4), nn.functional.avg_pool2d(images, 2))
    assert resized(images, 3).shape == (1, 1, 3, 3)
    assert torch.allclose(resized(images, 16).mean(), images.mean())
    assert resized(torch.rand(2, 3, 20, 9), 8).shape == (2, 3, 8, 8)


@pytest.mark.parametrize("name", ["net.safetensors", "net.pth"])
def test_weights_of_a_file_stay_but_for_channels_and_classes(
    tmp_path: Path, state: dict[str, Tensor], name: str
) -> None:
    record = TorchvisionModel(SMALL, weights=saved(tmp_path, state, name))
    found = built(record, (1, 16, 16)).network.state_dict()
    fresh = built(TorchvisionModel(SMALL), (1, 16, 16)).network.state_dict()
    for each, value in found.items():
        if each.startswith("fc."):
            assert torch.equal(value, fresh[each])
        elif each == "conv1.0.weight":
            assert torch.allclose(value, state[each].sum(1, keepdim=True))
        else:
            assert torch.equal(value, state[each])
    assert torch.equal(built(record, outputs=10).network.fc.weight, state["fc.weight"])  # type: ignore[arg-type, union-attr]  # a tensor of a layer


def test_grey_images_give_what_they_gave_as_colours(
    tmp_path: Path, state: dict[str, Tensor]
) -> None:
    record, grey = TorchvisionModel(SMALL, weights=saved(tmp_path, state)), torch.rand(2, 1, 16, 16)
    colours, one, five = (built(record, (each, 16, 16), 10).eval() for each in (3, 1, 5))
    wanted = colours(grey.expand(-1, 3, -1, -1))
    assert torch.allclose(one(grey), wanted, rtol=1e-3)
    assert torch.allclose(five(grey.expand(-1, 5, -1, -1)), wanted, rtol=0.1)


def test_a_checkpoint_of_a_parallel_network_is_unwrapped(
    tmp_path: Path, state: dict[str, Tensor]
) -> None:
    wrapped = {"epoch": 3, "state_dict": {f"module.{name}": v for name, v in state.items()}}
    record = TorchvisionModel(SMALL, weights=saved(tmp_path, wrapped, "checkpoint.pth.tar"))
    assert torch.equal(built(record, outputs=10).network.state_dict()["fc.bias"], state["fc.bias"])


def test_a_model_that_was_trained_here_gives_its_weights(tmp_path: Path) -> None:
    model = make_untrained(without_study(TorchvisionModel(SMALL), SHAPE, 4), seed=5)
    save_model(tmp_path / "model.safetensors", model)
    record = TorchvisionModel(SMALL, weights=str(tmp_path / "model.safetensors"))
    found = built(record).state_dict()
    assert all(torch.equal(value, found[name]) for name, value in model.state.items())


class Danger:
    """An object whose pickle runs code."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("ran",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (Danger(), r"must be safetensors, or a state dict that `torch\.save` wrote.*zip archive"),
        ({"weights": 3}, "must hold tensors by name, but holds other values"),
        ({"a.weight": torch.ones(2)}, r"weights do not fit the network: `a\.weight` is not in the"),
        ({}, r"weights do not fit the network: `.*` is missing"),
    ],
)
def test_a_file_of_something_else_is_refused_and_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: Any, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    record = TorchvisionModel(SMALL, weights=saved(tmp_path, content, "net.pth"))
    with pytest.raises(FileFormatError, match=rf"net\.pth.*{message}"):
        build(record, SHAPE, 4)
    assert not (tmp_path / "ran").exists()


def test_weights_of_another_network_or_not_finite_are_refused(
    tmp_path: Path, state: dict[str, Tensor]
) -> None:
    wrong = state | {"conv5.0.weight": torch.ones(3, 3)}
    nan = state | {"conv5.0.weight": torch.full_like(state["conv5.0.weight"], torch.nan)}
    for content, message in ((wrong, r"`conv5\.0\.weight` must have the shape"), (nan, "has NaN")):
        record = TorchvisionModel(SMALL, weights=saved(tmp_path, content))
        with pytest.raises(FileFormatError, match=rf"net\.safetensors: weights .*{message}"):
            build(record, SHAPE, 4)


def test_a_file_that_is_missing_is_named_with_why() -> None:
    with pytest.raises(FileFormatError, match=r"gone\.pth cannot be read: No such file"):
        build(TimmModel("test_resnet", weights="gone.pth"), SHAPE, 4)


def test_costs_and_trained_models_need_no_file_of_weights(
    tmp_path: Path, state: dict[str, Tensor]
) -> None:
    record = TorchvisionModel(SMALL, weights=saved(tmp_path, state))
    model = make_untrained(without_study(Pruned(record, depth=0.5), SHAPE, 4))
    save_model(tmp_path / "model.safetensors", model)
    Path(str(record.weights)).unlink()
    images = torch.zeros(1, *SHAPE, dtype=torch.uint8)
    read = load_model(tmp_path / "model.safetensors")
    assert read.of.architecture == Pruned(record, depth=0.5)  # type: ignore[union-attr]  # is exported
    assert torch.equal(read.predict(images), model.predict(images))
    assert CostModel(SHAPE, 4).cost(record) == CostModel(SHAPE, 4).cost(without_weights(record))


def test_files_of_weights_are_known_by_their_content_at_any_depth(tmp_path: Path) -> None:
    one, other = tmp_path / "one.pth", tmp_path / "other"
    one.write_bytes(b"1")
    other.write_bytes(b"2")
    weights = choice(None, "DEFAULT", str(one), str(other), str(tmp_path / "gone.pth"))
    template = choice(Pruned(TimmModel("a", weights=weights)), TorchvisionModel("DEFAULT.pth"))
    assert weights_digests(template) == {
        str(one): sha256(b"1").hexdigest(),
        str(other): sha256(b"2").hexdigest(),
    }


def test_weights_are_left_out_at_any_depth_and_nothing_else() -> None:
    record, unknown = TimmModel("a", weights="x.pth"), UnknownRecord("own:Own", (("width", 3),))
    assert without_weights(Pruned(record, 0.5)) == Pruned(TimmModel("a"), 0.5)
    assert without_weights((record, 3)) == (TimmModel("a"), 3)
    assert without_weights(unknown) is unknown


def test_the_librarys_own_loader_reads_its_own_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = resnet18()
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(network.state_dict(), folder / ResNet18_Weights.DEFAULT.url.rpartition("/")[2])
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    found = built(TorchvisionModel("resnet18", weights="DEFAULT")).network.state_dict()
    assert torch.equal(found["layer1.0.conv1.weight"], network.layer1[0].conv1.weight)
    assert found["fc.weight"].shape == (4, 512)


def test_timms_own_loader_reads_its_own_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = built(TimmModel("test_resnet"), outputs=1000).network.state_dict()
    there = tmp_path / "models--timm--test_resnet.r160_in1k"
    (there / "refs").mkdir(parents=True)
    (there / "snapshots" / "abc").mkdir(parents=True)
    (there / "refs" / "main").write_text("abc")
    save_file(state, there / "snapshots" / "abc" / "model.safetensors")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    found = built(TimmModel("test_resnet", weights="DEFAULT"), (1, 16, 16)).network.state_dict()
    assert torch.equal(found["layer1.0.conv1.weight"], state["layer1.0.conv1.weight"])
    assert torch.allclose(found["conv1.0.weight"], state["conv1.0.weight"].sum(1, keepdim=True))
    assert found["fc.weight"].shape == (4, state["fc.weight"].shape[1])


def test_weights_that_a_library_cannot_load_are_told_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / ResNet18_Weights.DEFAULT.url.rpartition("/")[2]).write_text("cut off")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(NeptuneError, match=r"'DEFAULT' of resnet18 cannot be loaded \(.*: name a"):
        build(TorchvisionModel("resnet18", weights="DEFAULT"), SHAPE, 4)


def test_frozen_layers_get_no_gradients_and_their_norms_stay() -> None:
    network = built(TorchvisionModel(SMALL, frozen=0.5)).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network(torch.rand(4, *SHAPE)).sum().backward()
    parameters = dict(network.named_parameters())
    frozen = {name for name, each in parameters.items() if each.grad is None}
    changed = {
        name for name, value in network.state_dict().items() if (value != before[name]).any()
    }
    assert 0.4 < len(frozen) / len(parameters) < 0.6
    assert "network.conv1.0.weight" in frozen
    assert not any(name.startswith(("network.conv1.", "network.stage2.")) for name in changed)
    assert "network.conv5.1.running_mean" in changed
    assert not network.network.conv1[1].training  # type: ignore[index, union-attr]  # a norm
    assert not network.eval().network.fc.training  # type: ignore[union-attr]  # a layer


def test_with_all_frozen_the_classifier_alone_learns() -> None:
    network = built(TorchvisionModel("mobilenet_v3_small", frozen=1.0))
    learning = [name for name, each in network.named_parameters() if each.requires_grad]
    assert learning == ["network.classifier.3.weight", "network.classifier.3.bias"]


def test_rates_rise_from_the_first_layer_to_the_classifier() -> None:
    network = built(TorchvisionModel(SMALL, first_rate=0.1))
    optimizer = make_optimizer(network, Recipe(lr=0.5))
    names = {id(each): name for name, each in network.named_parameters()}
    rates = {names[id(p)]: g["lr"] for g in optimizer.param_groups for p in g["params"]}
    ordered = [rates[name] for name, _ in network.named_parameters()]
    assert len(rates) == len(ordered)
    assert ordered == sorted(ordered)
    assert ordered[0] == pytest.approx(0.05)
    assert rates["network.fc.weight"] == optimizer.param_groups[0]["lr"] == 0.5


def test_a_missing_library_is_told_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neptune_nas.errors.find_spec", lambda _: None)
    with pytest.raises(NeptuneError, match=r"`TimmModel` needs timm.*neptune-nas\[timm\]"):
        build(TimmModel("resnet18"), SHAPE, 4)
