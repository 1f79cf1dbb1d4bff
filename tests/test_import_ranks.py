"""Imports go down one table only, and what is light stays light."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "neptune_nas"

PAGE = PACKAGE.parent / "ARCHITECTURE.md"
LIST = re.search(r"^## Rooms$.*?^```$(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
assert LIST, f"{PAGE} has no list of rooms"
RANK = {line.split()[0]: rank for rank, line in enumerate(LIST[1].strip().splitlines())}
LIGHT = (
    "errors",
    "text",
    "architecture",
    "space",
    "files.atomic",
    "files.documents",
    "files.schema",
    "files.rules",
    "files.signatures",
    "deploy.targets",
    "metrics.constraints",
    "metrics.registry",
    "metrics.score",
    "nn.model_zoo",
)
HEAVY = ("torch", "torchvision", "optuna", "pandas", "plotly", "sklearn", "scipy", "numpy")
ARRAYS = ("metrics.pareto",)  # light but for numpy


def module_of(file: Path) -> str:
    return file.relative_to(PACKAGE).with_suffix("").parts[0]


def is_among(file: Path, modules: tuple[str, ...]) -> bool:
    """Whether a file is one of these modules, or lies in a room that is."""
    dotted = ".".join(file.relative_to(PACKAGE).with_suffix("").parts)
    return any(dotted == module or dotted.startswith(f"{module}.") for module in modules)


FILES = [file for file in sorted(PACKAGE.rglob("*.py")) if module_of(file) != "__init__"]


def imported(file: Path) -> Iterator[str]:
    """Return the dotted names that a file imports."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def siblings(file: Path) -> set[str]:
    """Return the modules of the package that a file imports from, its own aside."""
    ours = (name for name in imported(file) if name.startswith(f"{PACKAGE.name}."))
    return {name.split(".")[1] for name in ours} & {*RANK} - {module_of(file)}


def test_every_module_has_a_rank_and_every_rank_a_module() -> None:
    assert {*map(module_of, FILES)} == {*RANK}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_module_imports_from_lower_ranks_only(file: Path) -> None:
    rank = RANK[module_of(file)]

    assert {name for name in siblings(file) if RANK[name] >= rank} == set()


def imported_at_once(file: Path) -> Iterator[str]:
    """Return the dotted names that a file imports before any of its functions is called."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield f"{node.module}"


def test_light_modules_import_no_heavy_package_at_once() -> None:
    files = [file for file in FILES if is_among(file, LIGHT)]
    names = chain.from_iterable(map(imported_at_once, files))

    assert {name.partition(".")[0] for name in names}.isdisjoint(HEAVY)


def test_dominance_needs_numpy_and_nothing_else_that_is_heavy() -> None:
    files = [file for file in FILES if is_among(file, ARRAYS)]
    names = chain.from_iterable(map(imported, files))

    assert {name.partition(".")[0] for name in names} & {*HEAVY} == {"numpy"}


def test_no_shipped_space_needs_a_heavy_package() -> None:
    code = (
        "import sys, neptune_nas, neptune_nas.architecture.codec, neptune_nas.metrics.score\n"
        "from neptune_nas.space import find_space, list_spaces\n"
        "for name in list_spaces(): find_space(name).fingerprint\n"
        f"print(*(name for name in {HEAVY} if name in sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == ""
