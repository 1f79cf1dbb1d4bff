"""Random changes of a study's database, as a failing disk, a stranger or a hand makes them."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

_VALUES: tuple[object, ...] = (
    *(None, "", "x", "null", "[]", "{}", "NaN", "-1", b"\xff\xfe", b""),
    *(0, -1, 5, 2**62, 0.5, -0.5, 1e308, -1e308, float("inf"), "9" * 5000),
)
_LEAVES: tuple[object, ...] = (
    *(None, "", "x", True, -1, 5, 1.5, -3.0, 2**63, 10**400, 1e308, float("nan"), float("inf")),
    *([], {}, [1], {"a": 1}, "\ud800", "a\nb", "<script>"),
)


def mutate_database(path: Path, rng: Random) -> str:
    """Change the SQLite file at `path` in one random way, and return which."""
    change = rng.choice(_CHANGES)
    try:
        return f"{change.__name__}: {change(path, rng)}"
    except sqlite3.Error as error:  # it breaks a rule of a table, so it cannot have happened
        return f"{change.__name__}: nothing ({error})"


def flip_bytes(path: Path, rng: Random) -> str:
    """Set a few bytes at random, mostly within one page."""
    content = bytearray(path.read_bytes())
    start = rng.choice([0, rng.randrange(len(content))])
    places = [min(start + rng.randrange(4096), len(content) - 1) for _ in range(rng.choice([1, 8]))]
    for place in places:
        content[place] = rng.randrange(256)
    path.write_bytes(content)
    return str(places)


def truncate(path: Path, rng: Random) -> str:
    """Cut the file anywhere."""
    size = rng.choice([0, 1, 50, 100, 4096, rng.randrange(path.stat().st_size)])
    path.write_bytes(path.read_bytes()[:size])
    return str(size)


def blank_page(path: Path, rng: Random) -> str:
    """Fill one page with zeros, or with another page."""
    content = bytearray(path.read_bytes())
    page, other = (4096 * rng.randrange(len(content) // 4096) for _ in range(2))
    filling = rng.choice([bytes(4096), bytes(content[other : other + 4096])])
    content[page : page + 4096] = filling
    path.write_bytes(content)
    return str(page)


def set_value(path: Path, rng: Random) -> str:
    """Set one column of one row, or of all, to a value that may not belong there."""
    with closing(sqlite3.connect(path)) as connection:
        table = rng.choice(_tables(connection))
        column = rng.choice([row[1] for row in connection.execute(f"PRAGMA table_info({table})")])
        value, where = rng.choice(_VALUES), _row(connection, table, rng)
        connection.execute(f"UPDATE {table} SET {column} = ? {where}", (value,))
        connection.commit()
    return f"{table}.{column} = {value!r:.40} {where}"


def delete_rows(path: Path, rng: Random) -> str:
    """Delete one row of a table, or all."""
    with closing(sqlite3.connect(path)) as connection:
        table = rng.choice(_tables(connection))
        where = _row(connection, table, rng)
        connection.execute(f"DELETE FROM {table} {where}")
        connection.commit()
    return f"{table} {where}"


def change_table(path: Path, rng: Random) -> str:
    """Drop a table or a column, rename it, or put an endless view in its place."""
    with closing(sqlite3.connect(path)) as connection:
        table = rng.choice(_tables(connection))
        column = rng.choice([row[1] for row in connection.execute(f"PRAGMA table_info({table})")])
        statements = rng.choice(
            [
                [f"DROP TABLE {table}"],
                [f"ALTER TABLE {table} RENAME TO other"],
                [f"ALTER TABLE {table} RENAME COLUMN {column} TO other"],
                [f"ALTER TABLE {table} ADD COLUMN other TEXT"],
                [
                    f"ALTER TABLE {table} RENAME TO other",
                    f"CREATE VIEW {table} AS WITH RECURSIVE more AS "
                    f"(SELECT * FROM other UNION ALL SELECT * FROM more) SELECT * FROM more",
                ],
            ]
        )
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return statements[-1]


def change_json(path: Path, rng: Random) -> str:
    """Change, remove or add one value anywhere in the JSON of an attribute or a distribution."""
    table, column = rng.choice(
        [
            *[("trial_user_attributes", "value_json")] * 5,
            ("study_user_attributes", "value_json"),
            ("trial_params", "distribution_json"),
            ("trial_system_attributes", "value_json"),
        ]
    )
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute(f"SELECT rowid, {column} FROM {table}").fetchall()
        if not found:
            return "nothing"
        row, text = rng.choice(found)
        holder = [json.loads(text)]
        what = _change_leaf(holder, rng)
        changed = rng.choice([json.dumps(holder[0])] * 9 + [text[: rng.randrange(len(text))]])
        changed = rng.choice([changed] * 30 + ["[" * 100_000])
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (changed, row))
        connection.commit()
    return f"{table} {row}: {what}"


def change_score(path: Path, rng: Random) -> str:
    """Set a field of one score to a value of the right type that it cannot have."""
    where = "SELECT rowid, value_json FROM trial_user_attributes WHERE key = 'scores'"
    with closing(sqlite3.connect(path)) as connection:
        row, text = rng.choice(connection.execute(where).fetchall())
        scores: list[dict[str, Any]] = json.loads(text)
        if not scores:
            return "nothing"
        score = rng.choice(scores)
        name = rng.choice([*score, *score["values"], *score["values"]])
        holder = score["values"] if name in score["values"] else score
        holder[name] = rng.choice([5, -1, -0.001, 1.001, 1e308, 10**30, None, "0.5"])
        update = "UPDATE trial_user_attributes SET value_json = ? WHERE rowid = ?"
        connection.execute(update, (json.dumps(scores), row))
        connection.commit()
    return f"{name} = {holder[name]!r} in row {row}"


def _change_leaf(holder: Any, rng: Random) -> str:
    """Change one value below a list or an object of one item, and return what was done."""
    path = []
    while True:
        keys = [*holder] if isinstance(holder, dict) else [*range(len(holder))]
        key = rng.choice(keys)
        path.append(key)
        inner = holder[key]
        if not isinstance(inner, dict | list) or not inner or rng.random() < 0.2:
            break
        holder = inner
    action = rng.choice(["set", "set", "set", "remove", "add"]) if len(path) > 1 else "set"
    if action == "remove":
        del holder[key]
    elif action == "add" and isinstance(holder, dict):
        holder["other"] = rng.choice(_LEAVES)
    else:
        holder[key] = rng.choice(_LEAVES)
    return f"{action} {path[1:]}"


def _tables(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return [name for (name,) in found]


def _row(connection: sqlite3.Connection, table: str, rng: Random) -> str:
    """Return the condition for one row of a table, or none for all of them."""
    rows = [row for (row,) in connection.execute(f"SELECT rowid FROM {table}")]
    return f"WHERE rowid = {rng.choice(rows)}" if rows and rng.random() < 0.9 else ""


_CHANGES: tuple[Callable[[Path, Random], str], ...] = (
    *(flip_bytes, flip_bytes, truncate, blank_page, set_value, set_value, delete_rows),
    *(change_table, change_json, change_json, change_score, change_score),
)
