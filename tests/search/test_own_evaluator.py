"""A search with a user's evaluator: what of it is part of the study's question."""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path

import pytest

from neptune_nas.architecture.records import Architecture
from neptune_nas.errors import StudyError
from neptune_nas.evaluators.evaluator import Evaluator
from neptune_nas.metrics.score import Score
from neptune_nas.search.config import Search
from neptune_nas.search.dry_run import dry_run
from neptune_nas.search.resume import search_of
from neptune_nas.study.settings import Question
from neptune_nas.trust.audit import run_audit


@dataclass(frozen=True)
class Wide:
    """Scores by width alone."""

    enough: int = 200

    def __call__(self, architecture: Architecture, fidelity: int, seed: int) -> Score:
        width = sum(stage.width for stage in architecture.stages)
        return Score(fidelity, {"accuracy": min(1.0, width / self.enough), "loss": 0.0}, seed)


class Bare:
    """An evaluator whose parameters nobody can know."""

    def __init__(self, enough: int) -> None:
        self.enough = enough

    def __call__(self, architecture: Architecture, fidelity: int, seed: int) -> Score:
        return Wide(self.enough)(architecture, fidelity, seed)


def even(architecture: Architecture, fidelity: int, seed: int) -> Score:
    return Score(fidelity, {"accuracy": 0.2 * len(architecture.stages), "loss": 0.0}, seed)


def odd(architecture: Architecture, fidelity: int, seed: int) -> Score:
    return Score(fidelity, {"accuracy": 0.1 * len(architecture.stages), "loss": 0.0}, seed)


def asked(out: Path, evaluator: Evaluator, trials: int = 4) -> Search:
    return Search("tiny", trials=trials, evaluator=evaluator, jobs=1, rungs=(1,), out=out)


def test_a_study_does_not_go_on_with_other_parameters_of_its_evaluator(tmp_path: Path) -> None:
    begun = asked(tmp_path, Wide(200)).run()
    message = r"started with `enough` of the evaluator 200, but now it is 2000: .* \(--study-name\)"
    with pytest.raises(StudyError, match=message):
        asked(tmp_path, Wide(2000), trials=6).run()
    with pytest.raises(StudyError, match=message):
        dry_run(asked(tmp_path, Wide(2000), trials=6))
    assert len(asked(tmp_path, Wide(200), trials=6).run().trials) == len(begun.trials) + 2


def test_nothing_more_is_measured_with_other_parameters(tmp_path: Path) -> None:
    folder = asked(tmp_path, Wide(200)).run().folder
    with pytest.raises(StudyError, match="`enough` of the evaluator is 200, but got 2000: use"):
        search_of(folder, evaluator=Wide(2000))
    other = replace(search_of(folder, evaluator=Wide(200)), evaluator=Wide(2000), jobs=1)
    with pytest.raises(
        StudyError, match="started with `enough` of the evaluator 200, but now it is"
    ):
        run_audit(other, 4)
    audited = run_audit(replace(other, evaluator=Wide(200)), 4)
    assert audited.audit is not None


class Older(Search):
    """A search of when the parameters of an evaluator were not written down."""

    @cached_property
    def question(self) -> Question:
        return replace(super().question, evaluator_kwargs=None)


def test_a_study_from_before_parameters_were_written_down_goes_on(tmp_path: Path) -> None:
    plain = asked(tmp_path, Wide(200))
    folder = Older(**{each.name: getattr(plain, each.name) for each in fields(plain)}).run().folder
    assert "evaluator_kwargs" not in (folder / "study.toml").read_text()
    study = asked(tmp_path, Wide(200), trials=6).run()
    assert len(study.trials) == 6
    assert study.settings.question.evaluator_kwargs is None
    assert run_audit(search_of(folder, evaluator=Wide(200)), 4).audit is not None


def test_an_evaluator_that_is_no_dataclass_goes_on_unseen(tmp_path: Path) -> None:
    begun = asked(tmp_path, Bare(200)).run()
    assert begun.settings.question.evaluator_kwargs is None
    assert len(asked(tmp_path, Bare(2000), trials=6).run().trials) == 6


def test_a_study_does_not_go_on_with_another_function(tmp_path: Path) -> None:
    folder = asked(tmp_path, even, trials=2).run().folder
    with pytest.raises(StudyError, match=r"with evaluator '.*test_own_evaluator:even', but"):
        asked(tmp_path, odd, trials=3).run()
    with pytest.raises(StudyError, match=r"is .*:even, but got .*:odd: use what the study began"):
        search_of(folder, evaluator=odd)
    assert len(asked(tmp_path, even, trials=3).run().trials) == 3
