from dataclasses import replace
from pathlib import Path

import pytest

from neptune_nas.errors import FileFormatError, OptionError, StudyError
from neptune_nas.evaluators.seeds import seed_for
from neptune_nas.metrics.score import Score
from neptune_nas.report.progress import progress
from neptune_nas.study.confirmation import (
    Aim,
    Goal,
    read_aim,
    read_confirmations,
    trials_to_confirm,
    with_confirmation,
    with_confirmations,
    without_confirmations,
    write_confirmations,
)
from neptune_nas.study.ledger import Ledger
from neptune_nas.study.noise import noise
from neptune_nas.study.study import Study
from tests.study.builders import make_trial, question, settings

# Trials 1, 3 and 4 are the front; 0 and 2 are dominated.
TRIALS = (
    make_trial(0, 0.5, 3_000_000),
    make_trial(1, 0.6, 1_000_000),
    make_trial(2, 0.7, 4_000_000),
    make_trial(3, 0.8, 2_000_000),
    make_trial(4, 0.9, 4_000_000),
)
STUDY = Study(Path("few-digits"), settings(question()), TRIALS, Ledger())


def confirm(
    study: Study, number: int, accuracy: float, repeat: int = 1, failure: str | None = None
) -> Study:
    """Return the study with one more score of a trial, by its `repeat`-th seed."""
    seed = seed_for(0, study.trials[number].key, repeat)
    return with_confirmation(
        study, number, Score(1, {"accuracy": accuracy, "loss": 1.0}, seed=seed, failure=failure)
    )


def numbers(study: Study, goal: Goal) -> list[int]:
    return [trial.number for trial in trials_to_confirm(study, goal)]


def test_the_front_is_unsure_until_each_of_it_has_enough_scores() -> None:
    assert numbers(STUDY, Goal(seeds=2)) == [4, 3, 1]
    study = confirm(STUDY, 3, 0.8)
    assert numbers(study, Goal(seeds=2)) == [4, 1]


def test_trials_with_fewer_scores_come_first_and_among_those_the_most_accurate() -> None:
    study = confirm(STUDY, 4, 0.9)
    assert numbers(study, Goal(seeds=3)) == [3, 1, 4]


def test_who_falls_behind_gives_way_to_the_next() -> None:
    goal = Goal(seeds=2, by="accuracy", top=1)
    assert numbers(STUDY, goal) == [4]
    lucky = confirm(STUDY, 4, 0.5)
    assert numbers(lucky, goal) == [3]
    assert numbers(confirm(lucky, 3, 0.8), goal) == []


def test_a_ranking_counts_five_places_unless_it_is_said() -> None:
    assert len(numbers(STUDY, Goal(by="accuracy"))) == 5
    assert numbers(STUDY, Goal(by="accuracy", top=2)) == [4, 3]


def test_a_single_objective_has_no_front_but_the_most_accurate() -> None:
    facts = replace(STUDY.settings.facts, reference=(0.1,))
    asked = question(objectives=("accuracy",))
    study = replace(STUDY, settings=replace(STUDY.settings, question=asked, facts=facts))
    assert numbers(study, Goal()) == numbers(study, Goal(by="accuracy"))
    assert len(numbers(study, Goal())) == 5


def test_scores_of_the_search_itself_count() -> None:
    study = replace(STUDY, settings=settings(question(repeats=3)))
    assert numbers(study, Goal(seeds=3)) == []


def test_a_failed_confirmation_is_no_score_and_is_asked_for_again() -> None:
    study = confirm(STUDY, 4, 0.0, failure="diverged")
    assert numbers(study, Goal(seeds=2)) == [3, 1, 4]
    assert study.best("accuracy").number == 4
    assert study.ranking("accuracy")[0].seeds == 1
    good = confirm(study, 4, 0.8)
    assert numbers(good, Goal(seeds=2)) == [3, 1]
    assert [len(trial.confirmations) for trial in good.trials] == [0, 0, 0, 0, 1]


def test_a_confirmed_accuracy_is_the_mean_with_its_interval() -> None:
    study = confirm(confirm(STUDY, 4, 0.8), 4, 0.88, repeat=2)
    best = study.ranking("accuracy")[0]
    assert (best.trial.number, best.seeds) == (4, 3)
    assert best.score == pytest.approx(0.86)
    assert best.low is not None
    assert STUDY.ranking("accuracy")[0].low is None


def test_the_score_that_a_trial_was_chosen_for_is_no_measure_of_noise() -> None:
    spread = noise(confirm(confirm(STUDY, 4, 0.5), 4, 0.52, repeat=2).trials)
    assert spread is not None
    assert (spread.degrees, spread.trials) == ((1,), 1)
    assert spread.deviation(0.5) == pytest.approx(0.02 / 2**0.5)


def test_the_search_is_told_of_without_its_confirmations() -> None:
    study = confirm(STUDY, 4, 0.5)
    assert without_confirmations(study.trials) == TRIALS
    assert progress(study) == progress(STUDY)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"seeds": 1}, "`seeds` must be a whole number of at least 2 and below 10001, but got 1"),
        ({"seeds": 2**63}, "of at least 2 and below 10001, but got 9223372036854775808"),
        ({"top": 3}, "`top` counts the places of a ranking: give `by` too"),
        ({"top": 0, "by": "accuracy"}, "`top` must be a whole number of at least 1, but got 0"),
    ],
)
def test_a_goal_that_confirms_nothing_is_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        Goal(**changes)  # type: ignore[arg-type]  # wrong on purpose


def test_an_unknown_ranking_is_named() -> None:
    with pytest.raises(OptionError, match="ranking 'acuracy' is unknown: did you mean 'accuracy'"):
        trials_to_confirm(STUDY, Goal(by="acuracy"))


def test_a_study_without_ranked_trials_says_so() -> None:
    with pytest.raises(StudyError, match="has no trial to rank"):
        trials_to_confirm(replace(STUDY, trials=()), Goal())


def test_confirmations_survive_the_file(tmp_path: Path) -> None:
    failed = Score(1, failure="diverged")
    trials = with_confirmation(confirm(STUDY, 3, 0.8), 3, failed).trials
    file = tmp_path / "confirmations.json"
    write_confirmations(file, trials, Aim(Goal()))
    assert with_confirmations(TRIALS, read_confirmations(file)) == trials


@pytest.mark.parametrize("aim", [Aim(Goal()), Aim(Goal(4, "accuracy", 2), most=30)])
def test_what_was_asked_survives_the_file(tmp_path: Path, aim: Aim) -> None:
    file = tmp_path / "confirmations.json"
    write_confirmations(file, TRIALS, aim)
    assert read_aim(file) == aim


def test_no_file_confirms_nothing(tmp_path: Path) -> None:
    assert read_confirmations(tmp_path / "confirmations.json") == {}
    assert read_aim(tmp_path / "confirmations.json") is None


def test_a_file_from_before_it_said_what_was_asked_is_read(tmp_path: Path) -> None:
    file = tmp_path / "confirmations.json"
    file.write_text(ONE % (SCORE % ("0.1", '"seed"')))
    assert [*read_confirmations(file)] == ["a"]
    assert read_aim(file) is None


ONE = '{"version": 1, "trials": [{"number": 0, "key": "a", "scores": [%s]}]}'
SCORE = '{"fidelity": 1, "values": {"accuracy": %s, "loss": 1.0}, %s: 3}'


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "it is not valid JSON"),
        ("[]", "it must be an object"),
        ('{"version": 1}', "`trials`.* missing"),
        ('{"version": 1, "trials": [{"key": "a"}]}', r"`trials\.0\.number`.* missing"),
        (
            ONE % (SCORE % ("-0.1", '"seed"')),
            r"scores\.0\.values\.accuracy` must be a number in 0\.\.1, but got -0\.1",
        ),
        (ONE % (SCORE % ("0.1", '"sed"')), r"`trials\.0\.scores\.0\.sed` is unknown"),
    ],
)
def test_a_file_that_holds_no_confirmations_is_refused(
    tmp_path: Path, content: str, says: str
) -> None:
    (tmp_path / "confirmations.json").write_text(content)
    with pytest.raises(FileFormatError, match=says):
        read_confirmations(tmp_path / "confirmations.json")


@pytest.mark.parametrize(
    ("aim", "says"),
    [
        ('{"seeds": 3, "by": null, "top": null}', r"`aim\.most`.* missing"),
        (
            '{"seeds": 1, "by": null, "top": null, "most": 9}',
            "`aim`: `seeds` must be a whole number of at least 2",
        ),
    ],
)
def test_a_file_that_asks_for_what_cannot_be_is_refused(
    tmp_path: Path, aim: str, says: str
) -> None:
    (tmp_path / "confirmations.json").write_text(f'{{"version": 1, "aim": {aim}, "trials": []}}')
    with pytest.raises(FileFormatError, match=says):
        read_aim(tmp_path / "confirmations.json")
