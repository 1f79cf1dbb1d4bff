import csv
from dataclasses import replace
from pathlib import Path

import pytest

from neptune_nas.engine.engine import Engine
from neptune_nas.errors import OptionError, StudyError
from neptune_nas.report.baselines import baseline_verdicts
from neptune_nas.report.checklist import luck_check
from neptune_nas.report.tables import ranking_text, trials_csv
from neptune_nas.search.config import Search
from neptune_nas.space import find_space
from neptune_nas.study.confirmation import Aim, Goal, read_aim
from neptune_nas.study.read import read_study
from neptune_nas.trust.confirm import run_confirm, usual_goal
from neptune_nas.trust.loop import Step
from tests.study.edits import edit_study
from tests.study.fakes import Arithmetic, Together
from tests.trust.fakes import on_engine

BEST = Goal(seeds=3, by="accuracy", top=2)


def still_unsure(step: Step) -> int:
    """How many trials are still to be confirmed, as a result says."""
    left = step.text.rpartition("; ")[2]
    assert "0 trials" not in left
    return int(left.split()[0]) if left.endswith(" still to confirm") else 0


def trial_of(step: Step) -> int:
    """Which trial a result is of, as it says."""
    return int(step.text.removeprefix("trial ").partition(":")[0])


def test_the_front_has_as_many_seeds_as_asked_and_none_twice(searched: Search) -> None:
    study = run_confirm(searched, Goal(seeds=3))
    for trial in study.pareto():
        scores = trial.scores_at(1)
        assert len({score.seed for score in scores}) == len(scores) == 3


def test_it_stands_in_every_output(searched: Search) -> None:
    study = run_confirm(searched, BEST)
    assert read_study(searched.folder.path).trials == study.trials
    assert luck_check(study).evidence.startswith("2 of 7 trials on it")
    assert "(3 seeds)" in ranking_text(study, "md", "accuracy")
    best = study.best("accuracy")
    row = study.to_dataframe([best]).iloc[0]
    assert row["seeds"] == 3
    assert row["accuracy_half_width"] > 0


def test_the_search_that_was_made_stays_as_it_was(searched: Search) -> None:
    before = read_study(searched.folder.path)
    study = run_confirm(searched, BEST)
    assert [trial.scores for trial in study.trials] == [trial.scores for trial in before.trials]
    assert study.ledger.worker_seconds == before.ledger.worker_seconds
    assert study.ledger.confirm_seconds > 0
    assert study.ledger.epochs == before.ledger.epochs + 4


def test_a_baseline_is_compared_with_what_the_search_saw(searched: Search) -> None:
    replace(searched, out=searched.folder.baselines, name="random").run()
    before = baseline_verdicts(read_study(searched.folder.path))
    assert baseline_verdicts(run_confirm(searched, BEST)) == before


def test_one_that_was_stopped_goes_on(searched: Search) -> None:
    def stop(_: Step) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_confirm(searched, BEST, watch=stop)
    kept = read_study(searched.folder.path)
    assert sum(len(trial.confirmations) for trial in kept.trials) == 1
    told: list[int] = []
    study = run_confirm(searched, BEST, watch=lambda step: told.append(still_unsure(step)))
    assert len(told) == 3
    assert told[-1] == 0
    assert sum(len(trial.confirmations) for trial in study.trials) == 4


def test_what_came_together_is_kept_where_watching_ends_it(searched: Search) -> None:
    def stop(_: Step) -> None:
        raise KeyboardInterrupt

    together = on_engine(searched, lambda: Together(Arithmetic()))
    with pytest.raises(KeyboardInterrupt):
        run_confirm(together, BEST, watch=stop)
    kept = read_study(searched.folder.path)
    assert sum(len(trial.confirmations) for trial in kept.trials) == 2
    told: list[int] = []
    run_confirm(together, BEST, watch=lambda step: told.append(still_unsure(step)))
    assert told == [1, 0]


def test_what_runs_counts_towards_the_total(searched: Search) -> None:
    together = on_engine(searched, lambda: Together(Arithmetic()))
    counts: list[tuple[int, int]] = []
    run_confirm(together, BEST, watch=lambda step: counts.append((step.done, step.total)))
    assert [done for done, _ in counts] == [1, 2, 3, 4]
    assert {total for _, total in counts} == {4}


def test_one_that_was_stopped_has_told_what_it_measured(searched: Search) -> None:
    def stop(_: Step) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_confirm(searched, BEST, watch=stop)
    kept = read_study(searched.folder.path)
    assert (searched.folder.path / "trials.csv").read_text() == trials_csv(kept)


def test_what_fails_is_tried_once_a_run(searched: Search) -> None:
    best = read_study(searched.folder.path).best("accuracy")
    broken = replace(searched, evaluator=Arithmetic(frozenset({best.key})))
    told: list[int] = []
    study = run_confirm(broken, BEST, watch=lambda step: told.append(trial_of(step)))
    assert told.count(best.number) == 2
    again = run_confirm(broken, BEST, watch=lambda step: told.append(trial_of(step)))
    assert told.count(best.number) == 4
    for tried in (study.trials[best.number], again.trials[best.number]):
        assert [score.ok for score in tried.confirmations] == [False, False]


def two_runs_each(file: Path) -> Path:
    """Return a table of 20 networks."""
    space = find_space("tiny")
    names = [decision.path for decision in space.decisions]
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow((*names, "seed", "accuracy"))
        for i in range(20):
            picks = space.picks(space[i * 30])
            cells = [picks.get(name, "") for name in names]
            writer.writerows((*cells, seed, 0.5 + i / 100 + seed / 1000) for seed in (0, 1))
    return file


def test_more_seeds_than_a_table_has_runs_are_refused(tmp_path: Path) -> None:
    table = two_runs_each(tmp_path / "table.csv")
    search = Search(
        space="tiny", table=table, trials=5, jobs=1, objectives=("accuracy",), out=tmp_path
    )
    search.run()
    with pytest.raises(OptionError, match="`seeds` must be at most 2, as many runs as"):
        run_confirm(search, Goal(seeds=3))
    assert usual_goal(search) == Goal(seeds=2)
    study = run_confirm(search, Goal(seeds=2))
    assert len({score.seed % 2 for score in study.best("accuracy").scores_at(1)}) == 2


def test_a_table_with_one_run_of_each_network_confirms_nothing(tmp_path: Path) -> None:
    table = two_runs_each(tmp_path / "table.csv")
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], *lines[1::2]]))
    search = Search(space="tiny", table=table, trials=5, out=tmp_path)
    with pytest.raises(OptionError, match=r"nothing can be confirmed on .*only one run"):
        usual_goal(search)


def aim_and_whether_at_work(search: Search) -> tuple[Aim | None, bool | None]:
    """Return what another process reads of a study that is confirmed."""
    return read_aim(search.folder.confirmations), search.folder.is_confirmed_now


def test_others_see_what_is_asked_and_that_it_is_at_work(searched: Search) -> None:
    assert aim_and_whether_at_work(searched) == (None, False)
    seen: list[tuple[Aim | None, bool | None]] = []
    for evaluations in (1, 2):
        run_confirm(
            searched, BEST, evaluations, lambda *_: seen.append(aim_and_whether_at_work(searched))
        )
    assert seen == [(Aim(BEST, most=1), True), *[(Aim(BEST, most=3), True)] * 2]
    assert aim_and_whether_at_work(searched) == (Aim(BEST, most=3), False)


def test_what_is_asked_is_written_before_the_first_result(searched: Search) -> None:
    def stop() -> Engine:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_confirm(on_engine(searched, stop), BEST)
    assert read_aim(searched.folder.confirmations) == Aim(BEST)


def test_a_ranking_that_is_unknown_leaves_no_trace(searched: Search) -> None:
    with pytest.raises(OptionError, match="ranking 'x' is unknown"):
        run_confirm(searched, Goal(by="x"))
    assert not searched.folder.confirmations.exists()


def test_a_study_that_is_not_there_is_not_begun(tmp_path: Path) -> None:
    search = Search("tiny", out=tmp_path / "none")
    with pytest.raises(StudyError, match="does not exist"):
        run_confirm(search)
    assert not search.folder.path.parent.exists()


def test_what_is_sure_is_not_measured_again(searched: Search) -> None:
    run_confirm(searched, BEST)
    run_confirm(searched, BEST, watch=lambda *_: pytest.fail("it measured again"))


def test_no_more_evaluations_are_made_than_allowed(searched: Search) -> None:
    study = run_confirm(searched, BEST, evaluations=3)
    assert sum(len(trial.confirmations) for trial in study.trials) == 3


def test_a_search_goes_on_after_it(searched: Search) -> None:
    study = run_confirm(searched, BEST)
    grown = replace(searched, trials=14).run()
    assert grown.trials[:12] == study.trials
    assert len(grown.trials) == 14


def test_no_evaluations_are_refused(searched: Search) -> None:
    with pytest.raises(
        OptionError, match="`evaluations` must be a whole number of at least 1, but got 0"
    ):
        run_confirm(searched, evaluations=0)


def test_another_question_than_the_studys_is_refused(searched: Search) -> None:
    with pytest.raises(StudyError, match="was started with seed 0, but now it is 1"):
        run_confirm(replace(searched, seed=1))


def test_other_data_than_the_studys_are_refused(searched: Search) -> None:
    facts = read_study(searched.folder.path).settings.facts
    edit_study(searched.folder.path, (facts.data_fingerprint, "0123456789abcdef"))
    with pytest.raises(StudyError, match="was started with data '0123456789abcdef', but now"):
        run_confirm(searched)
