"""A search with an evaluator that measures a metric of its own."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from neptune_nas.architecture.records import Architecture
from neptune_nas.errors import OptionError, StudyError
from neptune_nas.evaluators.evaluator import Traits
from neptune_nas.metrics.registry import Metric
from neptune_nas.metrics.score import Score
from neptune_nas.search.config import Search
from neptune_nas.search.resume import search_of
from neptune_nas.study.confirmation import Goal
from neptune_nas.study.read import read_study
from neptune_nas.trust.audit import run_audit
from neptune_nas.trust.confirm import run_confirm
from tests.cli.run import neptune

F1 = Metric("f1", "F1", "share", "more", "scored")


@dataclass(frozen=True)
class Measure:
    """F1 by width alone; another seed moves it a little."""

    traits = Traits(metrics=(F1,), uses_device=False)

    def __call__(self, architecture: Architecture, fidelity: int, seed: int) -> Score:
        width = sum(stage.width for stage in architecture.stages)
        return Score(fidelity, {"f1": min(1.0, width / 200 + seed % 7 / 1000)}, seed)


def asked(out: Path, trials: int = 6) -> Search:
    return Search(
        *("tiny", "digits#200", trials, ("f1", "flops")),
        evaluator=Measure(),
        rungs=(1, 2),
        jobs=1,
        out=out,
        name="own",
    )


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Search:
    search = asked(tmp_path_factory.mktemp("own"))
    search.run()
    return search


def test_it_is_an_objective_that_the_study_keeps(searched: Search) -> None:
    study = read_study(searched.folder.path)
    assert study.settings.question.scored == (F1,)
    assert study.settings.facts.reference[0] == 0.0
    assert all(trial.scores[0].values.keys() == {"f1"} for trial in study.trials)
    best = study.best("f1")
    assert best.score is not None
    assert best.score.main == max(t.score.main for t in study.ranked if t.score)
    assert 0 < study.hypervolume() < 1


def test_a_search_goes_on_and_the_best_are_confirmed_and_audited(searched: Search) -> None:
    search = search_of(searched.folder.path, evaluator=Measure())
    assert len(replace(search, trials=12).run().trials) == 12
    study = run_confirm(search_of(searched.folder.path, evaluator=Measure()), Goal(3, "f1", 1))
    (first, *_) = study.ranking("f1")
    assert first.seeds >= 3
    audited = run_audit(search_of(searched.folder.path, evaluator=Measure()), 4).audit
    assert audited is not None
    assert audited.count == 4


def test_the_commands_show_it(searched: Search) -> None:
    status = neptune("status", searched.folder.path)
    assert ", best F1 0." in status.out
    assert " F1 " in status.out
    assert neptune("report", searched.folder.path).code == 0
    said = neptune("report", searched.folder.path, "--format", "md").out
    assert re.search(r"\| F1[^|]*\|", said)  # with an interval, once another test has confirmed it
    assert "best" in neptune("compare", searched.folder.path).out
    file = searched.folder.path / "own.json"
    best = neptune("export", searched.folder.path, "--best", "f1", "-o", file)
    assert best.code == 0, best
    assert "f1 0." in neptune("show", file).out


def test_what_it_does_not_measure_is_no_objective(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="objective 'accuracy' is unknown"):
        replace(asked(tmp_path), objectives=("accuracy", "flops"))


def test_a_study_does_not_go_on_with_another_metric(tmp_path: Path) -> None:
    asked(tmp_path, 2).run()

    @dataclass(frozen=True)
    class Other(Measure):
        traits = Traits(metrics=(replace(F1, title="F-measure"),), name=Measure.__name__)

    with pytest.raises(StudyError, match="started with"):
        replace(asked(tmp_path, 4), evaluator=Other()).run()
