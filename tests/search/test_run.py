from pathlib import Path
from typing import Any

import pytest

from neptune_nas.architecture.codec import key
from neptune_nas.architecture.records import Architecture, Stage
from neptune_nas.errors import OptionError, OwnCodeError, StudyError
from neptune_nas.search.assembly import Assembly
from neptune_nas.search.config import Search, ignore
from neptune_nas.search.run import run_search
from neptune_nas.space import Space, choice
from neptune_nas.study.progress import Progress
from neptune_nas.study.study import Study
from tests.study.builders import SPACE, few_search
from tests.study.fakes import Arithmetic, InlineAssembly, InlineEngine, OnBench, Together


def inline(search: Search, engine: InlineEngine | None = None) -> Assembly:
    """The parts of a search with an engine without processes."""
    return InlineAssembly(search, lambda: engine or InlineEngine(search.assembly.evaluator))


def searched(out: Path, trials: int, **asked: Any) -> Study:
    return run_search(inline(few_search(out, trials, **asked)), ignore, ignore)


def test_a_search_ends_with_all_its_trials_and_goes_on_with_more(tmp_path: Path) -> None:
    first = searched(tmp_path, 3)
    assert (first.folder / "report.html").exists()
    assert searched(tmp_path, 5).trials[:3] == first.trials


def test_a_study_knows_when_its_last_session_began(tmp_path: Path) -> None:
    first, second = (searched(tmp_path, trials).ledger for trials in (2, 4))
    assert 0 < first.began < second.began


def test_a_search_that_has_nothing_to_do_makes_no_engine(tmp_path: Path) -> None:
    searched(tmp_path, 2)
    parts = InlineAssembly(few_search(tmp_path, 2), lambda: pytest.fail("made an engine"))
    again = run_search(parts, ignore, ignore)
    assert len(again.ranked) == 2


def test_that_networks_cannot_be_built_is_said_with_a_reason(tmp_path: Path) -> None:
    halved = Stage(width=8, pool=choice("max", "none"))
    large = Space(name="large", template=Architecture(stages=(halved,) * 4))  # of 8 x 8 pixels
    said: list[str] = []
    for space in (large, SPACE):
        search = few_search(tmp_path, 2, space=space, name=space.name)
        run_search(inline(search), ignore, said.append)
    assert len(said) == 1
    assert said[0].startswith(
        "What cannot be built, or has no cost, is left out; of one such network: "
    )
    assert "needs images of at least 16x16 pixels" in said[0]


@pytest.mark.parametrize(
    ("trials", "said"),
    [
        (
            2,
            [
                "The study has 3 trials already, more than the 2 in all that `trials` (--trials) "
                "asks for: no new ones are begun."
            ],
        ),
        (3, []),
        (4, []),
    ],
)
def test_fewer_trials_than_the_study_has_are_answered_in_a_sentence(
    tmp_path: Path, trials: int, said: list[str]
) -> None:
    searched(tmp_path, 3)
    heard: list[str] = []
    run_search(inline(few_search(tmp_path, trials)), ignore, heard.append)
    assert heard == said


def test_what_watches_is_told_of_each_result(tmp_path: Path) -> None:
    seen: list[Progress] = []
    run_search(inline(few_search(tmp_path, 3)), seen.append, ignore)
    assert [(each.done, each.total) for each in seen] == [(1, 3), (2, 3), (3, 3)]


def test_results_that_come_together_are_told_one_by_one(tmp_path: Path) -> None:
    seen: list[int] = []
    parts = inline(few_search(tmp_path, 6), Together(Arithmetic()))
    made = run_search(parts, lambda progress: seen.append(progress.done), ignore)
    assert seen == [1, 2, 3, 4, 5, 6]
    assert len(made.ranked) == 6


def test_a_search_that_ends_since_all_fails_writes_why(tmp_path: Path) -> None:
    broken = frozenset(key(architecture) for architecture in SPACE)
    with pytest.raises(StudyError, match=r"all 10 trials failed.*; failures\.txt"):
        searched(tmp_path, 12, evaluator=OnBench(broken))
    why = (tmp_path / "few-digits" / "failures.txt").read_text()
    assert why == "trials 0, 1, 2, 3, 4, 5, 6, 7, 8, 9: broken on purpose\n"


def test_a_sampler_that_cannot_be_made_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="has no option `n`"):
        searched(tmp_path, 2, sampler_kwargs={"n": 1})
    assert list(tmp_path.iterdir()) == []


def test_a_sampler_that_fails_when_it_is_first_asked_leaves_no_folder(tmp_path: Path) -> None:
    asked = {"sampler": "gp", "sampler_kwargs": {"n_startup_trials": "ten"}}
    with pytest.raises(OwnCodeError, match="sampler 'gp' failed: TypeError"):
        searched(tmp_path, 2, **asked)
    assert list(tmp_path.iterdir()) == []
