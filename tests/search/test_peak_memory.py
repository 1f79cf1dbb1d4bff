"""A counted metric of whole networks from the question to the report."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from neptune_nas.errors import OptionError
from neptune_nas.metrics.peak_memory import peak_memory
from neptune_nas.nn.builder import build
from neptune_nas.study.read import read_study
from tests.cli.run import neptune
from tests.report.reading import packed_json
from tests.study.builders import FEW
from tests.study.fakes import CLASSES, SHAPE, arithmetic_search


def test_it_is_searched_for_constrained_and_shown(tmp_path: Path) -> None:
    search = arithmetic_search(
        tmp_path,
        trials=6,
        space=FEW,
        objectives=("accuracy", "peak_memory"),
        constraints=("peak_memory<=24KiB",),
        name="small",
    )
    search.run()
    folder = search.folder.path
    study = read_study(folder)
    peaks = [peak_memory(build(t.architecture, SHAPE, CLASSES), SHAPE) for t in study.trials]
    assert [trial.values["peak_memory"] for trial in study.trials] == peaks
    assert 0 < max(peaks) <= 24 * 1024
    assert 0 < len(peaks) < FEW.size
    chance = study.settings.facts.guess["accuracy"]  # the majority's share of validation
    assert [*study.settings.facts.reference] == [chance, 24 * 1024]
    assert chance == pytest.approx(37 / 360)

    rows = list(csv.DictReader((folder / "trials.csv").read_text().splitlines()))
    assert [row["peak_memory"] for row in rows] == [str(peak) for peak in peaks]
    assert "| accuracy | peak memory | FLOPs |" in neptune("report", folder, "--format", "md").out
    assert " peak memory " in neptune("status", folder).out
    order = ("--rank-by", "peak_memory", "--min-accuracy", 0, "--format", "csv")
    by = neptune("report", folder, *order)
    assert next(csv.DictReader(by.out.splitlines()))["value"] == f"{min(peaks)}.0"
    page = packed_json((folder / "report.html").read_text())
    assert page["columns"]["peak_memory"] == peaks
    assert page["unit"] == "MB"
    with pytest.raises(OptionError, match="meets peak_memory <= 1 bytes, so at most"):
        replace(search, constraints=("peak_memory<=1",), name="none").run()
