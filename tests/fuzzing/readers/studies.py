"""The folder of a study from elsewhere: `study.toml`, and the JSON files beside it.

Recipes and the folder of a training are read here too, as they have the same forms.
"""

import json
import sqlite3
import tomllib
from pathlib import Path
from random import Random
from shutil import copytree
from typing import Any

from neptune_nas.files.schema import encode
from neptune_nas.retrain.metrics import dumps as dump_metrics
from neptune_nas.retrain.metrics import load_metrics
from neptune_nas.retrain.run import Training
from neptune_nas.study.audit import write_audit
from neptune_nas.study.folder import Folder, read_settings, write_settings
from neptune_nas.study.read import read_study
from neptune_nas.training.recipe_file import read_recipe
from tests.fuzzing import mutations, valid
from tests.fuzzing.oracle import Case, Fault, Kind, command, json_in, require_kept
from tests.fuzzing.runner import MakeCase

JSONS = ("audit.json", "references.json", "confirmations.json")
VALUES = (
    *("accuracy<=0.5", "flops<=1M", "flops<=nan", "none", [0, 1, 3], [3, 1], "short training"),
    *("accuracy", "loss", "table:x", "a.b:C", "tpe"),
)
READING = (*("read",) * 5, "status", "status", "report", "md", "compare", "export", "plot")
SEARCHING = ("train", "audit", "config")
CODE = """from pathlib import Path
Path({mark!r}).write_text("this code ran")
from neptune_nas import Architecture, Space, choice
SPACE = Space("tiny", Architecture())
"""


def open_reader(folder: Path) -> MakeCase:
    """Return what makes cases of a study, a recipe and a training."""
    data = valid.tensors(folder)
    study = valid.study(folder, data).folder
    best = valid.exported(folder)
    trained = folder / "trained"
    Training(valid.architecture(), data=data, epochs=1, seeds=1, out=trained, device="cpu").run()
    for name in ("status", "report"):
        command(name, study)

    def make(rng: Random, given: Path) -> Case:
        kind = rng.random()
        if kind < 0.12:
            return _recipe(rng, given, trained / "train.toml")
        if kind < 0.25:
            return _training(rng, given, trained, data, best)
        return _study(rng, given, study)

    return make


def _change(file: Path, rng: Random, values: tuple[Any, ...] = ()) -> str:
    """Change one file of TOML, JSON or CSV in place, and return how."""
    how = rng.random()
    if how > 0.92:
        return mutations.change_file(file, rng)
    data = file.read_bytes()
    if how > 0.8 or file.suffix not in (".toml", ".json"):
        data, label = mutations.change_bytes(data, rng)
    elif file.suffix == ".toml":
        content = tomllib.loads(data.decode())
        label = mutations.change_document(content, rng, values)
        data = mutations.to_toml(content)
    else:
        content = json.loads(data)
        label = mutations.change_document(content, rng, values)
        data = mutations.to_json(content)
    file.write_bytes(data)
    return f"{file.name}: {label}"


def _study(rng: Random, given: Path, original: Path) -> Case:
    """Return a case of a changed study."""
    study = given / "study"
    copytree(original, study)
    outside = given.parent / "outside"
    code, database = study / "code.py", f"sqlite:///{outside}/other.db"
    code.write_text(CODE.format(mark=str(outside / "mark")))
    with sqlite3.connect(outside / "other.db") as opened:
        opened.execute("CREATE TABLE others (name)")
    opened.close()
    values = (
        *(*VALUES, str(code), f"{code}:SPACE", str(outside / "victim"), "x://y"),
        *(database, database.replace("other", "more"), "sqlite://"),
        *(each.replace("sqlite", "sqlite+pysqlite") for each in (database, f"{database}2")),
        *("sqlite:///:memory:", "postgresql://ada@srv:PW@127.0.0.1:9/x"),
    )
    name = rng.choice((*("study.toml",) * 3, *JSONS, "links", "space", "space"))
    if name == "links":
        label = _plant_links(study, outside, rng)
    elif name == "space":
        content = tomllib.loads((study / "study.toml").read_text())
        field = rng.choice(("space", "storage", "evaluator", "sampler"))
        holder = content if field == "storage" else content["question"]
        holder[field] = value = rng.choice(values)
        (study / "study.toml").write_bytes(mutations.to_toml(content))
        label = f"study.toml: {field} = {value}"
    else:
        label = _change(study / name, rng, values)
    chosen = rng.choice((*READING, *SEARCHING))
    out = given / "out"
    commands: dict[str, tuple[object, ...]] = {
        "status": ("status", study),
        "report": ("report", study),
        "md": ("report", study, "--format", "md"),
        "compare": ("compare", study, original),
        "export": ("export", study),
        "train": ("train", study, "--threads", 1, "--out", out),
        "audit": ("audit", study, "--trials", 4),
        "config": ("search", "--config", study / "study.toml", "--dry-run", "--out", out),
        "plot": ("plot", "front", study, "-o", given / "plot.html"),
    }

    def read() -> None:
        if chosen in commands:
            with valid.without_training():
                command(*commands[chosen])
        found = read_study(study)
        settings, again = found.settings, Folder(given / "again")
        require_kept(_toml_in(study / "study.toml"), {"version": 1, **encode(settings)})
        write_settings(again, settings)
        if read_settings(again.settings) != settings:
            raise Fault(Kind.SILENT, "study.toml written and read again is another one")
        for name in JSONS:
            if (study / name).exists():
                json_in((study / name).read_bytes())
        if found.full_budget is not None:
            write_audit(again.audit, found.full_budget)
            kept = json_in(again.audit.read_bytes())
            require_kept(json_in((study / "audit.json").read_bytes()), kept)
        _require_right_numbers(found)

    return Case(f"{label} ({chosen})", read, writes=True)


def _require_right_numbers(study: Any) -> None:
    """Raise `Fault` for a measurement that its metric cannot have."""
    main = study.settings.question.main
    scores = [s for t in study.trials for s in (*t.scores, *t.confirmations)]
    for score in (*scores, *(s for each in study.references for s in each.scores)):
        if score.ok and not main.admits(score.main):
            raise Fault(
                Kind.SILENT, "an impossible score", f"{main.name} of {score.main} was taken"
            )


def _plant_links(study: Path, outside: Path, rng: Random) -> str:
    """Let names that a command may write be links to a file elsewhere."""
    files = ("report.html", "trials.csv", "pareto.csv", "best.json", "study.lock", "confirm.lock")
    name = rng.choice((*files, "baselines", "shared"))
    (study / name).unlink(missing_ok=True)
    (study / name).symlink_to(outside / rng.choice(("victim", "nothing", ".")))
    return f"{name} is a link elsewhere"


def _toml_in(file: Path) -> Any:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise Fault(Kind.SILENT, "accepted, but no TOML", str(error)) from error


def _recipe(rng: Random, given: Path, terms: Path) -> Case:
    """Return a case of a file with a recipe."""
    recipe = tomllib.loads(terms.read_text())["recipe"]
    file = given / rng.choice(("recipe.toml", "recipe.json"))
    write = mutations.to_toml if file.suffix == ".toml" else mutations.to_json
    outer = ({"recipe": recipe, "version": 1}, {"question": {"recipe": recipe}})
    file.write_bytes(write(rng.choice((recipe, *outer))))
    label = _change(file, rng)

    def read() -> None:
        kept = encode(read_recipe(file))
        data = _toml_in(file) if file.suffix == ".toml" else json_in(file.read_bytes())
        for name in ("question", "recipe"):
            data = data.get(name, data)
        require_kept(data, kept)

    return Case(label, read)


def _training(rng: Random, given: Path, trained: Path, data: str, best: Path) -> Case:
    """Return a case of a folder of a training that is over, which is asked for again."""
    out = given / "trained"
    copytree(trained, out)
    files = ("metrics.json", "train.toml", "seed-0/history.csv", "seed-0/model.safetensors")
    label = _change(out / rng.choice(("metrics.json", *files)), rng)
    if rng.random() < 0.3:
        (out / "metrics.json").unlink(missing_ok=True)  # so that the seed is measured again
        label += ", no metrics.json"
    options = ("--data", data, "--epochs", 1, "--seeds", 1, "--device", "cpu", "--out", out)

    def read() -> None:
        file = out / "metrics.json"
        with valid.without_training():
            before = file.read_bytes() if file.is_file() and file.stat().st_size < 2**24 else None
            command("train", best, "--threads", 1, *options)
        if before is not None:
            given, kept = json_in(before), json.loads(dump_metrics(load_metrics(file)))
            if len(kept["seeds"]) > len(given["seeds"]):  # seed 0 was added to another one
                numbers = [each["seed"] for each in given["seeds"]]
                kept["seeds"] = [each for each in kept["seeds"] if each["seed"] in numbers]
                del given["summary"]  # follows from the seeds
            require_kept(given, kept)

    return Case(label, read, writes=True)
