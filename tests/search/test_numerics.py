"""The precision and layout that a search trains in: found once, and kept."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from neptune_nas.devices.numerics import Numerics
from neptune_nas.errors import OptionError, StudyError
from neptune_nas.evaluators.short_training import ShortTraining
from neptune_nas.search import assembly as module
from neptune_nas.search.config import Search
from neptune_nas.search.resume import search_of
from neptune_nas.study.folder import write_settings
from neptune_nas.study.read import read_study
from neptune_nas.study.settings import Facts
from neptune_nas.training.recipe import Recipe
from neptune_nas.trust.baselines import run_baselines
from tests.study.fakes import Arithmetic, arithmetic_search

FIRST, OTHER = Numerics("bf16"), Numerics("fp32", "contiguous")


def asked(out: Path, **changes: Any) -> Search:
    return Search(
        **{"space": "tiny", "data": "digits#100", "trials": 1, "jobs": 1, "rungs": (1,), **changes},
        out=out,
        threads=1,
    )


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """Return what the machine is asked; it answers `FIRST` first, and `OTHER` from then on."""
    calls: list[tuple[object, ...]] = []

    def numerics_for(*given: object) -> Numerics:
        calls.append(given)
        return FIRST if len(calls) == 1 else OTHER

    monkeypatch.setattr(module, "numerics_for", numerics_for)
    return calls


def numerics_of(search: Search) -> Numerics | None:
    """Those that the search's workers train in."""
    evaluator = search.assembly.evaluator
    assert isinstance(evaluator, ShortTraining)
    return evaluator.numerics


def begun(search: Search) -> Facts:
    """Begin the search's study, or go on with it, as far as its settings."""
    settings = search.assembly.settings(search.assembly.facts())
    write_settings(search.folder, settings)
    return settings.facts


def test_a_study_keeps_what_the_machine_was_found_to_train_fastest_in(
    tmp_path: Path, machine: list[tuple[object, ...]]
) -> None:
    search = asked(tmp_path)
    assert begun(search).numerics == FIRST
    assert machine == [("auto", "cpu")]
    for again in (asked(tmp_path, trials=2), search_of(search.folder.path)):
        assert numerics_of(again) == FIRST
        assert begun(again).numerics == FIRST
    assert len(machine) == 1


def test_what_is_asked_for_is_taken_or_refused(
    tmp_path: Path, machine: list[tuple[object, ...]]
) -> None:
    search = asked(tmp_path, numerics=FIRST)
    assert begun(search).numerics == FIRST
    with pytest.raises(StudyError, match="started with precision and layout 'bf16, channels last'"):
        begun(replace(search, numerics=OTHER))
    assert machine == []


def test_another_folder_on_the_same_database_keeps_to_them(
    tmp_path: Path, machine: list[tuple[object, ...]]
) -> None:
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    first = asked(tmp_path / "a", storage=url)
    first.run()
    other = asked(tmp_path / "b", storage=url, trials=2)
    assert numerics_of(other) == FIRST
    assert other.run().settings.facts.numerics == FIRST
    assert len(machine) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": Recipe(precision="fp32")}, "`numerics` has precision bf16, but .* fp32"),
        ({"evaluator": Arithmetic()}, "`numerics` and `evaluator`"),
        ({"table": "nets.csv", "data": None}, "`numerics` and `table`"),
    ],
)
def test_what_nothing_would_be_trained_in_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        asked(tmp_path, numerics=FIRST, **changes)


def test_a_search_that_trains_nothing_needs_none(
    tmp_path: Path, machine: list[tuple[object, ...]]
) -> None:
    assert begun(arithmetic_search(tmp_path)).numerics is None
    assert machine == []


def test_baselines_train_as_the_study_did(tmp_path: Path) -> None:
    search = asked(tmp_path, numerics=OTHER)
    search.run()
    run_baselines(search_of(search.folder.path), ("random",))
    found = read_study(search.folder.baselines / "random")
    assert found.settings.facts.numerics == OTHER
