"""What is measured after a search, for its answer."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from neptune_nas.architecture.records import Architecture, Stage
from neptune_nas.engine.engine import Engine
from neptune_nas.errors import OptionError
from neptune_nas.nn.references import PLAIN
from neptune_nas.search.config import Search
from neptune_nas.search.coordinator import StopSearch
from neptune_nas.search.resume import study_of
from neptune_nas.space import Space, choice
from neptune_nas.study.confirmation import evaluations_of
from neptune_nas.study.noise import seed_scores
from neptune_nas.study.progress import Progress
from neptune_nas.study.trial import State
from neptune_nas.trust.evidence import (
    Evidence,
    add_evidence,
    confirmation_goals,
    usual_confirmations,
)
from neptune_nas.trust.plain_networks import plain_names
from tests.report.fixtures import plain_results, plain_trial
from tests.study.fakes import Arithmetic, InlineEngine
from tests.trust.fakes import on_engine
from tests.trust.test_references import Pretending

PLAIN_ONES = PLAIN["classification"]


def inline() -> Engine:
    return InlineEngine(Pretending())


def asked(out: Path, **more: Any) -> Search:
    """Return a search that asks for training, but measures by formulas."""
    return on_engine(Search(space="tiny", trials=12, jobs=1, rungs=(1, 2), out=out, **more), inline)


def test_plain_networks_are_trained_and_the_picks_are_confirmed(tmp_path: Path) -> None:
    search = asked(tmp_path)
    said: list[str] = []
    study = add_evidence(search, search.run(), Evidence(), say=said.append)
    assert [each.name for each in study.references] == [
        *plain_names(search.assembly.costs, study, PLAIN_ONES)
    ]
    assert {len(each.scores) for each in study.references} == {3}
    best, cheapest = study.best("accuracy"), study.best("flops")
    assert len(seed_scores(best)) == 3
    assert len(seed_scores(cheapest)) == 3 or evaluations_of(study.trials) == usual_confirmations(
        study_of(search)
    )
    networks, confirming = said
    assert networks.startswith("Training 2 plain networks with 3 seeds each")
    assert "may be the most accurate; the best get 3 seeds each" in confirming


def test_what_is_there_is_not_measured_again(tmp_path: Path) -> None:
    search = asked(tmp_path)
    once = add_evidence(search, search.run(), Evidence())
    steps: list[object] = []
    said: list[str] = []
    twice = add_evidence(search, once, Evidence(), steps.append, said.append)
    assert steps == said == []
    assert twice.references == once.references


@pytest.mark.parametrize("confirm", [0, 2])
def test_a_user_may_want_less(tmp_path: Path, confirm: int) -> None:
    search = asked(tmp_path)
    study = add_evidence(search, search.run(), Evidence(yardstick=False, confirm=confirm))
    assert study.references == ()
    assert evaluations_of(study.trials) == confirm


def test_a_search_that_is_not_over_or_found_nothing_is_left_alone(tmp_path: Path) -> None:
    search = asked(tmp_path)
    study = search.run()
    running = replace(study.trials[0], state=State.RUNNING)
    for other in (
        replace(study, trials=(running, *study.trials[1:])),
        replace(study, trials=study.trials[:5]),
        replace(study, trials=()),
    ):
        assert add_evidence(search, other, Evidence()) is other


def test_a_search_that_stopped_early_says_what_it_lacks_and_how_to_get_it(tmp_path: Path) -> None:
    search = asked(tmp_path, constraints=("flops<=400k",))

    def stop(progress: Progress) -> None:
        if progress.best_score is not None:
            raise StopSearch

    study, said = search.run(stop), list[str]()
    assert add_evidence(search, study, say=said.append) is study
    (sentence,) = said
    assert "so what follows them was skipped. Resume the search to add it at the end" in sentence
    names = ",".join(plain_names(search.assembly.costs, study, PLAIN_ONES))
    most, folder = usual_confirmations(study), search.folder.path
    first, *further = sentence.partition("or run now: ")[2].split("; ")
    assert first == f"neptune-nas reference {folder} --networks {names} --seeds 3"
    goals = confirmation_goals(search, study, most)
    assert [goal.by for goal in goals] == ["accuracy", "flops"]
    assert further == [
        f"neptune-nas confirm {folder} --by {goal.by} --top {goal.top} --evaluations {most}"
        for goal in goals
    ]
    add_evidence(search, study, Evidence(yardstick=False, confirm=0), say=said.append)
    assert len(said) == 1
    assert add_evidence(search, search.run()).references != ()


def test_where_the_toolkit_trains_nothing_only_a_number_confirms(tmp_path: Path) -> None:
    search = on_engine(
        Search(space="tiny", trials=6, jobs=1, out=tmp_path, evaluator=Arithmetic()),
        lambda: InlineEngine(Arithmetic()),
    )
    study = search.run()
    assert add_evidence(search, study, Evidence()) is study
    assert evaluations_of(add_evidence(search, study, Evidence(confirm=2)).trials) == 2


def test_the_confirmation_takes_half_of_what_the_search_took() -> None:
    study = plain_results(*(plain_trial(i, 0.9, 1_000) for i in range(7)))
    assert usual_confirmations(study) == 4  # of 7 at the last rung


def test_fewer_than_no_evaluations_are_refused() -> None:
    with pytest.raises(OptionError, match="`confirm` must be a whole number of at least 0"):
        Evidence(confirm=-1)


@pytest.mark.parametrize("runs", [1, 2])
def test_a_table_is_confirmed_only_where_it_can_be(tmp_path: Path, runs: int) -> None:
    lines = ["code,epochs,seed,accuracy"]
    lines += [f"{code},1,{seed},0.{5 + code + seed}" for code in (0, 1) for seed in range(runs)]
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    space = Space("two", Architecture(stages=(Stage(width=choice(8, 16)),)))
    search = Search(
        space=space,
        table=tmp_path / "table.csv",
        trials=2,
        jobs=1,
        objectives=("accuracy",),
        out=tmp_path,
    )
    study = search.run()
    assert add_evidence(search, study, Evidence()) is study
    if runs == 2:
        assert evaluations_of(add_evidence(search, study, Evidence(confirm=4)).trials) >= 1
