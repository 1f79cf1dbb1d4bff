"""`--first` of `search` and `train`."""

from dataclasses import replace
from pathlib import Path

import pytest

from neptune_nas.architecture.records import Architecture, Stage, Stem
from neptune_nas.cli.first import first_in
from neptune_nas.errors import OptionError
from neptune_nas.models.architecture_file import save, without_study
from neptune_nas.models.model import make_untrained, save_model
from neptune_nas.nn.references import ReferenceNetwork
from tests.cli.run import ALONE, assert_one_sentence, neptune

NETWORK = without_study(Architecture(Stem(8), (Stage(8, norm="batch"),)), (1, 8, 8), 10)
SEARCH = ("search", "--space", "tiny", "--data", "digits#64", "--trials", 1, "--epochs", 1, *ALONE)
TRAIN = ("train", "--data", "digits#64", "--epochs", 1, "--seeds", 1, "--threads", 1)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return the file of a model whose weights count as trained."""
    file = tmp_path / "model.safetensors"
    save_model(file, replace(make_untrained(NETWORK), provenance={}))
    return file


def test_a_model_is_a_start_and_all_else_is_tried_first(model: Path, tmp_path: Path) -> None:
    files = [tmp_path, model, Path("a.json")]
    assert first_in(files) == {"first": (tmp_path, Path("a.json")), "start": model}
    assert first_in(None) == {"first": None, "start": None}
    assert first_in([model])["first"] is None


def test_two_models_are_refused(model: Path) -> None:
    with pytest.raises(OptionError, match=r"`start` \(--first\) must be one trained model, but"):
        first_in([model, Path("b.safetensors")])


def test_a_training_says_where_it_started(model: Path, tmp_path: Path) -> None:
    save(tmp_path / "a.json", NETWORK)
    words = (*TRAIN, tmp_path / "a.json", "--first", model, "-o", tmp_path / "x")
    outcome = neptune(*words, "--dry-run")
    assert f"Start:    {model} (sha256" in outcome.out
    outcome = neptune(*words)
    assert outcome.code == 0, outcome.err
    assert "100% of the parameters inherited" in outcome.err
    assert f"Started from {model} (sha256" in outcome.out


def test_a_search_and_its_status_say_where_networks_started(model: Path, tmp_path: Path) -> None:
    outcome = neptune(*SEARCH, "--first", model, "--out", tmp_path, "--jobs", 1)
    assert outcome.code == 0, outcome.err
    assert f"Networks start from {model} (sha256" in outcome.err
    assert f"All of these started from {model}" in outcome.out
    status = neptune("status", tmp_path / "tiny-digits-64-first").out
    assert "started from" in status


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("gone.safetensors", "gone.safetensors cannot be read"),
        ("text.safetensors", "must be safetensors that neptune-nas wrote, but is a text file"),
        ("resnet.safetensors", "no weight of"),
    ],
)
def test_a_mistake_is_one_sentence(name: str, part: str, tmp_path: Path) -> None:
    (tmp_path / "text.safetensors").write_text("weights")
    other = make_untrained(ReferenceNetwork("resnet8", (1, 8, 8), 10))
    save_model(tmp_path / "resnet.safetensors", replace(other, provenance={}))
    save(tmp_path / "a.json", NETWORK)
    words = ("--first", tmp_path / name, "-q")
    trained = neptune(*TRAIN, tmp_path / "a.json", *words, "-o", tmp_path / "x")
    assert_one_sentence(trained, part)
    assert_one_sentence(neptune(*SEARCH, *words, "--out", tmp_path / "studies"), part)
    assert not (tmp_path / "x").exists()
    assert not (tmp_path / "studies").exists()
