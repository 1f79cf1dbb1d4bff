"""What every evaluator promises, as tests that each of them inherits."""

import pickle
from dataclasses import replace

import pytest

from neptune_nas.architecture.records import Architecture, Conv, Stage, Stem
from neptune_nas.evaluators.evaluator import Evaluator

SMALL = Architecture(Stem(4), (Stage(8, norm="batch", substages=(Conv(),)),))
OTHER = Architecture(Stem(4), (Stage(16, norm="batch"),))


class EvaluatorContract:
    """Inherit it, name the class `Test...`, and give the fixture `evaluator`."""

    @pytest.fixture
    def evaluator(self) -> Evaluator:
        raise NotImplementedError

    def test_a_good_score_has_a_finite_number_to_rank_by(self, evaluator: Evaluator) -> None:
        assert evaluator(SMALL, 1, 0).ok

    def test_equal_arguments_give_equal_scores(self, evaluator: Evaluator) -> None:
        first, second = evaluator(SMALL, 1, 3), evaluator(SMALL, 1, 3)
        assert (first.rank_value, first.values) == (second.rank_value, second.values)

    def test_what_was_measured_before_changes_nothing(self, evaluator: Evaluator) -> None:
        first = evaluator(SMALL, 1, 3)
        evaluator(OTHER, 1, 4)
        assert evaluator(SMALL, 1, 3).rank_value == first.rank_value

    def test_a_pickled_copy_gives_the_same_score(self, evaluator: Evaluator) -> None:
        copy = pickle.loads(pickle.dumps(evaluator))
        assert copy(SMALL, 1, 3).rank_value == evaluator(SMALL, 1, 3).rank_value

    def test_the_score_names_its_fidelity_seed_and_times(self, evaluator: Evaluator) -> None:
        score = evaluator(SMALL, 2, 5)
        assert (score.fidelity, score.seed) == (2, 5)
        assert score.seconds >= 0
        assert score.started >= 0

    def test_the_score_is_a_plain_record(self, evaluator: Evaluator) -> None:
        score = evaluator(SMALL, 1, 0)
        assert replace(score) == pickle.loads(pickle.dumps(score))
