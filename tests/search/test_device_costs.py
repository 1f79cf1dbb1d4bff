"""RAM and flash from the question to the report."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest

from neptune_nas.architecture.records import Architecture, Conv, Head, Stage, Stem
from neptune_nas.errors import OptionError
from neptune_nas.metrics.counted import CostModel
from neptune_nas.space import Space, choice
from neptune_nas.study.read import read_study
from tests.cli.run import neptune
from tests.study.fakes import CLASSES, SHAPE, arithmetic_search

SPACE = Space(
    "mixed",
    Architecture(
        Stem(choice(4, 8, 12)),
        (Stage(choice(4, 8), Conv(3), norm=choice("batch", "none", "lrn")),),
        Head(choice(0, 8)),
    ),
)


def test_networks_within_a_devices_memories_are_found_and_shown(tmp_path: Path) -> None:
    search = arithmetic_search(
        tmp_path,
        trials=6,
        space=SPACE,
        objectives=("accuracy", "ram", "flash"),
        constraints=("ram<=3.5KiB", "flash<5KiB"),
        name="small",
    )
    search.run()
    folder = search.folder.path
    trials, model = read_study(folder).trials, CostModel(SHAPE, CLASSES)
    assert len(trials) == 6
    for trial in trials:
        stage = trial.architecture.stages[0]
        assert stage.norm != "lrn"  # which has no int8 kernel
        for name, most in (("ram", 3584), ("flash", 5119)):
            assert trial.values[name] == model.value(name, trial.architecture) <= most
    rows = list(csv.DictReader((folder / "trials.csv").read_text().splitlines()))
    assert [row["ram"] for row in rows] == [f"{trial.values['ram']:.0f}" for trial in trials]
    shown = neptune("report", folder, "--format", "md").out
    assert "| accuracy | RAM | flash |" in shown
    assert re.search(r"\| \d\.\d+ KiB \| \d\.\d+ KiB \|", shown)
    least = min(model.value("ram", each) for each in SPACE if each.stages[0].norm != "lrn")
    message = f"the smallest seen .*: ram {re.escape(f'{least / 1024:.4g} KiB')}; loosen"
    with pytest.raises(OptionError, match=message):
        replace(search, constraints=("ram<=1KiB",), name="none").run()
