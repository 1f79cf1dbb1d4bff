"""Searches on a table for what has to be found in it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from neptune_nas.errors import OptionError
from neptune_nas.search.config import Search
from neptune_nas.space import Space, choice


@dataclass(frozen=True, slots=True)
class Recorded:
    """A network of someone else's table, which nothing here can build."""

    depth: int = choice(1, 2, 3)


def test_a_search_by_the_tables_latencies_needs_no_network(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("code,accuracy,latency\n0,0.5,8000\n1,0.6,20\n2,0.7,30\n")
    space: Space[Any] = Space("theirs", Recorded())
    asked = Search(
        space=space,
        table=table,
        objectives=("accuracy", "latency"),
        trials=3,
        jobs=1,
        out=tmp_path,
        name="study",
    )
    study = asked.run()
    assert [trial.values["latency"] for trial in study.pareto()] == [20, 30]
    assert study.settings.facts.reference == (0.1, 8000.0)
    assert study.hypervolume() > 0
    limited = replace(asked, constraints=("latency<=25",), name="limited").run()
    assert [trial.values["latency"] for trial in limited.trials] == [20]


def test_a_search_for_loss_needs_a_table_that_says_it(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("code,accuracy,flops\n0,0.5,1\n1,0.6,2\n2,0.7,3\n")
    space: Space[Any] = Space("theirs", Recorded())
    asked = Search(space=space, table=table, objectives=("loss", "flops"), out=tmp_path, name="no")
    with pytest.raises(OptionError, match=r"table.csv does not give the loss of every network"):
        asked.run()
    assert not (tmp_path / "no").exists()


def test_more_repeats_than_a_table_has_runs_of_every_network_are_refused(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    runs = ("0,0,0.50", "0,1,0.51", "1,0,0.60", "1,1,0.61", "2,0,0.70", "2,1,0.72", "2,2,0.73")
    table.write_text("\n".join(("code,seed,accuracy,flops", *(f"{run},9" for run in runs))))
    space: Space[Any] = Space("theirs", Recorded())
    asked = Search(space=space, table=table, trials=3, repeats=3, jobs=1, out=tmp_path, name="two")
    with pytest.raises(
        OptionError, match=r"`repeats` \(--repeat-seeds\) must be at most 2, the runs"
    ):
        asked.run()
    assert not (tmp_path / "two").exists()
    study = replace(asked, repeats=2).run()
    assert [len({s.main for s in trial.scores}) for trial in study.trials] == [2, 2, 2]


def test_a_table_of_networks_that_cannot_be_built_is_searched_and_reported(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("code,accuracy,flops,params\n0,0.5,10,1\n1,0.6,20,2\n2,0.7,30,3\n")
    space: Space[Any] = Space("theirs", Recorded())
    study = Search(space=space, table=table, trials=3, jobs=1, out=tmp_path, name="study").run()
    assert [trial.score.main for trial in study.pareto() if trial.score] == [0.5, 0.6, 0.7]
    assert "Recorded(depth=3)" in (tmp_path / "study" / "trials.csv").read_text()
    page = (tmp_path / "study" / "report.html").read_text()
    assert "only an `Architecture` can be built" in page
