"""A training that starts from a trained model."""

from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest

from neptune_nas.architecture.records import Architecture, Stage, Stem
from neptune_nas.errors import FileFormatError, NeptuneError, StudyError
from neptune_nas.models.architecture_file import without_study
from neptune_nas.models.model import load_model
from neptune_nas.retrain.metrics import load_metrics
from neptune_nas.retrain.run import Training
from tests.retrain.builders import NETWORK, asked, refuse

OTHER = without_study(Architecture(stem=Stem(width=4), stages=(Stage(width=48),)), (1, 8, 8), 10)


def model_in(folder: Path) -> Path:
    return folder / "seed-0" / "model.safetensors"


@pytest.fixture(scope="module")
def begun(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished training that started from another."""
    out = tmp_path_factory.mktemp("trained") / "y"
    started(made, out).run()
    return out


def started(made: Path, out: Path) -> Training:
    """Return a training of another architecture from the first seed of a finished one."""
    return asked(out, source=OTHER, epochs=1, seeds=1, start=model_in(made))


def test_the_weights_that_fit_are_those_of_the_model(made: Path, tmp_path: Path) -> None:
    old = load_model(model_in(made)).state
    state = replace(started(made, tmp_path), source=NETWORK).job.build(5).state_dict()
    assert all((state[name] == old[name]).all() for name in old)


def test_the_terms_carry_the_model_and_the_share(made: Path, begun: Path) -> None:
    inherited = load_metrics(begun / "metrics.json").terms.inherited
    assert inherited is not None
    assert inherited.file == str(model_in(made))
    assert 0.5 < inherited.share < 1
    provenance = load_model(model_in(begun)).provenance["inherited"]
    assert provenance["digest"] == inherited.digest
    assert f"from {inherited.file}" in (begun / "curves.html").read_text()


def test_from_fresh_weights_the_terms_say_so(made: Path) -> None:
    assert load_metrics(made / "metrics.json").terms.inherited is None


def test_what_is_inherited_is_said(made: Path, tmp_path: Path) -> None:
    heard: list[str] = []
    started(made, tmp_path / "z").run(say=heard.append)
    assert any("parameters inherited" in text and "last layer" not in text for text in heard)


def test_a_finished_training_is_read(made: Path, begun: Path) -> None:
    assert started(made, begun).is_done
    started(made, begun).run(refuse)


def test_it_goes_on_only_from_the_same_model(made: Path, begun: Path, tmp_path: Path) -> None:
    moved = copytree(made, tmp_path / "moved")
    assert started(moved, begun).is_done
    other = replace(started(made, begun), start=made / "seed-1" / "model.safetensors")
    message = r"with `start` \(--first\) .*seed-0.*\(sha256 \w{12}\), but now it is .*seed-1"
    with pytest.raises(StudyError, match=message):
        other.run()
    with pytest.raises(StudyError, match=r"model\.safetensors \(sha256 .*\), but now it is none"):
        replace(other, start=None).run()


def test_what_began_fresh_goes_on_from_no_model(made: Path, begun: Path) -> None:
    with pytest.raises(StudyError, match=r"with `start` \(--first\) none, but now it is .*seed-0"):
        asked(made, start=model_in(begun)).run()


def test_a_missing_model_is_named(made: Path, begun: Path, tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"gone\.safetensors cannot be read: No such file"):
        replace(started(made, begun), start=tmp_path / "gone.safetensors").run()


def test_a_network_of_another_kind_inherits_nothing(made: Path, tmp_path: Path) -> None:
    with pytest.raises(
        NeptuneError, match="there is nothing to inherit: choose a model of the same kind"
    ):
        replace(started(made, tmp_path / "z"), source="resnet8").run()
    assert not (tmp_path / "z").exists()


def test_its_folder_has_a_name_of_its_own(made: Path) -> None:
    fresh = Training(NETWORK, data="digits")
    assert (
        replace(fresh, start=model_in(made)).folder.path.name == f"{fresh.folder.path.name}-first"
    )


def test_that_a_search_started_from_a_model_is_said(tmp_path: Path) -> None:
    source = replace(NETWORK, provenance={"start": "x.safetensors (sha256 0123)"})
    notes = asked(tmp_path, source=source).notes
    assert any("started from x.safetensors" in text and "(--first)" in text for text in notes)
