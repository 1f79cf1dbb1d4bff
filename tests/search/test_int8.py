"""A search that aims at the accuracy in int8."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from neptune_nas.architecture.records import Architecture, Attention, Conv, Stage
from neptune_nas.cli.pick import Pick
from neptune_nas.deploy.int8_accuracy import CALIBRATION, Calibration
from neptune_nas.devices.numerics import Numerics
from neptune_nas.engine.engine import Engine
from neptune_nas.errors import StudyError
from neptune_nas.evaluators.short_training import ShortTraining
from neptune_nas.metrics.registry import BY_NAME, INT8
from neptune_nas.metrics.score import Score
from neptune_nas.report.references import heads_of
from neptune_nas.search.config import Search
from neptune_nas.search.provenance import settings_for
from neptune_nas.search.resume import search_of
from neptune_nas.space import Space, choice
from neptune_nas.study.confirmation import Goal
from neptune_nas.study.export import export_trial
from neptune_nas.study.folder import write_settings
from neptune_nas.study.read import read_study
from neptune_nas.study.study import Study
from neptune_nas.trust.confirm import run_confirm
from neptune_nas.trust.references import run_references
from tests.study.fakes import InlineEngine
from tests.trust.fakes import on_engine

NAME = INT8[0].name
SPACE = Space(
    "ours",
    Architecture(stages=(Stage(choice(8, 16, 24), norm="batch", substages=(Conv(),)),)),
)


def opposed(architecture: Any, fidelity: int, seed: int) -> Score:
    """Return a score whose accuracy in int8 rises where the other falls."""
    share = sum(map(ord, repr(architecture))) % 997 / 1_000 + seed % 7 / 10_000
    return Score(fidelity, {NAME: share, "accuracy": 1 - share, "loss": 1.0}, seed)


def inline() -> Engine:
    return InlineEngine(opposed)


def asked(out: Path, **changes: Any) -> Search:
    search = Search(SPACE, "digits#200", 3, (NAME, "params"), rungs=(1,), jobs=1, out=out, name="x")
    search = replace(search, numerics=Numerics("fp32"))
    return on_engine(replace(search, **changes), inline)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    search = asked(tmp_path_factory.mktemp("int8"))
    search.run()
    run_references(search, ["resnet8"])
    return run_confirm(search, Goal(2, NAME, 1))


def test_a_study_ranks_and_confirms_by_the_accuracy_that_comes_first(study: Study) -> None:
    assert study.settings.question.main == INT8[0]
    best = study.best(NAME)
    assert best.score is not None
    assert best.score.values["accuracy"] == min(
        trial.score.values["accuracy"] for trial in study.ranked if trial.score
    )
    assert any(trial.confirmations for trial in study.trials)


def test_hand_designed_networks_are_compared_by_it(study: Study) -> None:
    (reference,) = study.references
    assert reference.score == reference.scores[0].values[NAME]
    assert heads_of(study)[1] == "int8 accuracy"


def test_guessing_is_as_good_in_int8(study: Study) -> None:
    guess = study.settings.facts.guess
    assert guess[NAME] == guess["accuracy"] == study.settings.facts.reference[0]


def test_a_study_keeps_its_calibration_and_goes_on_with_it(study: Study) -> None:
    question = read_study(study.folder).settings.question
    assert question.calibration == CALIBRATION
    evaluator = search_of(study.folder, space=SPACE).assembly.evaluator
    assert isinstance(evaluator, ShortTraining)
    assert evaluator.metrics[0] == INT8[0]
    assert evaluator.calibration == CALIBRATION


def test_other_calibration_images_are_another_question(tmp_path: Path) -> None:
    search = asked(tmp_path)
    settings = search.settings(search.assembly.facts())
    other = replace(settings.question, calibration=Calibration(8))
    write_settings(search.folder, replace(settings, question=other))
    with pytest.raises(StudyError, match="with calibration on 8 training images of seed 0"):
        settings_for(search.folder, settings)


def test_an_exported_trial_is_trained_for_int8(study: Study) -> None:
    score = export_trial(study, study.best(NAME)).score
    assert score is not None
    assert NAME in score.values


def test_without_that_aim_nothing_is_calibrated() -> None:
    question = Search(space="tiny", objectives=("accuracy", "params")).question
    assert question.calibration is None
    assert question.scored == (BY_NAME["accuracy"], BY_NAME["loss"])


def test_what_has_no_int8_kernel_is_left_out(tmp_path: Path) -> None:
    stage = Stage(8, norm="batch", substages=(choice(Conv(), Attention(2)),))
    search = asked(tmp_path, space=replace(SPACE, template=Architecture(stages=(stage,))))
    assert search.found_space.size == 1
    assert "tflite-micro has no int8 kernel for them: Attention" in search.reasons[-1]


def test_the_best_accuracy_is_that_in_int8(study: Study) -> None:
    assert study.best("accuracy") == study.best("int8_accuracy")
    assert Pick(which="accuracy").of(study) == study.best("int8_accuracy")
