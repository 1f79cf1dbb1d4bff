"""A user's evaluator, in a file, from the command line."""

from pathlib import Path
from shutil import copytree

import pytest

from neptune_nas.study.read import read_study
from tests.cli.run import assert_one_sentence, neptune

MINE = """
from dataclasses import dataclass

from neptune_nas.metrics.score import Score


@dataclass(frozen=True)
class Wide:
    enough: int = 200

    def __call__(self, architecture, fidelity, seed):
        width = sum(stage.width for stage in architecture.stages)
        return Score(fidelity, {"accuracy": min(1.0, width / self.enough), "loss": 0.0}, seed)
"""
SEARCH = ("search", "--space", "tiny", "--epochs", 1, "-j", 1, "--trials", 4)


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> str:
    """How an evaluator in a file is named."""
    file = tmp_path_factory.mktemp("own") / "mine.py"
    file.write_text(MINE)
    return f"{file}:Wide"


@pytest.fixture(scope="module")
def begun(mine: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a study of four trials."""
    out = tmp_path_factory.mktemp("studies")
    own = ("--evaluator", mine, "--evaluator-kwargs", '{"enough": 300}')
    outcome = neptune(*SEARCH, *own, "--out", out)
    assert outcome.code == 0, outcome
    return out / "tiny-digits"


def test_it_measures_what_a_search_tries(begun: Path) -> None:
    study = read_study(begun)
    assert study.settings.question.evaluator == "mine:Wide"
    assert study.settings.question.evaluator_kwargs == {"enough": 300}
    for trial in study.trials:
        assert trial.score is not None
        width = sum(stage.width for stage in trial.architecture.stages)
        assert trial.score.main == pytest.approx(width / 300)


def test_the_question_is_asked_again_where_it_is_given_again(
    mine: str, begun: Path, tmp_path: Path
) -> None:
    copy = copytree(begun, tmp_path / "tiny-digits")
    again = ("search", "--config", copy / "study.toml", "--out", tmp_path, "--trials", 5, "-j", 1)
    assert_one_sentence(
        neptune(*again),
        "`evaluator` is mine:Wide",
        "pass it as `evaluator` (--evaluator), with",
    )
    own = ("--evaluator", mine)
    assert_one_sentence(neptune(*again, *own), "`enough` of the evaluator is 300, but got 200")
    outcome = neptune(*again, *own, "--evaluator-kwargs", '{"enough": 300}')
    assert outcome.code == 0, outcome
    assert len(read_study(copy).trials) == 5


def test_more_is_measured_where_it_is_given_again(mine: str, begun: Path, tmp_path: Path) -> None:
    copy = copytree(begun, tmp_path / "tiny-digits")
    own = ("--evaluator", mine, "--evaluator-kwargs", '{"enough": 300}')
    for command in (
        ("confirm", copy, "--evaluations", 1),
        ("audit", copy, "--architectures", 4),
        ("baseline", copy, "--samplers", "random", "--trials", 2),
    ):
        outcome = neptune(*command, "-j", 1, *own)
        assert outcome.code == 0, outcome
    study = read_study(copy)
    assert sum(len(trial.confirmations) for trial in study.trials) == 1
    assert study.audit is not None
    assert len(study.baselines["random"]) == 2


def test_arguments_without_an_evaluator_are_refused() -> None:
    outcome = neptune(*SEARCH, "--evaluator-kwargs", "{}")
    assert_one_sentence(outcome, "--evaluator-kwargs needs --evaluator")


def test_an_evaluator_and_a_table_exclude_each_other(mine: str) -> None:
    outcome = neptune(*SEARCH, "--evaluator", mine, "--table", "a.csv")
    assert_one_sentence(outcome, "`table` and `evaluator` exclude each other")
