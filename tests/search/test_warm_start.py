"""What a search is told to try first: from files, studies and objects, and what is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from neptune_nas.architecture.codec import key
from neptune_nas.architecture.records import Architecture, Conv, Stage, Stem
from neptune_nas.errors import FileFormatError, NeptuneError, OptionError, StudyError
from neptune_nas.models.architecture_file import save, without_study
from neptune_nas.search.config import Search
from neptune_nas.search.warm_start import first_of, given_in
from neptune_nas.space import Space, choice, find_space
from neptune_nas.study.export import export_trial
from neptune_nas.study.progress import Progress
from neptune_nas.study.read import read_study
from neptune_nas.study.study import Study
from neptune_nas.trust.baselines import run_baselines
from tests.search.test_run import Halve
from tests.study.fakes import SHAPE, OnBench, arithmetic_search

TINY = find_space("tiny")
KNOWN = [TINY[i] for i in (7, 300, 599)]
STRANGER = Architecture(stem=Stem(width=12))


def keys(study: Study) -> list[str]:
    return [trial.key for trial in study.trials]


def file_of(path: Path, architecture: Architecture) -> Path:
    save(path, without_study(architecture, SHAPE, 10))
    return path


@pytest.mark.parametrize("sampler", ["auto", "nsga2", "tpe", "brute-force"])
def test_what_is_given_is_tried_first_and_counted(tmp_path: Path, sampler: str) -> None:
    study = arithmetic_search(tmp_path, trials=6, sampler=sampler, first=KNOWN).run()
    assert keys(study)[:3] == [*map(key, KNOWN)]
    assert [trial.given for trial in study.trials] == [True] * 3 + [False] * 3
    assert len({*keys(study)}) == 6


def test_files_studies_trials_and_exports_stand_for_their_architectures(finished: Path) -> None:
    study = read_study(finished)
    front = [trial.architecture for trial in study.pareto()]
    trial = study.trials[0]
    first = (finished, str(finished), study, trial, export_trial(study, trial), KNOWN[0])
    found = [given.architecture for given in given_in(first, TINY)]
    assert found == [*front, *front, *front, trial.architecture, trial.architecture, KNOWN[0]]


def test_a_file_may_hold_the_records_of_the_space(tmp_path: Path) -> None:
    stage = Stage(width=8, substages=(choice(Conv(), Halve(factor=choice(0.25, 0.5))),))
    space = Space("own", Architecture(stages=(stage,)))
    file = file_of(tmp_path / "own.json", space[2])
    study = arithmetic_search(tmp_path, space=space, trials=1, first=(file,)).run()
    assert [trial.architecture for trial in study.trials] == [space[2]]
    with pytest.raises(OptionError, match=r"own\.json holds records that space 'tiny' does not"):
        [*given_in([file], TINY)]


def test_the_same_network_is_tried_once(tmp_path: Path) -> None:
    study = arithmetic_search(tmp_path, trials=4, first=[*KNOWN[:2], *KNOWN[:2]]).run()
    assert [trial.given for trial in study.trials] == [True, True, False, False]
    assert len({*keys(study)}) == 4


def test_after_a_stop_those_that_had_not_begun_are_tried_and_none_twice(tmp_path: Path) -> None:
    search = arithmetic_search(tmp_path, trials=5, first=KNOWN)
    assert keys(replace(search, trials=2).run()) == [key(each) for each in KNOWN[:2]]
    again = search.run()
    assert keys(again)[:3] == [*map(key, KNOWN)]
    assert [trial.given for trial in again.trials] == [True] * 3 + [False] * 2


def test_those_that_no_trial_is_left_for_are_said_at_the_start_and_once(tmp_path: Path) -> None:
    search = arithmetic_search(tmp_path, trials=2, first=KNOWN)
    said: list[str] = []

    def watch(progress: Progress) -> None:
        said.append(f"result {progress.done}")

    search.run(watch, said.append)
    assert said[0] == (
        "`first` (--first) gives 3 architectures, but `trials` (--trials) has room for 2: the rest "
        "is left out."
    )
    assert said[1:] == ["result 1", "result 2"]
    replace(search, first=KNOWN[:2]).run(say=said.append)  # all tried, though no trial is left
    assert len(said) == 3
    replace(search, trials=3).run(say=said.append)
    assert len(said) == 3


def test_after_a_kill_they_are_not_tried_twice(tmp_path: Path) -> None:
    def interrupt(_: Progress) -> None:
        raise KeyboardInterrupt

    search = arithmetic_search(tmp_path, trials=5, first=KNOWN)
    with pytest.raises(KeyboardInterrupt):
        search.run(interrupt)
    study = search.run()
    assert keys(study)[:3] == [*map(key, KNOWN)]
    assert [len(trial.scores) for trial in study.trials] == [1] * 5


def test_a_study_that_is_there_can_be_given_more_or_go_on_without(tmp_path: Path) -> None:
    search = arithmetic_search(tmp_path, trials=2)
    search.run()
    found = replace(search, trials=4, first=KNOWN[:1]).run()
    assert [trial.given for trial in found.trials] == [False, False, True, False]
    assert [trial.given for trial in replace(search, trials=5).run().trials].count(True) == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"first": [KNOWN[0], STRANGER]}, r"`first\[1\]` is not in space 'tiny': `\S+` is .* must"),
        ({"first": [3]}, r"`first\[0\]` is not in space 'tiny': `\.` is 3, but must be"),
        (
            {"first": [KNOWN[2]], "constraints": ("flops<=100k",)},
            r"cannot be tried, since it breaks flops <= 100,000 with [\d,]+; leave it out, or loos",
        ),
        ({"first": "knee.json"}, r"`first` must be a tuple.*: write \('knee\.json',\)"),
    ],
)
def test_what_cannot_be_tried_is_refused_before_anything_is_written(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(OptionError, match=says):
        arithmetic_search(tmp_path, **changes).run()
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("stranger.json", OptionError, r"stranger\.json is not in space 'tiny': `"),
        ("gone.json", FileFormatError, r"gone\.json cannot be read"),
        ("folder", StudyError, "folder is not a study"),
    ],
)
def test_a_file_that_leads_to_nothing_is_named(
    tmp_path: Path, name: str, kind: type[NeptuneError], says: str
) -> None:
    file_of(tmp_path / "stranger.json", STRANGER)
    (tmp_path / "folder").mkdir()
    with pytest.raises(kind, match=says):
        arithmetic_search(tmp_path / "studies", first=[tmp_path / name]).run()


def test_a_study_without_a_front_is_refused(finished: Path) -> None:
    empty = replace(read_study(finished), trials=())
    with pytest.raises(OptionError, match="has no front yet: leave it out"):
        [*given_in([empty], TINY)]


def at_once(_: Architecture) -> float:
    return 1.0


def slow(_: Architecture) -> float:
    return 6_000.0


def slow_if_known(architecture: Architecture) -> float:
    return 6_000.0 if architecture in KNOWN else 1.0


def timed_by(clock: Callable[[Architecture], float]) -> OnBench:
    return OnBench(clocks={"latency": clock})


def test_a_latency_is_not_asked_again_of_what_was_tried(tmp_path: Path) -> None:
    asked = {"first": KNOWN[:1], "constraints": ("latency<=5s",), "evaluator": timed_by(at_once)}
    search = arithmetic_search(tmp_path, trials=1, **asked)
    search.run()
    later = replace(search, evaluator=timed_by(slow))
    assert first_of(later.assembly) == ()
    with pytest.raises(OptionError, match="breaks latency <= 5,000 ms with 6,000"):
        first_of(replace(later, first=KNOWN[1:2]).assembly)


def test_baselines_try_the_same_first_whatever_their_latency_would_be_now(tmp_path: Path) -> None:
    asked = {"first": KNOWN, "constraints": ("latency<=5s",), "evaluator": timed_by(at_once)}
    search = arithmetic_search(tmp_path, trials=5, **asked)
    search.run()
    later = replace(search, first=(), evaluator=timed_by(slow_if_known))
    theirs = run_baselines(later, ("random",)).baselines["random"]
    assert [trial.key for trial in theirs][:3] == [*map(key, KNOWN)]
    assert [trial.given for trial in theirs] == [True] * 3 + [False] * 2


def test_what_is_given_is_kept_as_it_was() -> None:
    known = [*KNOWN]
    search = Search("tiny", first=known)
    known.clear()
    assert search.first == tuple(KNOWN)
