from pathlib import Path

import pytest

from neptune_nas.architecture.codec import type_name
from neptune_nas.errors import NeptuneError, OptionError
from neptune_nas.evaluators.user_evaluator import make_evaluator
from tests.engine.evaluators import Echo

MINE = """
from dataclasses import dataclass

A = 3

@dataclass(frozen=True)
class Mine:
    n: int = 1

    def __call__(self, architecture, fidelity, seed): ...


class Hard:
    def __init__(self, m): m / 0


class Gone:
    def __init__(self, m): raise SystemExit("no GPU here")


class Still:
    def __init__(self, m): pass
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with an evaluator in it."""
    made = tmp_path / "mine.py"
    made.write_text(MINE)
    return made


def test_an_evaluator_is_made_from_a_module() -> None:
    made = make_evaluator("tests.engine.evaluators:Echo", {"seconds": 2.0})
    assert made == Echo(seconds=2.0)


def test_an_evaluator_from_a_file_is_called_as_its_module_would_be(file: Path) -> None:
    made = make_evaluator(f"{file}:Mine", {"n": 3})
    assert vars(made) == {"n": 3}
    assert type_name(type(made)) == "mine:Mine"


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("Mine", "evaluator 'Mine' must be named as FILE.py:Class or package.module:Class"),
        ("a b:Mine", "evaluator 'a b:Mine' must be named as"),
        ("{file}:", "must be named as FILE.py:Class"),
        ("{file}:Yours", "must be a class, but `Yours` is missing"),
        ("{file}:A", "must be a class, but `A` is 3"),
        ("nowhere/mine.py:Mine", r"evaluator 'nowhere/mine\.py:Mine': there is no file"),
        ("nowhere:Mine", "evaluator 'nowhere:Mine': No module named 'nowhere'; is it installed"),
        ("{file}:Hard", r"refuses {'m': 1}: ZeroDivisionError: division by zero$"),
        ("{file}:Gone", r"refuses {'m': 1}: SystemExit: no GPU here$"),
        ("{file}:Still", r"must have a method `__call__\(self, .* cannot be called: define it"),
        ("{file}:Mine", r"refuses {'m': 1}: .*unexpected keyword argument 'm'"),
    ],
)
def test_what_names_no_evaluator_is_refused(file: Path, where: str, message: str) -> None:
    with pytest.raises(NeptuneError, match=message):
        make_evaluator(where.format(file=file), {"m": 1})


def test_what_one_of_ours_refuses_is_said_as_ever() -> None:
    with pytest.raises(OptionError, match=r"^proxy 'x' is unknown"):
        make_evaluator("neptune_nas.evaluators.zero_cost:ZeroCost", {"proxy": "x"})
