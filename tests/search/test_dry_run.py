"""What a search would do: where it would write, and for how many epochs it would train."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from torch import nn

from neptune_nas.architecture.records import Architecture, Conv, Stage
from neptune_nas.errors import OwnCodeError, StudyError
from neptune_nas.metrics.score import Score
from neptune_nas.search.assembly import Assembly
from neptune_nas.search.config import Search
from neptune_nas.search.dry_run import dry_run, epochs_left, expected_epochs
from neptune_nas.space import Space, choice, find_space
from neptune_nas.study.ledger import Ledger
from neptune_nas.study.rungs import Rungs
from neptune_nas.study.study import Study
from tests.data.folders import write_classes
from tests.study.builders import make_trial, question, settings
from tests.study.fakes import Arithmetic, TimedAssembly


def asked(out: Path, **more: Any) -> Search:
    return Search("tiny", evaluator=Arithmetic(), trials=2, rungs=(1,), jobs=1, out=out, **more)


def everything(folder: Path) -> dict[Path, bytes]:
    return {p: p.read_bytes() if p.is_file() else b"" for p in folder.rglob("*")}


@pytest.mark.parametrize(
    ("rungs", "epochs"),
    [
        (Rungs((9,)), 9.0),
        (Rungs((1, 3, 9)), 3.0),
        (Rungs((0, 4, 8), 4), 1.5),
        (Rungs((1, 4, 8), (2, 4)), 4.0),
    ],
)
def test_one_trial_in_so_many_as_the_search_says_goes_on(rungs: Rungs, epochs: float) -> None:
    assert expected_epochs(rungs) == epochs


def test_a_larger_reduction_takes_less_time(tmp_path: Path) -> None:
    few, many = (
        dry_run(replace(asked(tmp_path), rungs=(1, 100), reduction=reduction))
        for reduction in (2, 50)
    )
    assert few.score is not None
    assert many.score is not None
    ratio = (few.seconds / few.score.seconds) / (many.seconds / many.score.seconds)
    assert ratio == pytest.approx(51 / 3)


def trained(*fidelities: int) -> Study:
    """Return a study of one trial, scored so."""
    trial = make_trial(0, 0.5, 100)
    scores = tuple(replace(trial.scores[0], fidelity=each) for each in fidelities)
    trials = (replace(trial, scores=scores),)
    return Study(Path("x"), settings(question()), trials, Ledger())


@pytest.mark.parametrize(
    ("repeats", "study", "epochs"),
    [
        (1, None, 10 * 3.0),
        (2, None, 10 * 4.0),  # only the last rung is repeated
        (1, trained(1, 3), 10 * 3.0 - 4),
        (1, trained(9, 9, 9, 9), 0.0),
    ],
)
def test_what_was_trained_already_is_not_left(
    repeats: int, study: Study | None, epochs: float
) -> None:
    assert epochs_left(question(rungs=(1, 3, 9), repeats=repeats), 10, study) == epochs


@dataclass(frozen=True)
class Threads:
    """Scores by how many threads torch has, and does not say how long that took."""

    def __call__(self, architecture: Any, fidelity: int, seed: int) -> Score:
        assert architecture in find_space("tiny")
        return Score(fidelity, {"accuracy": torch.get_num_threads() / 100, "loss": 1.0}, seed=seed)


def test_the_candidate_is_trained_as_a_worker_would_and_timed_if_it_says_no_time(
    tmp_path: Path,
) -> None:
    before = torch.get_num_threads()
    found = dry_run(replace(asked(tmp_path), evaluator=Threads(), threads=before + 1))
    assert torch.get_num_threads() == before
    assert found.score is not None
    assert found.score.main == (before + 1) / 100
    assert found.score.seconds > 0.0
    assert found.seconds == 2 * found.score.seconds


class Timed(Search):
    """A search whose networks all take 1 ms."""

    @cached_property
    def assembly(self) -> Assembly:
        return TimedAssembly(self, lambda _: 1.0)


def test_what_takes_long_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    known = tuple(find_space("tiny")[i] for i in (7, 300, 599))
    plain, said = asked(tmp_path, constraints=("latency<=5ms",), first=known), list[str]()
    search = Timed(**{each.name: getattr(plain, each.name) for each in fields(plain)})
    assert dry_run(search, said.append).first == 2
    timing, left_out = said
    assert timing.startswith("Timing up to 50 random networks")
    assert "gives 3 architectures, but `trials` (--trials) has room for 2" in left_out


def test_for_a_study_that_has_all_its_trials_nothing_is_trained(tmp_path: Path) -> None:
    study = asked(tmp_path).run()
    found = dry_run(asked(tmp_path))
    assert (found.study, found.score, found.seconds) == (study, None, 0.0)
    more = dry_run(replace(asked(tmp_path), trials=3))
    assert more.study is not None
    assert more.study.settings.trials == 3
    assert more.score is not None


def test_fewer_trials_than_the_study_has_are_said(tmp_path: Path) -> None:
    asked(tmp_path).run()
    said = list[str]()
    dry_run(replace(asked(tmp_path), trials=1), said.append)
    (sentence,) = said
    assert sentence.startswith("The study already has 2 trials, more than the 1 that")


@pytest.mark.parametrize("storage", ["elsewhere.db", "studies/tiny-digits/other.db"])
def test_a_plan_leaves_folder_and_database_as_they_are(tmp_path: Path, storage: str) -> None:
    found = dry_run(asked(tmp_path / "studies", storage=f"sqlite:///{tmp_path / storage}"))
    assert found.study is None
    assert everything(tmp_path) == {}


def test_a_plan_for_a_study_that_is_there_leaves_it_as_it_is(tmp_path: Path) -> None:
    asked(tmp_path).run()
    before = everything(tmp_path)
    assert dry_run(asked(tmp_path)).study is not None
    assert dry_run(replace(asked(tmp_path), trials=3)).study is not None
    assert everything(tmp_path) == before


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        StudyError, match=r"tiny-digits cannot be written \(\S*file is not a folder\)"
    ):
        dry_run(asked(tmp_path / "file"))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "storage nonsense cannot be opened"),
        ("sqlite:///{}/none/x.db", r"storage \S*x\.db needs the folder \S*none, but there is none"),
        ("sqlite:///{}/text", r"storage \S*text cannot be opened: .*not a database"),
    ],
)
def test_a_storage_that_cannot_be_used_is_refused(tmp_path: Path, url: str, message: str) -> None:
    (tmp_path / "text").write_text("no database" * 100)
    before = everything(tmp_path)
    with pytest.raises(StudyError, match=message):
        dry_run(asked(tmp_path / "studies", storage=url.format(tmp_path)))
    assert everything(tmp_path) == before


def test_a_storage_with_another_study_of_that_name_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    optuna.create_study(storage=url, study_name="other")
    dry_run(asked(tmp_path / "a", storage=url))
    asked(tmp_path / "a", storage=url).run()
    with pytest.raises(StudyError, match="holds another study 'tiny-digits'"):
        dry_run(asked(tmp_path / "b", storage=url, seed=1))


@dataclass(frozen=True, slots=True)
class Shrinking:
    """A user's SubStage that breaks its contract: it loses a channel."""

    def build(self, width: int) -> nn.Module:
        return nn.Conv2d(width, width - 1, 1)


@pytest.mark.parametrize("ask", [dry_run, Search.run])
def test_a_substage_that_changes_the_shape_stops_a_search_before_it_begins(
    tmp_path: Path, ask: Callable[[Search], object]
) -> None:
    stage = Stage(width=8, substages=(choice(Conv(), Conv(5), Shrinking()),))
    space = Space("own", Architecture(stages=(stage, stage)))
    search = Search(evaluator=Arithmetic(), out=tmp_path, space=space, trials=6, jobs=1)
    with pytest.raises(
        OwnCodeError, match=r"^stages\.\d\.substages\.0: SubStage `Conv2d` must keep"
    ):
        ask(search)
    assert list(tmp_path.iterdir()) == []


def test_what_the_data_lacks_is_said_with_chance_before_a_search(tmp_path: Path) -> None:
    write_classes(tmp_path / "pets", 30, ("cat",))
    write_classes(tmp_path / "pets", 1, ("dog",))
    (tmp_path / "pets" / "cat" / "notes.txt").write_text("some words")
    said: list[str] = []
    plan = dry_run(replace(asked(tmp_path), data=f"folder:{tmp_path / 'pets'}"), said.append)
    assert [sentence.split(" has no ")[0].split(":")[0] for sentence in said] == [
        f"Left out of {tmp_path / 'pets'}",
        *("1 of 2 classes", "1 of 2 classes"),
        "The classes are unequal",
        "The validation split has 6 images, so accuracy changes in steps of 17%, and says little "
        "about which network is better",
    ]
    assert plan.facts.guess == {"accuracy": 1.0, "loss": 0.0}
