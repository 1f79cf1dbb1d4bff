import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from optuna.exceptions import StorageInternalError
from torch import nn

from neptune_nas.architecture.records import Architecture, Conv, Stage
from neptune_nas.errors import NeptuneError, OptionError, OwnCodeError, StudyError
from neptune_nas.search.assembly import Assembly
from neptune_nas.search.config import Search, ignore
from neptune_nas.search.coordinator import StopSearch
from neptune_nas.search.run import run_search
from neptune_nas.space import Space, choice
from neptune_nas.study.progress import Progress
from neptune_nas.study.read import read_study
from neptune_nas.study.settings import Settings
from neptune_nas.study.store import Store
from neptune_nas.study.study import Study
from neptune_nas.study.trial import State
from tests.study.fakes import Arithmetic, failing

ROOT = Path(__file__).parents[2]
SCRIPT = """
from pathlib import Path
from neptune_nas.search.config import Search
from tests.study.fakes import Arithmetic, failing
search = Search(space="tiny", trials=24, evaluator=Arithmetic(), out=Path({out!r}), jobs=2)
search.run(lambda progress: print(progress.done, flush=True))
"""

UNGUARDED = """
from pathlib import Path
from neptune_nas.search.config import Search
from tests.study.fakes import Arithmetic, failing
Search(space="tiny", trials=4, evaluator=Arithmetic(), out=Path({out!r}), jobs=2).run()
"""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A network of someone else's table, which nothing here can build."""

    depth: int = choice(1, 2, 3)


def arithmetic(out: Path, **changes: Any) -> Search:
    """A search that trains nothing."""
    asked = {"space": "tiny", "trials": 24, "jobs": 2, **changes}
    return Search(evaluator=Arithmetic(), out=out, **asked)


def scores_of(study: Study) -> list[tuple[str, float]]:
    return [(trial.key, score.main) for trial in study.trials for score in trial.scores]


@pytest.mark.parametrize("results_seen", [1, 7, 23])
def test_killed_at_any_moment_and_run_again_it_has_every_trial_once(
    tmp_path: Path, results_seen: int
) -> None:
    command = [sys.executable, "-c", SCRIPT.format(out=str(tmp_path))]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(results_seen):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    finished = {
        trial.key: trial.scores
        for trial in read_study(tmp_path / "tiny-digits").trials
        if trial.state is State.FINISHED
    }
    assert len(finished) >= results_seen
    study = arithmetic(tmp_path).run()
    assert [trial.state for trial in study.trials] == [State.FINISHED] * 24
    assert {t.key: t.scores for t in study.trials if t.key in finished} == finished


def test_a_script_that_searches_as_it_is_imported_is_told_so_once(tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(UNGUARDED.format(out=str(tmp_path)))
    ended = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.count("Traceback") == 1
    assert ended.stderr.rstrip().endswith('call what searches under `if __name__ == "__main__":`.')


def test_a_script_from_stdin_searches_and_prints_nothing_but_what_it_says(tmp_path: Path) -> None:
    script = UNGUARDED.format(out=str(tmp_path)) + "print('done')"
    ended = subprocess.run(
        [sys.executable], input=script, capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (ended.stdout, ended.stderr) == ("done\n", "")
    assert len(read_study(tmp_path / "tiny-digits").ranked) == 4


def test_an_evaluator_from_stdin_is_refused_in_a_sentence(tmp_path: Path) -> None:
    script = f"""
from neptune_nas.search.config import Search
def measure(architecture, fidelity, seed): ...
Search(space="tiny", evaluator=measure, rungs=(1,), jobs=1, out={str(tmp_path)!r}).run()
"""
    ended = subprocess.run(
        [sys.executable], input=script, capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert ended.stderr.count("Traceback") == 1
    assert "could not load its evaluator" in ended.stderr.splitlines()[-1]


def test_ctrl_c_leaves_a_whole_study(tmp_path: Path) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    search = arithmetic(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        search.run(interrupt)
    folder = tmp_path / "tiny-digits"
    assert (folder / "trials.csv").exists()
    assert (folder / "best.json").exists()
    assert len(search.run().ranked) == 24


class Loses:
    """Loses Ctrl-C: what is raised in a destructor is printed, and then lost."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("ctrl_c_raises")
def test_ctrl_c_ends_a_search_wherever_it_comes(tmp_path: Path) -> None:
    search, seen = arithmetic(tmp_path), []

    def lose(progress: Progress) -> None:
        seen.append(progress.done)
        Loses()

    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        search.run(lose)
    assert len(seen) == 1
    assert not search.folder.is_in_use
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert len(search.run().ranked) == 24


def test_a_watcher_sees_each_trial_as_its_result_comes(tmp_path: Path) -> None:
    seen: list[Progress] = []
    study = arithmetic(tmp_path, trials=5).run(seen.append)
    assert [p.done for p in seen] == [1, 2, 3, 4, 5]
    assert {p.newest.number: p.newest for p in seen if p.newest} == dict(enumerate(study.trials))


def test_a_watcher_that_has_seen_enough_ends_the_search_which_can_go_on(tmp_path: Path) -> None:
    def enough(progress: Progress) -> None:
        if progress.done >= 3:
            raise StopSearch

    search = arithmetic(tmp_path)
    study = search.run(enough)
    assert 3 <= len(study.ranked) < 24  # what had come in with the third is kept too
    assert (study.folder / "report.html").exists()
    assert len(search.run().ranked) == 24


def test_what_a_watcher_raises_is_raised_once_all_is_written(tmp_path: Path) -> None:
    def fail(_: Progress) -> None:
        raise ZeroDivisionError("the watcher's own mistake")

    with pytest.raises(ZeroDivisionError, match="own mistake"):
        arithmetic(tmp_path).run(fail)
    assert (tmp_path / "tiny-digits" / "report.html").exists()


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
    with search.folder.locked(), pytest.raises(StudyError, match="being searched by another"):
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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rungs": [3, 1]}, "rising, distinct numbers of epochs, as in 1,3,9, but got 3,1"),
        ({"constraints": ["flops<=x"]}, "constraint 'flops<=x' must be a cost"),
        ({"sampler": "autp"}, "sampler 'autp' is unknown: did you mean 'auto'"),
        ({"space": "tinny"}, "space 'tinny' is unknown: did you mean 'tiny'"),
        ({"seed": -1}, "`seed` must be a whole number in 0..4294967295, but got -1"),
        ({"seed": 2**32}, "`seed` must be a whole number in 0"),
        (
            {"sampler_kwargs": {"n": None}},
            r"`sampler_kwargs\.n` must be .*, but got None: leave it out",
        ),
    ],
)
def test_what_can_be_checked_without_data_is_refused_at_once(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(NeptuneError, match=message):
        Search(**{"space": "tiny", **changes})


def test_a_list_is_kept_as_a_tuple_and_so_is_no_part_of_the_search() -> None:
    objectives, rungs = ["accuracy", "params"], [1, 3]
    search = Search("tiny", objectives=objectives, rungs=rungs, constraints=["params<1e6"], gpus=[])
    rungs.append(9)
    assert (search.objectives, search.rungs) == (("accuracy", "params"), (1, 3))
    assert (search.constraints, search.gpus) == (("params<1e6",), ())
    assert search == Search(
        "tiny", objectives=("accuracy", "params"), rungs=range(1, 4, 2), constraints=("params<1e6",)
    )


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
    """A user's own SubStage."""

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
    """A SubStage of the user's own whose code fails."""

    def build(self, width: int) -> nn.Module:
        return nn.Conv2d(width, width, 1, paddin=1)  # type: ignore[call-arg]  # the mistake


@dataclass(frozen=True, slots=True)
class Hungry:
    """A SubStage of the user's own that fails on small maps only."""

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


@pytest.mark.parametrize("name", ["...", "-", "///"])
def test_a_name_without_letters_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OptionError, match="needs letters or digits"):
        arithmetic(tmp_path, name=name).run()


@pytest.mark.parametrize("name", ["a/b", "a b", "-a-b", "a-b."])
def test_a_name_that_a_folder_could_not_bear_is_refused(tmp_path: Path, name: str) -> None:
    message = rf"`name` \(--study-name\) must be .* but got '{name}': write 'a-b'"
    with pytest.raises(OptionError, match=message):
        arithmetic(tmp_path, name=name)


@pytest.mark.parametrize(
    ("data", "name"),
    [("folder:/a/pictures", "tiny-pictures"), ("folder:b/shapes@32", "tiny-shapes-32")],
)
def test_a_folder_of_images_gives_its_own_name_to_the_study(data: str, name: str) -> None:
    assert Search(space="tiny", data=data).folder.path.name == name


def test_a_table_of_networks_that_cannot_be_built_is_searched_and_reported(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("code,accuracy,flops,params\n0,0.5,10,1\n1,0.6,20,2\n2,0.7,30,3\n")
    space: Space[Any] = Space("theirs", Recorded())
    study = Search(space=space, table=table, trials=3, jobs=1, out=tmp_path, name="study").run()
    assert [trial.score.main for trial in study.pareto() if trial.score] == [0.5, 0.6, 0.7]
    assert "Recorded(depth=3)" in (tmp_path / "study" / "trials.csv").read_text()
    page = (tmp_path / "study" / "report.html").read_text()
    assert "only an `Architecture` can be built" in page


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"device": "gpu"}, "device 'gpu' is unknown"),
        ({"data": "minst"}, "data 'minst' is unknown"),
        ({"proxy": "synflo", "rungs": (0, 1)}, "proxy 'synflo' is unknown"),
    ],
)
def test_a_name_is_looked_at_when_it_is_given(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(NeptuneError, match=says):
        Search(space="tiny", **asked)
