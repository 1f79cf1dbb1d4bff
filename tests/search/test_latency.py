"""A search under a latency that is predicted from few measured networks."""

from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from neptune_nas.architecture.records import Architecture, Conv, Head, Stage, Stem
from neptune_nas.deploy.latency_table import (
    Measured,
    measured,
    read_latencies,
    write_latencies,
)
from neptune_nas.errors import FileFormatError, OptionError, StudyError
from neptune_nas.search.announcer import Announcer
from neptune_nas.search.assembly import Assembly
from neptune_nas.search.config import Search
from neptune_nas.search.resume import search_of, study_of
from neptune_nas.space import Space, choice, find_space
from neptune_nas.study.study import Study
from neptune_nas.study.trial import State
from neptune_nas.trust.baselines import run_baselines
from neptune_nas.trust.evidence import Evidence, add_evidence
from tests.study.fakes import Arithmetic

SPACE = Space(
    name="plain",
    template=Architecture(
        stem=Stem(choice(4, 8)),
        stages=(Stage(choice(*range(4, 20, 2)), Conv(3), 1, "max", "batch", substages=(Conv(3),)),),
        head=Head(0),
    ),
)
EVIDENCE = Evidence(yardstick=False, confirm=0)


def ms_of(one: Architecture) -> float:
    """Return a latency that a network might have."""
    return 0.1 + one.stem.width * one.stages[0].width / 100


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file of measurements of the whole space."""
    write_latencies(tmp_path / "a.csv", [measured(each, ms_of(each), 0.0) for each in SPACE])
    return tmp_path / "a.csv"


def asked(tmp_path: Path, **more: object) -> Search:
    search = Search(space=SPACE, trials=4, evaluator=Arithmetic(), jobs=1, out=tmp_path / "out")
    return replace(search, objectives=("accuracy", "latency"), **more)  # type: ignore[arg-type]  # by name


def test_candidates_keep_a_limit_by_prediction(tmp_path: Path, file: Path) -> None:
    search = asked(tmp_path, constraints=("latency<=0.8ms",), latency_csv=file)
    said: list[str] = []
    study = search.run(say=said.append)
    assert all(trial.values["latency"] <= 0.8 for trial in study.trials)
    assert any("latency is predicted from 16 measured networks" in each for each in said)
    assert study.settings.facts.timed == {"latency": "from a file of measurements"}
    again = replace(search_of(study.folder, space=SPACE, evaluator=Arithmetic()), trials=5)
    assert len(again.run().trials) == 5  # from the study's own copy
    assert run_baselines(again, ("random",)).baselines["random"]


def test_networks_without_a_prediction_are_left_out_and_said(tmp_path: Path) -> None:
    stage = Stage(choice(*range(4, 28, 2)), Conv(choice(1, 5)), 1, "max", "batch")
    space = Space(name="two", template=Architecture(Stem(8), (stage,), Head(0)))
    rows = [measured(each, 1.0, 0.0) for each in space if each.stages[0].entry == Conv(1)]
    write_latencies(tmp_path / "a.csv", rows)
    said: list[str] = []
    study = asked(tmp_path, space=space, latency_csv=tmp_path / "a.csv").run(say=said.append)
    assert {trial.architecture.stages[0].entry for trial in study.trials} == {Conv(1)}
    assert any("are left out, as where stages.0.entry has an operation" in each for each in said)


def broken(study: Study, trial: int) -> list[Measured]:
    """Return the rows of a study in which one trial was measured above the limit."""
    architecture = next(t.architecture for t in study.trials if t.number == trial)
    rows = read_latencies(study.folder / "latencies.csv")
    return [*rows, measured(architecture, 0.9, 0.0, "pick")]


def test_a_trial_that_breaks_its_limit_when_measured_is_recommended_no_more(
    tmp_path: Path, file: Path
) -> None:
    search = asked(tmp_path, constraints=("latency<=0.8ms",), latency_csv=file)
    study = search.run()
    best = study.best("accuracy")
    write_latencies(study.folder / "latencies.csv", broken(study, best.number))
    study = study_of(search)
    found = study.trials[best.number]
    assert (found.state, found.values["latency"]) == (State.FAILED, 0.9)
    assert found.predicted == {"latency": best.values["latency"]}
    assert found.failure == "its latency, measured as 0.9 ms, breaks latency <= 0.8 ms"
    assert best.number not in {trial.number for trial in (*study.ranked, *study.pareto())}
    assert "predicted_latency_ms" in study.to_dataframe()


def test_networks_are_measured_before_a_search_and_its_picks_after_it(tmp_path: Path) -> None:
    search = asked(tmp_path, latency_on="litert")
    said: list[str] = []
    study = add_evidence(search, search.run(say=said.append), EVIDENCE, say=said.append)
    assert said[0].startswith("Measuring up to 50 networks with litert on this machine")
    rows = read_latencies(study.folder / "latencies.csv")
    assert sum(row.use == "fit" for row in rows) == len([*SPACE])
    picks = {study.best(which).number for which in ("accuracy", "latency")}
    assert {t.number for t in study.trials if t.predicted} >= {
        *picks,
        *(t.number for t in study.pareto()),
    }
    assert add_evidence(search, study, EVIDENCE).trials == study.trials  # none is measured again


def test_networks_that_a_runtime_cannot_run_are_left_out(tmp_path: Path) -> None:
    def with_norm(norm: object) -> Space[Architecture]:
        stage = Stage(choice(*range(4, 28, 2)), Conv(3), 1, "max", norm)  # type: ignore[arg-type]
        return Space(name="two", template=Architecture(Stem(4), (stage,), Head(0)))

    search = asked(tmp_path, space=with_norm(choice("batch", "lrn")), latency_on="litert")
    study = search.run()
    assert {trial.architecture.stages[0].norm for trial in study.trials} == {"batch"}


def test_other_measurements_than_a_study_began_with_are_refused(tmp_path: Path, file: Path) -> None:
    search = asked(tmp_path, latency_csv=file)
    study = search.run()
    assert len(replace(search, trials=5).run().trials) == 5
    write_latencies(file, [measured(each, 1.0, 0.0) for each in SPACE])
    with pytest.raises(StudyError, match=f"study {study.folder} predicts latency from other meas"):
        replace(search, trials=6).run()


def test_networks_beyond_the_limits_are_measured_where_few_meet_them(tmp_path: Path) -> None:
    search = asked(tmp_path, latency_on="litert", constraints=("params<=600",))
    study = search.run()
    rows = read_latencies(study.folder / "latencies.csv")
    assert len(rows) == len([*SPACE])
    assert all(trial.values["params"] <= 600 for trial in study.trials)


def test_a_network_that_is_not_in_the_space_is_refused(tmp_path: Path) -> None:
    other = find_space("cifar10")[0]
    write_latencies(tmp_path / "a.csv", [measured(other, 1.0, 0.0)])
    message = r"a\.csv: row 1: network \w{16} is not in space 'plain': leave the row out"
    with pytest.raises(FileFormatError, match=message):
        asked(tmp_path, latency_csv=tmp_path / "a.csv").run()


def test_a_place_without_a_latency_to_measure_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"`latency_on` .* has none among its objectives"):
        replace(asked(tmp_path), objectives=("accuracy",), latency_on="litert")


def test_each_network_is_measured_once_although_the_search_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    search = asked(tmp_path, latency_on="litert")

    def stop_at_the_third(sentence: str) -> None:
        if "3 of 16" in sentence:
            raise KeyboardInterrupt

    hours = count(step=3600)  # after each network, something is said
    stopped = Assembly(search, announcer=Announcer(stop_at_the_third, lambda: float(next(hours))))
    assert stopped.latencies is not None
    with pytest.raises(KeyboardInterrupt):
        _ = stopped.latencies.measured
    (draft,) = (tmp_path / "cache").rglob("*.csv")
    rows = read_latencies(draft)
    assert len(rows) == 3
    said: list[str] = []
    study = replace(search).run(say=said.append)
    assert {*rows} <= {*read_latencies(study.folder / "latencies.csv")}
    assert any(each.startswith("3 of 16 networks were measured before") for each in said)
    assert not draft.exists()
