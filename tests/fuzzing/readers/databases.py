"""The database of a study: rows of each of Optuna's tables, and the bytes of its file."""

import json
import sqlite3
from collections.abc import Sequence
from math import inf
from pathlib import Path
from random import Random
from shutil import copytree
from typing import Any

from neptune_nas.architecture.codec import key
from neptune_nas.metrics.registry import BY_NAME, COSTS
from neptune_nas.study.read import read_study
from neptune_nas.study.study import Study
from tests.fuzzing import mutations, valid
from tests.fuzzing.oracle import Case, Fault, Kind, command
from tests.fuzzing.runner import MakeCase
from tests.study.mutations import mutate_database


def open_reader(folder: Path) -> MakeCase:
    """Return what makes cases of a study whose database was changed."""
    study = valid.study(folder, valid.tensors(folder)).folder
    command("status", study)

    def make(rng: Random, given: Path) -> Case:
        copy = given / "study"
        copytree(study, copy)
        label = rng.choice((change_database, mutate_database))(copy / "study.db", rng)
        chosen = rng.choice((*("read",) * 5, "status", "report", "export", "compare", "search"))
        commands: dict[str, tuple[object, ...]] = {
            "status": ("status", copy),
            "report": ("report", copy, "--format", "md"),
            "export": ("export", copy),
            "compare": ("compare", copy, study),
            "search": ("search", "--config", copy / "study.toml", "--out", given, "--dry-run"),
        }

        def read() -> None:
            if chosen in commands:
                with valid.without_training():
                    command(*commands[chosen])
            found = read_study(copy)
            require_sound(found)
            _require_all(found, copy / "study.db")

        return Case(f"{label} ({chosen})", read, writes=True)

    return make


def change_database(file: Path, rng: Random) -> str:
    """Change rows, tables, bytes or the whole of an SQLite file, and return how."""
    how = rng.random()
    if how < 0.08:
        return mutations.change_file(file, rng)
    if how < 0.3:
        data, label = mutations.change_bytes(file.read_bytes(), rng)
        file.write_bytes(data)
        return label
    with sqlite3.connect(file) as opened:
        opened.execute("PRAGMA writable_schema = 1")
        opened.text_factory = bytes
        done = []
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            try:
                change = _change_table if rng.random() < 0.1 else _change_row
                done.append(change(opened, rng))
            except (sqlite3.Error, OverflowError) as error:
                done.append(f"nothing ({error})")
    opened.close()
    return "; ".join(done)


def _tables(opened: sqlite3.Connection) -> list[str]:
    found = opened.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return [name.decode() for (name,) in found]


def _change_table(opened: sqlite3.Connection, rng: Random) -> str:
    """Change what tables there are."""
    table = rng.choice(_tables(opened))
    names = [row[1].decode() for row in opened.execute(f'PRAGMA table_info("{table}")')]
    name = rng.choice(names)
    statement = rng.choice(
        (
            f'DROP TABLE "{table}"',
            f'DELETE FROM "{table}"',
            f'ALTER TABLE "{table}" RENAME TO "{table}_old"',
            f'ALTER TABLE "{table}" RENAME COLUMN "{name}" TO "{name}_old"',
            f'ALTER TABLE "{table}" ADD COLUMN more INTEGER',
            f'CREATE TABLE "more" AS SELECT * FROM "{table}"',
        )
    )
    opened.execute(statement)
    return statement


def _change_row(opened: sqlite3.Connection, rng: Random) -> str:
    """Change one cell, or drop or repeat one row."""
    full = [t for t in _tables(opened) if opened.execute(f'SELECT 1 FROM "{t}"').fetchone()]
    ours = {"trial_user_attributes", "trials", "trial_params"} & {*full}
    table = rng.choice((*full, *sorted(ours)))
    rows = opened.execute(f'SELECT rowid, * FROM "{table}"')
    names = [each[0] for each in rows.description]
    row = rng.choice(rows.fetchall())
    kind = rng.random()
    if kind < 0.12:
        opened.execute(f'DELETE FROM "{table}" WHERE rowid = ?', (row[0],))
        return f"delete a row of {table}"
    place = rng.randrange(1, len(names))
    if kind < 0.18:
        cells = [*row[1:]]
        cells[0] = rng.choice((None, 99))
        marks = ", ".join("?" * len(cells))
        opened.execute(f'INSERT INTO "{table}" VALUES ({marks})', cells)
        return f"a row of {table} twice"
    cell = _changed_cell(row[place], rng)
    opened.execute(f'UPDATE "{table}" SET "{names[place]}" = ? WHERE rowid = ?', (cell, row[0]))
    which = dict(zip(names, row, strict=True)).get("key", "")
    return f"{table}.{names[place]} {which} = {cell!r:.80}"


def _changed_cell(old: Any, rng: Random) -> Any:
    text = old.decode("utf-8", "replace") if isinstance(old, bytes) else ""
    try:
        content = json.loads(text) if rng.random() < 0.75 else None
    except ValueError:
        content = None
    if isinstance(content, dict | list):
        mutations.change_document(content, rng)
        return mutations.to_json(content).decode()
    if content is not None or (isinstance(old, bytes) and rng.random() < 0.3):
        return mutations.to_json(mutations.value(rng)).decode()
    chosen = mutations.value(rng)
    if isinstance(chosen, str):
        return chosen.encode("utf-8", "replace").decode()
    if isinstance(chosen, int) and abs(chosen) >= 2**63:
        return float(chosen)
    if chosen is None or isinstance(chosen, int | float):
        return chosen
    return rng.choice(
        (b"\x80\xff", b"", "RUNNING", "COMPLETE", "FAIL", "WAITING", "2026-01-01", "x")
    )


def require_sound(study: Study) -> None:
    """Raise `Fault` for a trial, or a total, that no search writes."""
    numbers: Sequence[int] = [trial.number for trial in study.trials]
    if len({*numbers}) < len(numbers):
        raise Fault(Kind.SILENT, "two trials have one number")
    for trial in study.trials:
        where = f"trial {trial.number}"
        if key(trial.architecture) != trial.key:
            raise Fault(
                Kind.SILENT,
                "an impossible trial",
                f"{where}: its key is not that of its architecture",
            )
        for name, value in trial.values.items():
            if type(value) not in (int, float) or not value >= 0 or value == inf:
                raise Fault(
                    Kind.SILENT, "an impossible trial", f"{where}: {name} of {value!r} was taken"
                )
        for score in trial.scores:
            for name, value in score.values.items():
                metric = BY_NAME.get(name)
                # A loss that diverged is infinite, and null in JSON.
                if metric and score.ok and not (metric.admits(value) or value == metric.worst):
                    raise Fault(
                        Kind.SILENT,
                        "an impossible trial",
                        f"{where}: {name} of {value!r} was taken",
                    )
            if score.ok and not score.values and score.proxy is None:
                raise Fault(
                    Kind.SILENT, "an impossible trial", f"{where}: a score without values was taken"
                )
            if not 0 <= score.seconds < inf or score.fidelity < 0:
                raise Fault(Kind.SILENT, "an impossible trial", f"{where}: {score}")
        if {n for n in trial.values if n not in {cost.name for cost in COSTS}}:
            raise Fault(
                Kind.SILENT, "an impossible trial", f"{where}: a value that is no cost was taken"
            )


def _require_all(study: Study, file: Path) -> None:
    """Raise `Fault` where a trial that has ended is left out."""
    with sqlite3.connect(file) as opened:
        found = opened.execute(
            "SELECT number FROM trials WHERE study_id = 1 AND state != 'RUNNING'"
        )
        numbers = {number for (number,) in found}
    opened.close()
    if missing := numbers - {trial.number for trial in study.trials}:
        raise Fault(Kind.SILENT, "a trial is left out", f"trials {missing}")
