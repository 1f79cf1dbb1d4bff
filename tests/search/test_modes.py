"""In which modes a search trains: found once, kept by the study and whatever measures for it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from neptune_nas.devices.mode import Mode, Modes, Precision, same_for_all
from neptune_nas.errors import OptionError, StudyError
from neptune_nas.evaluators.short_training import ShortTraining
from neptune_nas.search import config as module
from neptune_nas.search.config import Search
from neptune_nas.search.resume import search_of
from neptune_nas.study.folder import read_settings, write_settings
from neptune_nas.study.settings import Facts
from neptune_nas.study.store import Store
from neptune_nas.training.recipe import Recipe
from neptune_nas.trust.baselines import run_baselines
from tests.study.fakes import Arithmetic, arithmetic_search

MODES = Modes(Mode("fp32"), Mode("bf16"), Mode("bf16", "contiguous"))
OTHERS = same_for_all(Mode("fp32", "contiguous"))


def asked(out: Path, **changes: Any) -> Search:
    return Search(
        **{"space": "tiny", "data": "digits#100", "trials": 1, "jobs": 1, "rungs": (1,), **changes},
        out=out,
        threads=1,
    )


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What the machine is asked; it answers `MODES` first, and `OTHERS` from then on."""
    calls: list[tuple[object, ...]] = []

    def modes_for(*given: object) -> Modes:
        calls.append(given)
        return MODES if len(calls) == 1 else OTHERS

    monkeypatch.setattr(module, "modes_for", modes_for)
    return calls


def modes_of(search: Search) -> Modes | None:
    """Those that the search's workers train in."""
    evaluator = search.ground.evaluator
    assert isinstance(evaluator, ShortTraining)
    return evaluator.modes


def begun(search: Search) -> Facts:
    """Begin the search's study, or go on with it, as far as its settings."""
    settings = search.opening.settle(search.subject.facts())
    write_settings(search.folder, settings)
    return settings.facts


def test_a_study_keeps_what_the_machine_was_found_to_train_fastest_in(
    tmp_path: Path, machine: list[tuple[object, ...]]
) -> None:
    search = asked(tmp_path)
    assert begun(search).modes == MODES
    assert machine == [("auto", "cpu")]
    for again in (asked(tmp_path, trials=2), search_of(search.folder.path)):
        assert modes_of(again) == MODES
        assert begun(again).modes == MODES
    assert len(machine) == 1


@pytest.mark.parametrize("precision", ["auto", "bf16"])
def test_a_study_from_before_modes_goes_on_by_the_rule(
    tmp_path: Path, machine: list[tuple[object, ...]], precision: Precision
) -> None:
    search = asked(tmp_path, recipe=Recipe(precision=precision), modes=same_for_all(Mode("bf16")))
    begun(search)
    old = read_settings(search.folder.settings)
    write_settings(search.folder, replace(old, facts=replace(old.facts, modes=None)))
    again = replace(search, trials=2, modes=None)
    assert modes_of(again) == same_for_all(Mode(precision, "channels_last"))
    assert begun(again).modes is None
    assert machine == []


def test_modes_that_are_asked_for_are_taken_or_refused(
    tmp_path: Path, machine: list[tuple[object, ...]]
) -> None:
    search = asked(tmp_path, modes=MODES)
    assert begun(search).modes == MODES
    with pytest.raises(StudyError, match="was begun with modes 'attention fp32 channels_last"):
        begun(replace(search, modes=OTHERS))
    assert machine == []


def test_another_folder_on_the_same_database_keeps_the_modes(
    tmp_path: Path, machine: list[tuple[object, ...]]
) -> None:
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    first = asked(tmp_path / "a", storage=url)
    first.run()
    other = asked(tmp_path / "b", storage=url, trials=2)
    assert modes_of(other) == MODES
    assert other.run().settings.facts.modes == MODES
    assert len(machine) == 1


def test_a_database_that_says_nothing_of_modes_goes_on_by_the_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    with monkeypatch.context() as before:
        before.setattr(Store, "keep_modes", lambda *_: None)
        asked(tmp_path / "a", storage=url).run()
    other = asked(tmp_path / "b", storage=url, trials=2)
    other.run()
    assert modes_of(other) == same_for_all(Mode("auto"))
    assert modes_of(asked(tmp_path / "c", storage=url, trials=2)) == same_for_all(Mode("auto"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": Recipe(precision="fp32")}, "`modes` are of precision bf16, fp32, but .* fp32"),
        ({"evaluator": Arithmetic()}, "`modes` and `evaluator`"),
        ({"table": "nets.csv", "data": None}, "`modes` and `table`|`table` and `modes`"),
    ],
)
def test_modes_that_nothing_would_be_trained_in_are_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        asked(tmp_path, modes=MODES, **changes)


def test_a_search_that_trains_nothing_needs_no_modes(
    tmp_path: Path, machine: list[tuple[object, ...]]
) -> None:
    assert begun(arithmetic_search(tmp_path)).modes is None
    assert machine == []


def test_baselines_train_as_the_study_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    search = asked(tmp_path, modes=MODES)
    search.run()
    run: list[Search] = []
    monkeypatch.setattr(Search, "run", lambda search, _: run.append(search))
    run_baselines(search_of(search.folder.path), ("random",))
    assert [search.used_modes for search in run] == [MODES]
