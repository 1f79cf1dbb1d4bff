"""Trainings with a teacher."""

from dataclasses import replace
from pathlib import Path

import pytest

from neptune_nas.errors import FileFormatError, OptionError, StudyError
from neptune_nas.models.model import load_model, make_untrained, save_model
from neptune_nas.retrain.metrics import load_metrics
from neptune_nas.retrain.progress import TrainingStep
from tests.retrain.builders import NETWORK, asked


@pytest.fixture
def big(made: Path) -> Path:
    """Return a model that was trained on the same data."""
    return made / "seed-0" / "model.safetensors"


def test_a_network_is_trained_with_a_teacher(big: Path, made: Path, tmp_path: Path) -> None:
    said: list[str] = []
    training = asked(tmp_path / "x", teacher=big, teacher_views=2)
    metrics = training.run(say=said.append)
    assert any(each.startswith(f"The teacher, {big}: accuracy 0.") for each in said)
    assert any(each.startswith("Computing the teacher's outputs: ") for each in said)
    terms = metrics.terms
    assert (terms.teacher_digest, terms.teacher_views) == (training.terms.teacher_digest, 2)
    assert metrics.teacher_seconds > 0
    assert load_metrics(training.folder.metrics) == metrics
    model = load_model(training.folder.seed(0).model)
    assert model.provenance["teacher_digest"] == terms.teacher_digest
    plain = load_metrics(made / "metrics.json")
    assert plain.teacher_seconds == 0
    assert [s.validation for s in plain.seeds] != [s.validation for s in metrics.seeds]


def test_a_stopped_training_goes_on_without_computing_again(big: Path, tmp_path: Path) -> None:
    def stop(step: TrainingStep) -> None:
        if step.epoch.number == 2:
            raise KeyboardInterrupt

    whole = asked(tmp_path / "x", teacher=big, teacher_views=2, seeds=1).run()
    again = asked(tmp_path / "y", teacher=big, teacher_views=2, seeds=1)
    with pytest.raises(KeyboardInterrupt):
        again.run(stop)
    assert again.forecast() is not None
    said: list[str] = []
    metrics = replace(again).run(say=said.append)
    assert not any("Computing" in each for each in said)
    assert metrics.seeds[0].validation == whole.seeds[0].validation


def test_a_training_goes_on_when_its_teachers_file_is_gone(big: Path, tmp_path: Path) -> None:
    teacher = tmp_path / "big.safetensors"
    teacher.write_bytes(big.read_bytes())
    training = asked(tmp_path / "x", teacher=teacher, seeds=1, epochs=1)
    training.run()
    teacher.unlink()
    assert len(replace(training, seeds=2).run().seeds) == 2
    with pytest.raises(FileFormatError, match="cannot be read"):
        replace(training, out=tmp_path / "y").run()
    assert not (tmp_path / "y").exists()


def test_a_training_does_not_go_on_with_another_teacher(big: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    save_model(other, make_untrained(NETWORK))
    training = asked(tmp_path / "x", teacher=big, teacher_views=2, seeds=1, epochs=1)
    training.run()
    begun = rf"with teacher {big} \(\w+\), but now it is"
    for now, message in (
        (replace(training, teacher=None), rf"{begun} none: choose another folder"),
        (replace(training, teacher_views=3), "with teacher views 2, but now it is 3"),
        (replace(training, teacher=other), rf"{begun} {other} \(\w+\)"),
    ):
        with pytest.raises(StudyError, match=message):
            replace(now, seeds=2).run()


def test_a_teacher_may_move(big: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved.safetensors"
    moved.write_bytes(big.read_bytes())
    training = asked(tmp_path / "x", teacher=big, seeds=1, epochs=1)
    training.run()
    assert len(replace(training, seeds=2, teacher=moved).run().seeds) == 2


def test_a_teacher_for_other_data_leaves_no_folder(tmp_path: Path) -> None:
    model = make_untrained(NETWORK)
    other = replace(model, labels=tuple("abcdefghij"))
    save_model(tmp_path / "big.safetensors", other)
    training = asked(tmp_path / "x", teacher=tmp_path / "big.safetensors")
    with pytest.raises(OptionError, match=r"must have the 10 classes .*only the teacher has 'a'"):
        training.run()
    assert not (tmp_path / "x").exists()


def test_a_teacher_that_guesses_is_said_first(tmp_path: Path) -> None:
    save_model(tmp_path / "big.safetensors", make_untrained(NETWORK))
    training = asked(tmp_path / "x", teacher=tmp_path / "big.safetensors")
    assert "no better than guessing" in training.notes[-1]
    assert training.forecast() is not None
    assert not (tmp_path / "x").exists()
