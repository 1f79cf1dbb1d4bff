"""The cost of reading large studies and tables: CPU-seconds and peak memory, each in a new process.

    python -m benchmarks.large_studies --trials 10000 --rows 1000000

It makes a study that never ran, of random networks of the default space with plausible scores, and
a table of a space of its own; then it reads, shows, reports and compares them. CPU time includes
that of imports; the first line is what `import torch` alone takes.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from math import exp, log10
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import sqlalchemy
from optuna.distributions import distribution_to_json

from neptune_nas.architecture.codec import key, to_json
from neptune_nas.architecture.records import Architecture, Conv, Stage
from neptune_nas.errors import ArchitectureError
from neptune_nas.metrics.counted import CostModel
from neptune_nas.metrics.score import Score, score_to_json
from neptune_nas.samplers.sampler import distribution
from neptune_nas.space import Space, choice
from neptune_nas.space.locate import find_space
from neptune_nas.study.database_url import sqlite_url
from neptune_nas.study.folder import Folder, write_settings
from neptune_nas.study.settings import Facts, Question, Settings
from neptune_nas.study.store import create_store

_SHAPE, _CLASSES, _RUNGS = (1, 8, 8), 10, (1, 3, 9)
_KEEPS = 0.4  # share of trials that a rung promotes
_FAILS = 0.02
_Row = dict[str, object]

TABLE_SPACE: Space[Architecture] = Space(
    "wide",
    Architecture(
        stages=tuple(
            Stage(
                width=choice(*range(8, 88, 8)), substages=(Conv(kernel=choice(*range(1, 21, 2))),)
            )
            for _ in range(3)
        )
    ),
)
"""A space of a million networks."""

_READ = "from neptune_nas.study.read import read_study; study = read_study({0!r})"
_COMMANDS = {
    "import torch": "import torch",
    "import neptune_nas.study.read": "import torch, neptune_nas.study.read",
    "read": _READ,
    "status": "neptune-nas status {0}",
    "report --format html": "neptune-nas report {0}",
    "report --format md": "neptune-nas report {0} --format md",
    "report --format csv": "neptune-nas report {0} --format csv",
    "compare": "neptune-nas compare {0} {0}",
    "export": "neptune-nas export {0}",
    "plot pareto": "neptune-nas plot pareto {0} -o {0}/pareto.html",
}
_TABLE = (
    "from benchmarks.large_studies import TABLE_SPACE\n"
    "from neptune_nas.evaluators.tabular import Tabular\n"
    "Tabular.from_file({0!r}, TABLE_SPACE)"
)
_MEASURED = """
import json, resource, sys
{}
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]), file=sys.stderr)
"""
_CONSOLE = """
import sys
from neptune_nas.cli.app import app
sys.argv = {}
try:
    app()
except SystemExit as end:
    if end.code:
        raise
"""


def make_study(path: Path, trials: int, seed: int = 0) -> None:
    """Write a study of that many trials, with the rows that a search would have written."""
    space, rng = find_space("default"), Random(seed)
    question = Question(space="default", rungs=_RUNGS, seed=seed)
    facts = Facts(
        space_name=space.name,
        space_size=str(space.size),
        space_fingerprint=space.fingerprint,
        data_fingerprint="0123456789abcdef",
        input_shape=_SHAPE,
        classes=_CLASSES,
        images=(1149, 288, 360),
        guess={"accuracy": 0.1, "loss": 2.3},
        reference=(0.1, 5e6),
        device="cpu",
        hardware="a CPU",
        created="2026-01-01T00:00:00+00:00",
        versions={"neptune-nas": "0"},
        outline=space.outline,
    )
    path.mkdir(parents=True)
    folder = Folder(path)
    settings = Settings(path.name, trials, question, facts)
    write_settings(folder, settings)
    url = sqlite_url(folder.database)
    store = create_store(url, path.name, question.aims, settings.identity)
    _write_rows(url, store.study_id, space, trials, rng)


def _write_rows(
    url: str, study_id: int, space: Space[Architecture], trials: int, rng: Random
) -> None:
    engine, tables = sqlalchemy.create_engine(url), sqlalchemy.MetaData()
    tables.reflect(engine)
    model = CostModel(_SHAPE, _CLASSES)
    kinds = {
        each.path: (distribution(each), distribution_to_json(distribution(each)))
        for each in space.decisions
    }
    rows: dict[str, list[_Row]] = {
        "trials": [],
        "trial_params": [],
        "trial_user_attributes": [],
        "trial_values": [],
        "trial_intermediate_values": [],
    }
    for number in range(trials):
        id_ = number + 1
        architecture, costs = _draw(space, model, rng)
        state, scores = _scores(number, costs["flops"], rng)
        rows["trials"].append(
            {"trial_id": id_, "number": number, "study_id": study_id, "state": state}
        )
        attributes = {"key": key(architecture), "architecture": to_json(architecture), **costs}
        attributes["scores"] = [score_to_json(score) for score in scores]
        rows["trial_user_attributes"] += [
            {"trial_id": id_, "key": name, "value_json": json.dumps(value)}
            for name, value in attributes.items()
        ]
        rows["trial_params"] += [
            {
                "trial_id": id_,
                "param_name": name,
                "param_value": kinds[name][0].to_internal_repr(pick),
                "distribution_json": kinds[name][1],
            }
            for name, pick in space.picks(architecture).items()
        ]
        rows["trial_intermediate_values"] += [
            {
                "trial_id": id_,
                "step": score.fidelity,
                "intermediate_value": score.main,
                "intermediate_value_type": "FINITE",
            }
            for score in scores
            if score.ok and score.fidelity < _RUNGS[-1]
        ]
        if state == "COMPLETE":
            rows["trial_values"] += [
                {"trial_id": id_, "objective": i, "value": value, "value_type": "FINITE"}
                for i, value in enumerate((scores[-1].main, costs["flops"]))
            ]
    with engine.begin() as connection:
        for name, content in rows.items():
            connection.execute(tables.tables[name].insert(), content)
    engine.dispose()


def _draw(
    space: Space[Architecture], model: CostModel, rng: Random
) -> tuple[Architecture, dict[str, float]]:
    """Return an architecture that the images fit, and its costs."""
    while True:
        architecture = space.sample(rng)
        try:
            return architecture, dict(model.cost(architecture).values)
        except ArchitectureError:
            continue


def _scores(number: int, flops: float, rng: Random) -> tuple[str, list[Score]]:
    """Return Optuna's name of a trial's state, and its scores at each rung that it reached."""
    if rng.random() < _FAILS:
        return "FAIL", [
            Score(1, seed=number, seconds=1.0, started=1.767e9, failure="out of memory")
        ]
    top = 0.99 - 0.35 * exp(-1.6 * max(log10(flops) - 4.6, 0)) - abs(rng.gauss(0, 0.02))
    reached = 1 + (rng.random() < _KEEPS) + (rng.random() < _KEEPS)
    scores = [
        Score(
            rung,
            {"accuracy": top * (1 - 0.25 * exp(-rung / 3)), "loss": 1.2 * (1 - top) + 0.3 / rung},
            seed=number,
            seconds=0.3 + 0.25 * rung + 0.2 * rng.random(),
            images_per_second=1000 * rng.random(),
            peak_memory=200_000_000 + number,
            started=1.767e9 + 1.1 * number + 1.4 * i,
            worker=number % 8,
        )
        for i, rung in enumerate(_RUNGS[:reached])
    ]
    return ("COMPLETE" if reached == len(_RUNGS) else "PRUNED"), scores


def make_table(path: Path, rows: int, seed: int = 0) -> None:
    """Write a table of that many networks, with a column for each decision."""
    rng, decisions = Random(seed), TABLE_SPACE.decisions
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(d.path for d in decisions), "accuracy", "seed", "flops", "params"])
        networks = product(*(d.options for d in decisions))
        for _, picks in zip(range(rows), networks, strict=False):
            writer.writerow(
                [
                    *picks,
                    round(rng.random(), 4),
                    0,
                    2 * rng.randrange(1000, 10**7),
                    rng.randrange(10**6),
                ]
            )


def _measure(code: str) -> tuple[float, float]:
    """Return the CPU-seconds and the peak MB of a new process."""
    limits = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED.format(code)],
        env={**os.environ, **limits},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    seconds, megabytes = json.loads(done.stderr.splitlines()[-1])
    return seconds, megabytes


def _code(command: str, path: Path) -> str:
    text = command.format(str(path))
    return _CONSOLE.format(text.split()) if text.startswith("neptune-nas") else text


def _tasks(folder: Path, trials: int, rows: int) -> Iterator[tuple[str, str]]:
    if trials:
        study = folder / f"study-{trials}"
        if not study.exists():
            make_study(study, trials)
        yield from ((name, _code(command, study)) for name, command in _COMMANDS.items())
    if rows:
        table = folder / f"table-{rows}.csv"
        if not table.exists():
            make_table(table, rows)
        yield f"table of {rows:,} rows", _TABLE.format(str(table))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="keep what is made here, for the next time")
    parser.add_argument("--only", help="measure only what has this in its name")
    options = parser.parse_args()
    with TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        for name, code in _tasks(folder, options.trials, options.rows):
            if not options.only or options.only in name:
                seconds, megabytes = _measure(code)
                print(f"{name:32} {seconds:8.1f} s CPU {megabytes:8.0f} MB", flush=True)
        report = folder / f"study-{options.trials}" / "report.html"
        if report.exists():
            print(f"{'size of report.html':32} {report.stat().st_size / 1e6:8.1f} MB")


if __name__ == "__main__":
    main()
