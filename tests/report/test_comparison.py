from dataclasses import replace
from typing import Any

import pytest

from neptune_nas.errors import StudyError
from neptune_nas.report.comparison import (
    check_comparable,
    compare_studies,
    verdicts,
    with_common_reference,
)
from neptune_nas.study.study import Study
from tests.report.fixtures import plain_results, plain_trial


def study(name: str, **question: Any) -> Study:
    return plain_results(plain_trial(0, 0.9, 100_000), name=name, **question)


def with_facts(study: Study, **facts: Any) -> Study:
    settings = study.settings
    return replace(study, settings=replace(settings, facts=replace(settings.facts, **facts)))


def test_equal_questions_compare() -> None:
    assert check_comparable([study("a"), study("b")]) == ()


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"recipe": {"lr": 0.1}}, r"different recipes \(lr\)"),
        ({"rungs": (1, 27)}, r"different fidelities \(9 and 27\)"),
        ({"evaluator": "synflow"}, "different evaluators"),
        ({"evaluator_kwargs": {"n": 1}}, r"differ in `n` of the evaluator \(2 and 1\)"),
    ],
)
def test_what_differs_is_named_and_force_turns_it_into_a_warning(
    question: dict[str, Any], said: str
) -> None:
    pair = [study("a", evaluator_kwargs={"n": 2}), study("b", **question)]
    with pytest.raises(StudyError, match=f"'a' and 'b'.*{said}.*--force"):
        check_comparable(pair)
    assert len(check_comparable(pair, force=True)) == 1


def test_different_splits_do_not_compare() -> None:
    other = with_facts(study("b"), data_fingerprint="other")
    with pytest.raises(StudyError, match=r"different data or splits .* and other\)"):
        check_comparable([study("a"), other])


def test_different_objectives_never_compare() -> None:
    pair = [study("a"), study("b", objectives=("accuracy", "params"))]
    with pytest.raises(StudyError, match="no common front"):
        check_comparable(pair, force=True)


def test_hypervolumes_are_measured_from_the_worst_corner_of_all() -> None:
    a = with_facts(study("a"), reference=(0.1, 1e6))
    b = with_facts(study("b"), reference=(0.2, 4e6))
    corners = {r.settings.facts.reference for r in with_common_reference([a, b])}
    assert corners == {(0.1, 4e6)}
    # 200 kFLOPs at 0.9 cover (1 - 0.05) x (0.8 / 0.9) of the common box.
    assert [c.hypervolume for c in compare_studies([a, b])] == pytest.approx([0.95 * 8 / 9] * 2)


def test_latencies_of_different_kinds_do_not_compare() -> None:
    asked = {"objectives": ("accuracy", "latency")}
    timed = with_facts(study("b", **asked), timed={"latency": "processor time of one thread"})
    with pytest.raises(
        StudyError, match=r"different kinds \(one that it does not name and processor time of"
    ):
        check_comparable([study("a", **asked), timed])
    assert check_comparable([timed, timed]) == ()


def cloud(name: str, level: float, count: int = 20) -> Study:
    trials = (plain_trial(i, level + 0.001 * i, 100_000 + 1_000 * i) for i in range(count))
    return plain_results(*trials, name=name)


def test_the_better_study_is_named_with_its_evidence() -> None:
    for pair in ((cloud("a", 0.9), cloud("b", 0.5)), (cloud("b", 0.5), cloud("a", 0.9))):
        (sentence,) = verdicts(pair, [each.settings.name for each in pair])
        assert sentence.startswith("a is better than b: +0.")
        assert "of hypervolume, 95% interval +0." in sentence


def test_studies_that_are_alike_are_not_clearly_different() -> None:
    one, other, worse = cloud("a", 0.9), cloud("b", 0.9), cloud("c", 0.3)
    alike, clear = verdicts([one, other, worse], "abc")
    assert alike.startswith("a is not clearly different from b: +0.0000 of hypervolume")
    assert clear.startswith("a is better than c: ")


def test_a_longer_study_is_compared_by_as_many_trials_as_the_shorter_one_has() -> None:
    (sentence,) = verdicts([cloud("short", 0.9, 5), cloud("long", 0.9, 20)], ["short", "long"])
    assert "(the first 5 trials of each)" in sentence
