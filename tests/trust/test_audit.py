import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from neptune_nas.errors import OptionError, StudyError
from neptune_nas.metrics.score import Score
from neptune_nas.search.config import Search
from neptune_nas.study.audit import read_audit, write_audit
from neptune_nas.study.read import read_study
from neptune_nas.trust.audit import run_audit
from neptune_nas.trust.loop import Step
from tests.study.fakes import Arithmetic, InlineEngine, Together, arithmetic_search
from tests.trust.fakes import on_engine


def test_an_audit_measures_at_five_times_the_last_rung(searched: Search) -> None:
    study = run_audit(searched, 6)
    assert study.audit is not None
    assert (study.audit.epochs, study.audit.count) == (5, 6)
    measured = read_audit(searched.folder.audit)
    assert {truth.score.fidelity for truth in measured.truths} == {5}
    assert read_study(searched.folder.path).audit == study.audit


def test_its_seeds_are_none_of_the_studys(searched: Search) -> None:
    study = run_audit(searched, 6)
    used = {score.seed for trial in study.trials for score in trial.scores}
    fresh = {truth.score.seed for truth in read_audit(searched.folder.audit).truths}
    assert len(fresh) == 6
    assert used.isdisjoint(fresh)


def test_an_audit_that_was_stopped_goes_on(searched: Search) -> None:
    def stop(step: Step) -> None:
        if step.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_audit(searched, 6, watch=stop)
    kept = read_audit(searched.folder.audit).truths
    told: list[tuple[int, int]] = []
    run_audit(searched, 6, watch=lambda step: told.append((step.done, step.total)))
    assert len(kept) == 2
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert read_audit(searched.folder.audit).truths[:2] == kept


def test_what_came_together_is_kept_where_watching_ends_it(searched: Search) -> None:
    def stop(_: Step) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_audit(on_engine(searched, lambda: Together(Arithmetic(), 6)), 6, watch=stop)
    assert len(read_audit(searched.folder.audit).truths) == 6
    told: list[tuple[int, int]] = []
    run_audit(searched, 8, watch=lambda step: told.append((step.done, step.total)))
    assert told == [(1, 2), (2, 2)]


def test_a_second_audit_measures_nothing(searched: Search) -> None:
    run_audit(searched, 6)
    before = searched.folder.audit.read_text()
    run_audit(searched, 6, watch=lambda *_: pytest.fail("it measured again"))
    assert searched.folder.audit.read_text() == before


def test_the_report_gives_the_verdict(searched: Search) -> None:
    study = run_audit(searched, 6)
    measured = read_audit(searched.folder.audit)
    worst = sorted(measured.truths, key=lambda truth: truth.score.main)
    turned = tuple(
        replace(truth, score=replace(truth.score, values={"accuracy": 1 - truth.score.main}))
        for truth in worst
    )
    write_audit(searched.folder.audit, replace(measured, truths=turned))
    audit = read_study(study.folder).audit
    assert audit is not None
    assert audit.verdict.startswith("too few to say")


def test_another_budget_is_refused(searched: Search) -> None:
    run_audit(searched, 4)
    with pytest.raises(StudyError, match="holds an audit at fidelity 5, not 7"):
        run_audit(searched, 4, epochs=7)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((3, None), "at least 4, but got 3: .*, and 8 for a verdict"),
        ((4, 1), "must be more than those of the last rung, 1"),
    ],
)
def test_options_out_of_range_are_refused(
    searched: Search, options: tuple[int, int | None], says: str
) -> None:
    with pytest.raises(OptionError, match=says):
        run_audit(searched, *options)


def test_too_few_ranked_trials_are_refused(tmp_path: Path) -> None:
    search = arithmetic_search(tmp_path, trials=3)
    search.run()
    with pytest.raises(StudyError, match=r"has 3 trials at its last rung, but .*, and 8 for"):
        run_audit(search)


def test_audit_json_is_plain(searched: Search) -> None:
    run_audit(searched, 4)
    content = json.loads(searched.folder.audit.read_text())
    assert (content["version"], content["epochs"], len(content["truths"])) == (1, 5, 4)


def test_the_traceback_of_a_failure_is_kept(searched: Search) -> None:
    def fail(architecture: Any, fidelity: int, seed: int) -> Score:  # noqa: ARG001  # its names
        return Score(fidelity, seed=seed, failure="odd", trace="in line 3\n")

    study = run_audit(on_engine(searched, lambda: InlineEngine(fail)), 4)
    assert {t.score.trace for t in read_audit(searched.folder.audit).truths} == {"in line 3\n"}
    text = (study.folder / "failures.txt").read_text()
    assert text.startswith("audit of trials ")
    assert text.endswith(": odd\nin line 3\n")
