import numpy as np
import optuna
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from neptune_nas.architecture import Architecture
from neptune_nas.pareto import ranks
from neptune_nas.samplers.history import Entry, History, Reader, best, crowding, ranked
from neptune_nas.samplers.problem import Problem
from tests.samplers.helpers import SMALL, make_study

PROBLEM = Problem(SMALL, ("accuracy", "flops"))


def entry(number: int, losses: tuple[float, ...], broken: float = 0.0) -> Entry[Architecture]:
    constraints = {"latency": broken}
    name = str(number)
    return Entry(number, Architecture(), name, losses, {}, constraints, TrialState.COMPLETE)


def read(study: optuna.Study) -> History[Architecture]:
    return Reader(PROBLEM).read(study, study.ask()._cached_frozen_trial)


def ask(study: optuna.Study) -> optuna.Trial:
    trial = study.ask()
    SMALL.suggest(trial)
    return trial


def random_study() -> optuna.Study:
    return make_study(optuna.samplers.RandomSampler(seed=0))


def test_losses_are_turned_so_that_less_is_better() -> None:
    study = random_study()
    study.tell(ask(study), (0.9, 5.0))
    assert read(study).entries[0].losses == (-0.9, 5.0)


def test_trials_come_in_the_order_they_ended_and_running_ones_last() -> None:
    study = random_study()
    trials = [ask(study) for _ in range(4)]
    for i in (2, 0, 3):
        study.tell(trials[i], (0.5, 1.0))
    assert [entry.number for entry in read(study).entries] == [2, 0, 3, 1]


def test_a_reader_that_looked_before_sees_what_a_new_one_does() -> None:
    study, reader = random_study(), Reader(PROBLEM)
    for ended in (None, 1, 0, None, 3):
        reader.read(study, ask(study)._cached_frozen_trial)
        ask(study)
        if ended:
            study.tell(ended, (0.5, 1.0))
        elif ended == 0:
            study.tell(ended, state=TrialState.FAIL)
    asking = study.ask()._cached_frozen_trial
    assert reader.read(study, asking) == Reader(PROBLEM).read(study, asking)
    assert len({entry.state for entry in reader.read(study, asking).entries}) == 3


def test_two_studies_of_one_name_are_told_apart() -> None:
    reader = Reader(PROBLEM)
    for score in (0.9, 0.1):
        study = random_study()
        for _ in range(2):
            study.tell(ask(study), (score, 1.0))
        history = reader.read(study, study.ask()._cached_frozen_trial)
        assert [e.losses for e in history.entries] == [(-score, 1.0)] * 2


def test_the_trial_that_asks_is_left_out() -> None:
    study = random_study()
    trial = ask(study)
    history = Reader(PROBLEM).read(study, study.get_trials(deepcopy=False)[trial.number])
    assert history.entries == ()


def test_scores_that_are_no_numbers_do_not_count_as_finished() -> None:
    study = random_study()
    study.tell(ask(study), (float("inf"), 1.0))
    assert read(study).finished == []


def test_architectures_are_read_back() -> None:
    study = random_study()
    trial = study.ask()
    architecture = SMALL.suggest(trial)
    assert list(read(study).seen.values()) == [architecture]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=20))
def test_earlier_fronts_rank_first(points: list[tuple[int, int]]) -> None:
    entries = [entry(i, (float(a), float(b))) for i, (a, b) in enumerate(points)]
    fronts = ranks(np.array(points, dtype=float))
    order = [int(fronts[e.number]) for e in ranked(entries)]
    assert order == sorted(order)
    assert len(order) == len(points)


def test_broken_constraints_rank_last_by_how_much() -> None:
    entries = [entry(0, (0.0,), 3.0), entry(1, (9.0,)), entry(2, (1.0,), 1.0)]
    assert [e.number for e in best(entries, 3)] == [1, 2, 0]


def test_the_ends_of_a_front_are_the_loneliest() -> None:
    alone = crowding(np.array([[0.0, 4.0], [1.0, 2.0], [1.5, 1.5], [4.0, 0.0]]))
    assert np.isinf(alone[[0, 3]]).all()
    assert alone[2] > alone[1] > 0
