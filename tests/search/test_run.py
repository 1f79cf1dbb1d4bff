from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from optuna.exceptions import StorageInternalError
from torch import nn

from neptune_nas.architecture.codec import key
from neptune_nas.architecture.records import Architecture, Conv, Stage
from neptune_nas.errors import OptionError, OwnCodeError, StudyError
from neptune_nas.search.assembly import Assembly
from neptune_nas.search.config import Search, ignore
from neptune_nas.search.run import run_search
from neptune_nas.space import Space, choice
from neptune_nas.study.progress import Progress
from neptune_nas.study.settings import Settings
from neptune_nas.study.store import Store
from neptune_nas.study.study import Study
from tests.study.builders import SPACE, few_search
from tests.study.fakes import Arithmetic, InlineAssembly, InlineEngine, OnBench, Together, failing


def arithmetic(out: Path, **changes: Any) -> Search:
    """Return a search that trains nothing."""
    asked = {"space": "tiny", "trials": 24, "jobs": 2, **changes}
    return Search(evaluator=Arithmetic(), out=out, **asked)


def inline(search: Search, engine: InlineEngine | None = None) -> Assembly:
    """Return the parts of a search with an engine without processes."""
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
        "Networks that cannot be built or have no cost are left out; for example: "
    )
    assert "needs images of at least 16x16 pixels" in said[0]


@pytest.mark.parametrize(
    ("trials", "said"),
    [
        (
            2,
            [
                "The study already has 3 trials, more than the 2 that `trials` (--trials) "
                "asks for: no new ones are started."
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


def scores_of(study: Study) -> list[tuple[str, float]]:
    return [(trial.key, score.main) for trial in study.trials for score in trial.scores]


def test_equal_seeds_and_one_worker_give_equal_studies(tmp_path: Path) -> None:
    first, second = (
        Search(space="tiny", trials=4, rungs=(1,), jobs=1, threads=1, out=tmp_path / name).run()
        for name in ("a", "b")
    )
    assert scores_of(first) == scores_of(second)


def test_another_seed_gives_another_study(tmp_path: Path) -> None:
    first, second = (
        arithmetic(tmp_path, seed=seed, trials=6, name=f"seed-{seed}").run() for seed in (0, 1)
    )
    assert scores_of(first) != scores_of(second)


def test_scores_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    first, second = (
        arithmetic(tmp_path, sampler="random", jobs=jobs, trials=8, name=f"jobs-{jobs}").run()
        for jobs in (1, 2)
    )
    assert set(scores_of(first)) == set(scores_of(second))


def test_two_searches_of_one_study_at_once_are_refused(tmp_path: Path) -> None:
    search = arithmetic(tmp_path)
    with search.folder.locked(), pytest.raises(StudyError, match="another process is searching"):
        arithmetic(tmp_path).run()


def test_constraints_are_kept_by_every_trial(tmp_path: Path) -> None:
    study = arithmetic(tmp_path, constraints=("flops<=300k", "params<2k"), trials=8).run()
    assert len(study.trials) == 8
    assert all(t.values["flops"] <= 300_000 and t.values["params"] < 2_000 for t in study.trials)


def test_a_changed_space_is_refused_by_the_first_path_that_differs(tmp_path: Path) -> None:
    def space(*widths: int) -> Space[Architecture]:
        return Space("mine", Architecture(stages=(Stage(width=choice(*widths)),)))

    arithmetic(tmp_path, space=space(8, 16), trials=1).run()
    with pytest.raises(StudyError, match=r"`stages\.0\.width` of the space as '8 \| 16'"):
        arithmetic(tmp_path, space=space(8, 24), trials=2).run()


def test_a_space_that_is_exhausted_ends_the_search(tmp_path: Path) -> None:
    space = Space("three", Architecture(stages=(Stage(width=choice(8, 16, 24)),)))
    study = arithmetic(tmp_path, space=space, trials=10).run()
    assert len(study.ranked) == 3


def test_the_ledger_accounts_for_the_workers_time(tmp_path: Path) -> None:
    ledger = arithmetic(tmp_path, trials=6).run().ledger
    assert ledger.finished == 6
    assert ledger.slot_seconds == pytest.approx(2 * ledger.wall_seconds)
    assert 0 < ledger.worker_seconds <= ledger.slot_seconds


def test_latency_can_be_an_objective(tmp_path: Path) -> None:
    study = arithmetic(tmp_path, objectives=("accuracy", "latency"), trials=3).run()
    assert all(
        trial.values["latency"] is not None and trial.values["latency"] > 0
        for trial in study.trials
    )


class FullDisk(Assembly):
    """The parts of a search whose database cannot grow."""

    def open_store(self, settings: Settings) -> Store:
        store = super().open_store(settings)
        full = StorageInternalError("database or disk is full")
        return replace(store, storage=failing(store.storage, "set_trial_state_values", full))


def test_a_database_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"cannot be used \(database or disk is full\)"):
        run_search(FullDisk(arithmetic(tmp_path, trials=2)), ignore, ignore)


def test_a_study_goes_on_in_the_storage_it_was_begun_in(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    arithmetic(tmp_path, trials=2, storage=url).run()
    study = arithmetic(tmp_path, trials=3).run()
    assert len(study.trials) == 3
    assert not (study.folder / "study.db").exists()


def test_two_studies_of_one_name_in_a_storage_are_kept_apart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    arithmetic(tmp_path / "one", trials=1, storage=url).run()
    with pytest.raises(StudyError, match="holds another study 'tiny-digits'"):
        arithmetic(tmp_path / "other", trials=1, storage=url, seed=9).run()


def test_a_study_without_its_database_is_not_begun_anew(tmp_path: Path) -> None:
    folder = arithmetic(tmp_path, trials=1).run().folder
    (folder / "study.db").unlink()
    with pytest.raises(StudyError, match=r"study\.db is missing"):
        arithmetic(tmp_path, trials=2).run()


@dataclass(frozen=True, slots=True)
class Halve:
    """A user's SubStage."""

    factor: float = 0.5

    def build(self, width: int) -> nn.Module:
        return nn.Conv2d(width, width, 1)


def test_a_users_own_substage_is_searched_counted_and_reported(tmp_path: Path) -> None:
    stage = Stage(width=8, substages=(choice(Conv(), Halve(factor=choice(0.25, 0.5))),))
    space = Space("own", Architecture(stages=(stage,)))
    study = arithmetic(tmp_path, space=space, trials=3).run()
    assert len(study.ranked) == 3
    assert (study.folder / "report.html").exists()


@dataclass(frozen=True, slots=True)
class Misspelt:
    """A user's SubStage whose code fails."""

    def build(self, width: int) -> nn.Module:
        return nn.Conv2d(width, width, 1, paddin=1)  # type: ignore[call-arg]  # the mistake


@dataclass(frozen=True, slots=True)
class Hungry:
    """A user's SubStage that fails on small maps only."""

    def build(self, width: int) -> nn.Module:
        return nn.Conv2d(width, width, 5)


def space_of(substage: object) -> Space[Architecture]:
    stages = (Stage(width=8, substages=(choice(Conv(), Conv(5), substage),)), Stage(width=8))
    return Space("own", Architecture(stages=stages))


def test_a_substage_whose_code_fails_stops_the_search_before_it_begins(tmp_path: Path) -> None:
    message = r"`Misspelt\.build\(8\)` failed in line \d+ of .*\.py: TypeError: .*'paddin'"
    with pytest.raises(OwnCodeError, match=rf"stages\.0\.substages\.0: {message}"):
        arithmetic(tmp_path, space=space_of(Misspelt())).run()
    assert list(tmp_path.iterdir()) == []


def test_a_substage_that_the_images_are_too_small_for_is_left_out(tmp_path: Path) -> None:
    study = arithmetic(tmp_path, space=space_of(Hungry())).run()
    assert len(study.ranked) == 2
