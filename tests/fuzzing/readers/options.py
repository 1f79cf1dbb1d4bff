"""Command lines: each option of each command with values that few expect."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from shutil import copytree
from typing import Any

import typer
from PIL import Image

from neptune_nas.cli.app import app
from neptune_nas.models.model import save_model
from tests.fuzzing import mutations, valid
from tests.fuzzing.oracle import Case, command
from tests.fuzzing.readers.tables import SPACE_FILE
from tests.fuzzing.runner import MakeCase

WRITES = ("out", "output", "numbers", "data_dir", "storage", "study_name")
"""Parameters whose values are places to write at."""

FILES = (
    *("config", "file", "first", "images", "json", "one", "other", "recipe", "source", "studies"),
    *("study", "table"),
)
"""Parameters whose values are paths to read."""

COUNTS = ("n", "worst")
"""Parameters of how much to print, where a large value is no mistake."""

LEFT_OUT = ("engine", "--help", "--version", "dry_run")
VALUES: dict[str, tuple[str, ...]] = {
    "space": (
        *("mnist", "tin", "{valid}/codes.py", "{valid}/codes.py:NONE", "{valid}/codes.py:SPACE"),
        *("json:SPACE", "os:path", "a.b.c:d", "{valid}"),
    ),
    "data": (
        *("digits#20", "digits#-1", f"digits#{'9' * 30}", "digits#", "#", "digit", "folder:"),
        *("folder:/", "folder:{valid}", "folder:{valid}@0", "folder:{valid}@99999999999"),
        *("folder:~nobody", "tensors:", "tensors:{valid}", "tensors:{valid}/image.png"),
    ),
    "sampler": (
        *("tpe", "nsga3", "local", "evolution", "gp", "optuna:create_study", "os:system"),
        *("{valid}/codes.py:Space", "{valid}/codes.py:Nothing"),
    ),
    "evaluator": (
        *("os:system", "builtins:int", "{valid}/codes.py:Space", "{valid}/codes.py", "nowhere:X"),
        "{valid}/codes.py:",
    ),
    "sampler_kwargs": (
        *("[]", "{", "9" * 5000, "[" * 5000, '{"seed": 1}', '{"n_startup_trials": NaN}'),
        *('{"a": {"a": []}}', '{"seed": 1, "seed": 2}'),
    ),
    "evaluator_kwargs": ("null", '{"x": 1e999}', '{"\\ud800": 1}'),
    "objectives": (
        *("accuracy", "accuracy,accuracy", ",", "flops", "loss,params", "acuracy"),
        *("accuracy,flops,latency", "accuracy,peak_memory"),
    ),
    "constraint": (
        *("flops<=1M", "flops<=", "<=", "flops<=nan", "flops<=-1", "flops<=1e999", "flops>=1"),
        *(f"flops<={'9' * 400}", "latency<=5ms", "flops<=1QB"),
    ),
    "rungs": (
        *("1", "0,1", "1,1", "3,1", "1,,2", "-1,2", "1e3", "9" * 5000, f"1,{'9' * 20}", "0"),
    ),
    "reduction": ("3", "1", "0", "5,2", "1.5", "9" * 5000),
    "proxy": ("synflow", "naswot", "flops", "zen", "accuracy"),
    "timeout": (
        *("90s", "1h30m", "-1s", "1e9", f"{'9' * 400}d", "1 s", "s", "\u0663s", "1.5.2s", "0s"),
    ),
    "gpus": ("0", "0,0", "-1", "99", "a", "9" * 5000),
    "device": ("cpu", "cuda", "cuda:0", "gpu", "meta"),
    "shape": (
        *("1x8x8", "3x32x32", "0x8x8", "1x8", "3x99999999x99999999", "\xb2x8x8", "1x8x8x8"),
        "-1x8x8",
    ),
    "samplers": ("random,random", "random", ",", "tpe,none", "local"),
    "form": ("json", "onnx", "python", "csv", "html", "md", "text", "PYTHON"),
    "by": ("choice", "architecture", "accuracy", "knee"),
    "which": ("knee", "accuracy", "efficiency", "flops"),
    "split": ("train", "validation", "all", "tset"),
    "images": ("{valid}", "/", "/dev/null", "{valid}/images.safetensors"),
}
VALUES["trial_timeout"] = VALUES["timeout"]
VALUES["allow"] = VALUES["name"] = VALUES["space"]
PATHS = (
    *("/dev/null", "/proc/self/mem", "/", "{valid}", "{valid}/image.png", "{valid}/nothing"),
    *("{valid}/image.png/below", "{valid}/codes.py", "~", "~nobody/x", "x" * 300, "x/" * 2500),
    "{valid}/best.json",
)
PLACES = (
    *("{given}/x", "{given}", "{given}/file/below", f"{{given}}/{'x' * 300}"),
    *(f"{{given}}/{'x/' * 2500}", "{given}/e\u0301 \u202e\x1b[0m", "{given}/\udce9", "{given}/."),
    *("{given}/x.py", "{given}/x.onnx", "{given}/x.html"),
)
URLS = (
    *("sqlite:///{given}/other.db", "sqlite:///{given}", "sqlite:///{given}/file", "sqlite://"),
    *("sqlite+pysqlite:///{given}/x.db", "mysql://u:p@h/x", "::", "", "x"),
    *("postgresql://ada:secret@127.0.0.1:9/x", "postgresql://ada@127.0.0.1:secret@9/x"),
)
SECRET = "secret"
BASES: dict[str, tuple[str, ...]] = {
    "search": (
        *("--space", "tiny", "--data", "{data}", "--trials", "2", "--device", "cpu"),
        *("--out", "{given}/out", "--dry-run"),
    ),
    "status": ("{valid}/study",),
    "watch": ("{valid}/study",),
    "report": ("{given}/study",),
    "confirm": ("{given}/study",),
    "audit": ("{given}/study",),
    "baseline": ("{given}/study",),
    "reference": ("{given}/study", "resnet8"),
    "compare": ("{valid}/study", "{valid}/study"),
    "plot": ("front", "{valid}/study", "-o", "{given}/plot.html"),
    "train": ("{valid}/best.json", "--data", "{data}", "--out", "{given}/out"),
    "predict": ("{valid}/model.safetensors", "{valid}/image.png"),
    "evaluate": ("{valid}/model.safetensors", "{data}"),
    "export": ("{valid}/best.json",),
    "show": ("{valid}/best.json",),
    "draw": ("{valid}/best.json",),
    "profile": ("{valid}/best.json",),
    "diff": ("{valid}/best.json", "{valid}/best.json"),
    "targets": (),
    "space list": (),
    "space show": ("tiny",),
    "space size": ("tiny",),
    "space sample": ("tiny",),
    "space validate": ("tiny",),
    "space neighbors": ("tiny", "{valid}/best.json"),
}
"""Valid command lines, to which options are added."""


def open_reader(folder: Path) -> MakeCase:
    """Return what makes cases of all commands that the command line has."""
    data = valid.tensors(folder)
    valid.study(folder, data)
    valid.exported(folder)
    save_model(folder / "model.safetensors", valid.model())
    Image.new("L", (8, 8), 99).save(folder / "image.png")
    (folder / "codes.py").write_text(SPACE_FILE)
    commands = dict(_commands(typer.main.get_command(app)))

    def make(rng: Random, given: Path) -> Case:
        (given / "file").touch()
        name = rng.choice((*sorted(commands), *("search",) * 5))
        base = BASES[name]
        words = [*name.split(), *base]
        options = [each for each in commands[name] if each.name not in LEFT_OUT]
        done = []
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            option = rng.choice(options) if options else None
            if option is None or rng.random() < 0.08:
                words.insert(rng.randrange(1, len(words) + 1), word := _text(rng))
                done.append(word)
            elif not option.opts[0].startswith("-"):
                # Not the value of an option before it, which may be the place to write at.
                after = range(len(name.split()), len(words) + 1)
                at = rng.choice([i for i in after if not words[i - 1].startswith("-")])
                words[at : at + 1] = [word := _value(option, rng)]
                done.append(word)
            else:
                value = [] if _is_flag(option) else [_value(option, rng)]
                words += [rng.choice(option.opts), *value]
                done += words[-2:]
        ours = {"valid": folder, "given": given, "data": data}
        words = [_filled(word, ours) for word in words]
        if f"{given}/study" in words:
            copytree(folder / "study", given / "study")

        def read() -> None:
            with valid.without_training():
                command(*words, secret=SECRET)

        return Case(" ".join(f"{word:.60}" for word in (name, *done)), read, writes=True)

    return make


def _filled(word: str, ours: dict[str, Any]) -> str:
    for name, value in ours.items():
        word = word.replace(f"{{{name}}}", str(value))
    return word


def _commands(group: Any, before: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Yield each command with its parameters."""
    for name, found in group.commands.items():
        if hasattr(found, "commands"):
            yield from _commands(found, f"{before}{name} ")
        else:
            yield f"{before}{name}", found.params


def _is_flag(option: Any) -> bool:
    return bool(getattr(option, "is_flag", False))


def _value(option: Any, rng: Random) -> str:
    """Return a value for an option, as a shell gives it."""
    known = VALUES.get(option.name, ())
    if option.name in WRITES:
        return rng.choice(URLS if option.name == "storage" else PLACES)
    if option.name in COUNTS:
        return rng.choice(("0", "-1", "3", "a", "", "1.5"))
    if known and rng.random() < 0.6:
        return str(rng.choice(known))
    if option.name in FILES and rng.random() < 0.7:
        return rng.choice(PATHS)
    return _text(rng)


def _text(rng: Random) -> str:
    chosen = mutations.value(rng) if rng.random() < 0.5 else rng.choice(mutations.NUMBERS)
    word = str(mutations.LITERALS.get(chosen, chosen) if isinstance(chosen, str) else chosen)
    return word.replace("\0", "\x01").replace("\ud800", "\udc80")[:9000]  # as a kernel gives them
