import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import neptune_nas
from neptune_nas.architecture.codec import key
from neptune_nas.architecture.records import Architecture
from neptune_nas.devices.numerics import Numerics
from neptune_nas.errors import ArchitectureError, StudyError
from neptune_nas.metrics.counted import Cost
from neptune_nas.metrics.registry import metric
from neptune_nas.search.provenance import (
    check_complete,
    check_costs,
    settings_for,
    versions,
    write_if_new,
)
from neptune_nas.study.folder import Folder
from neptune_nas.study.settings import Facts, Settings
from neptune_nas.study.trial import Trial
from tests.study.builders import question, settings

BEGUN = settings(question())


def settled(folder: Path, facts: Facts = BEGUN.facts, **changes: Any) -> Settings:
    """Return the settings to search by in a folder, with other facts than it was started with."""
    return settings_for(Folder(folder), replace(BEGUN, facts=facts, **changes))


def test_a_new_study_takes_what_is_asked(tmp_path: Path) -> None:
    assert settled(tmp_path / "new") == BEGUN


def test_an_old_study_goes_on_with_more_trials(tmp_path: Path) -> None:
    write_if_new(Folder(tmp_path), BEGUN)
    found = settled(tmp_path, trials=99)
    assert found == replace(BEGUN, trials=99)


def test_a_study_in_a_renamed_folder_keeps_its_name(tmp_path: Path) -> None:
    write_if_new(Folder(tmp_path), BEGUN)
    found = settled(tmp_path, name=tmp_path.name)
    assert found.name == "few-digits"


@pytest.mark.parametrize("storage", ["", "mysql://ann:***@db/studies"])
def test_a_storage_that_is_not_named_again_is_agreed(tmp_path: Path, storage: str) -> None:
    begun = replace(BEGUN, storage="mysql://ann:***@db/studies")
    write_if_new(Folder(tmp_path), begun)
    assert settled(tmp_path, storage=storage) == begun


def test_another_place_of_latency_is_led_back_by_its_option(tmp_path: Path) -> None:
    write_if_new(Folder(tmp_path), BEGUN)
    other = replace(BEGUN.question, latency_on="litert")
    with pytest.raises(StudyError, match=r"latency on 'torch', .*\(--latency-on 'torch'\)"):
        settled(tmp_path, question=other)


def test_another_storage_is_a_contradiction(tmp_path: Path) -> None:
    write_if_new(Folder(tmp_path), replace(BEGUN, storage="mysql://ann:***@db/studies"))
    with pytest.raises(StudyError, match=r"storage 'mysql.*, but now it is 'sqlite"):
        settled(tmp_path, storage="sqlite:///other.db")


@pytest.mark.parametrize(
    ("changed", "facts", "message"),
    [
        ({"question": question(seed=3)}, {}, "started with seed 0, but now it is 3"),
        ({"question": question(rungs=(1, 3))}, {}, "rungs 1, but now it is 1,3: to begin another"),
        (
            {"question": question(constraints=("flops<=9M",))},
            {},
            "s none, but now it is flops<=9M:",
        ),
        ({}, {"input_shape": (3, 8, 8)}, "input shape 1,8,8, but now it is 3,8,8:"),
        ({}, {"data_fingerprint": "ffff"}, "data fingerprint .* this one, restore its images"),
        ({}, {"outline": {"stages": "4 of"}}, "of the space as"),
        ({}, {"weights": {"a.pth": "ff"}}, "a.pth of SHA-256 '?00'?, .* one, restore that file"),
        ({"storage": "sqlite:///other.db"}, {}, "storage 'study.db', but now it is 'sqlite:///oth"),
    ],
)
def test_a_contradiction_is_named(
    tmp_path: Path, changed: dict[str, Any], facts: dict[str, Any], message: str
) -> None:
    begun = replace(BEGUN.facts, weights={"a.pth": "00"})
    write_if_new(Folder(tmp_path), replace(BEGUN, facts=begun))
    with pytest.raises(StudyError, match=message):
        settled(tmp_path, replace(begun, **facts), **changed)


def test_a_study_whose_weights_are_gone_can_still_be_resumed(tmp_path: Path) -> None:
    begun = replace(BEGUN, facts=replace(BEGUN.facts, weights={"a.pth": "00"}))
    write_if_new(Folder(tmp_path), begun)
    assert settled(tmp_path).facts.weights == {"a.pth": "00"}


def test_a_study_keeps_the_precision_and_layout_that_it_began_with(tmp_path: Path) -> None:
    begun = replace(BEGUN, facts=replace(BEGUN.facts, numerics=Numerics("bf16")))
    write_if_new(Folder(tmp_path), begun)
    assert settled(tmp_path, begun.facts) == begun
    other = replace(BEGUN.facts, numerics=Numerics("fp32"))
    with pytest.raises(StudyError, match="started with precision and layout 'bf16, channels last'"):
        settled(tmp_path, other)


OURS, TABLES = {"latency": "processor time of one thread"}, {"latency": "as the table says"}


@pytest.mark.parametrize(
    ("begun", "now", "said"),
    [
        ({}, OURS, "started with latency 'not timed', but now it is 'processor time of one thr"),
        (OURS, TABLES, "started with latency 'processor time of one thread', but now it is 'as"),
    ],
)
def test_a_study_does_not_go_on_with_latencies_of_another_kind(
    tmp_path: Path, begun: dict[str, str], now: dict[str, str], said: str
) -> None:
    timed = question(objectives=("accuracy", "latency"))
    facts = replace(BEGUN.facts, timed=begun)
    write_if_new(Folder(tmp_path), replace(BEGUN, question=timed, facts=facts))
    with pytest.raises(StudyError, match=said):
        settled(tmp_path, replace(facts, timed=now), question=timed)
    found = settled(tmp_path, facts, question=timed)
    assert found.timed_as(metric("latency")) == begun.get("latency", "")


def test_a_study_without_latencies_has_no_kind_of_them() -> None:
    assert BEGUN.timed_as(metric("latency")) == ""


def test_versions_name_what_scores_depend_on() -> None:
    found = versions()
    assert set(found) == {"python", "neptune-nas", "torch", "optuna", "numpy"}
    assert found["neptune-nas"] == neptune_nas.__version__


STORED = Cost(12_345, 100, 50).values
TRIAL = Trial(3, Architecture(), key(Architecture()), STORED)


def test_trials_that_cost_what_they_did_pass() -> None:
    other = replace(TRIAL, number=4, values=Cost(0, 100, 50).values)
    check_costs(Path("mine"), [TRIAL], lambda _: STORED)
    with pytest.raises(StudyError, match="trial 4 of study mine had 0 FLOPs, but now 24,690: the"):
        check_costs(Path("mine"), [TRIAL, other], lambda _: STORED)


def test_a_trial_whose_network_is_another_than_its_key_says_is_refused() -> None:
    other = replace(TRIAL, key="0123456789abcdef")
    with pytest.raises(StudyError, match="trial 3 of study mine has the key 0123456789abcdef, but"):
        check_costs(Path("mine"), [other], lambda _: STORED)


def test_a_list_of_more_trials_than_the_database_has_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "trials.csv"
    file.write_text('number,note\n0,"two\nlines"\n1,b\n')
    check_complete(Folder(tmp_path), 2)
    with pytest.raises(
        StudyError, match=r"has 1 trial, but .*trials\.csv lists 2: the database is an older"
    ):
        check_complete(Folder(tmp_path), 1)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    with pytest.raises(StudyError, match="lists 2"):
        check_complete(Folder(tmp_path), 1)


def make_sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10 * 2**30)  # takes no room on a disk


@pytest.mark.parametrize(
    "make",
    [
        os.mkfifo,
        make_sparse,
        Path.mkdir,
        lambda path: path.symlink_to(path),
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.write_bytes(b"a\n\xff\n"),
        lambda path: path.write_text("a\n" + "x" * 200_000),
    ],
    ids=["a pipe", "huge", "a folder", "a loop", "a device", "no text", "a huge cell"],
)
def test_a_list_of_trials_that_cannot_be_read_is_passed_over(
    make: Callable[[Path], object], tmp_path: Path
) -> None:
    make(tmp_path / "trials.csv")
    check_complete(Folder(tmp_path), 0)


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (Cost(12_345, 90, 50), "had 100 parameters, but now 90: the code"),
        (Cost(12_345, 100, 51), "had 50 activations, but now 51: the code"),
    ],
)
def test_the_cost_that_differs_is_told(now: Cost, told: str) -> None:
    with pytest.raises(StudyError, match=told):
        check_costs(Path("mine"), [TRIAL], lambda _: now.values)


def test_a_trial_that_cannot_be_counted_any_more_is_told() -> None:
    def lacking(_: Any) -> dict[str, float]:
        raise ArchitectureError("it is not in the table.")

    with pytest.raises(StudyError, match=r"cannot be counted now \(it is not in the table\): the"):
        check_costs(Path("mine"), [TRIAL], lacking)
