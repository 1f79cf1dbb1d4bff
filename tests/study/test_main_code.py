"""What tells definitions in a notebook or a script apart."""

import linecache
import sys
from itertools import count
from types import ModuleType
from typing import Any

import pytest

from neptune_nas.architecture.records import Conv
from neptune_nas.study.main_code import main_digest, main_digests, main_object

NUMBERS = count()
GATE = """
from dataclasses import dataclass
from functools import cached_property

RATE = 3

def inner(width):
    return width * RATE

class Base:
    def shape(self):
        return 1

@dataclass(frozen=True)
class Gate(Base):
    size: int = 3
    kind = "plain"

    def build(self, width):
        return [inner(each) for each in (width, self.size)]

    @staticmethod
    def still():
        return 1

    @property
    def odd(self):
        return 2

    @cached_property
    def kept(self):
        return 3

    def again(self):
        return Gate(self.size)
"""


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return a main module that is empty."""
    module = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    return module


def run_cell(main: ModuleType, text: str) -> None:
    """Run a cell as a notebook's kernel does, which keeps its source."""
    file = f"<cell {next(NUMBERS)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    exec(compile(text, file, "exec"), vars(main))


def digest_after(main: ModuleType, *texts: str) -> str | None:
    for text in texts:
        run_cell(main, text)
    return main_digest("__main__:Gate")


def test_a_cell_that_is_run_again_changes_nothing(main: ModuleType) -> None:
    first = digest_after(main, GATE)
    assert first
    assert digest_after(main, GATE) == first


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    return width * RATE", "    return width * RATE  # as a remark"),
        ("\ndef inner", "\n\n\ndef inner"),
        ("(width, self.size)", "(width,   self.size)"),
    ],
)
def test_neither_do_remarks_and_spaces(main: ModuleType, old: str, new: str) -> None:
    assert digest_after(main, GATE.replace(old, new)) == digest_after(main, GATE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(width, self.size)", "(self.size, width)"),
        ("width * RATE", "width + RATE"),
        ("RATE = 3", "RATE = 4"),
        ("        return 1\n\n@dataclass", "        return 2\n\n@dataclass"),
        ('kind = "plain"', 'kind = "other"'),
        ("        return 1\n\n    @property", "        return 5\n\n    @property"),
        ("        return 2\n\n    @cached", "        return 5\n\n    @cached"),
        ("        return 3\n", "        return 5\n"),
    ],
)
def test_another_definition_of_a_class_or_what_it_uses_is_told(
    main: ModuleType, old: str, new: str
) -> None:
    assert old in GATE
    assert digest_after(main, GATE.replace(old, new)) != digest_after(main, GATE)


def test_a_helper_that_alone_is_run_again_is_told(main: ModuleType) -> None:
    first = digest_after(main, GATE)
    assert digest_after(main, "def inner(width):\n    return 1\n") != first


def test_a_function_that_closes_over_another_is_told_by_both(main: ModuleType) -> None:
    text = (
        "def make(n):\n    def Gate(x):\n        return x + n\n    return Gate\nGate = make({})\n"
    )
    assert digest_after(main, text.format(1)) != digest_after(main, text.format(2))


USES = """
from functools import lru_cache, partial, wraps

LIST, DICT, SET = [3, [5]], {"a": 1}, {"x", "y"}
NESTED = {"ops": [len, {"k": 2}]}

def plus(x):
    return x + 1

@lru_cache
def once(x):
    return x * 2

def traced(function):
    @wraps(function)
    def run(*args):
        return function(*args) + 0
    return run

@traced
def told(x):
    return x * 4

HALF = partial(plus, 6)
TABLE = {"plus": plus}

def Gate(x, rate=LIST[0]):
    return LIST, DICT, SET, NESTED, once(x), told(x), HALF, TABLE, x.score
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[3, [5]]", "[4, [5]]"),
        ("[3, [5]]", "[3, [6]]"),
        ('{"a": 1}', '{"a": 2}'),
        ('{"a": 1}', '{"b": 1}'),
        ('{"x", "y"}', '{"x", "z"}'),
        ('{"k": 2}', '{"k": 3}'),
        ("x * 2", "x * 3"),
        ("+ 0", "+ 1"),
        ("x * 4", "x * 5"),
        ("partial(plus, 6)", "partial(plus, 7)"),
        ("x + 1", "x + 2"),
        ("rate=LIST[0]", "rate=LIST[1][0]"),
    ],
)
def test_what_containers_and_wrappers_hold_is_told(main: ModuleType, old: str, new: str) -> None:
    assert old in USES
    assert digest_after(main, USES.replace(old, new)) != digest_after(main, USES)
    assert digest_after(main, USES) == digest_after(main, USES)


def test_a_default_is_told_by_its_value(main: ModuleType) -> None:
    text = "K = {}\ndef Gate(x, k=K):\n    return k\n"
    assert digest_after(main, text.format(1)) != digest_after(main, text.format(2))


def test_a_variable_that_only_shares_the_name_of_an_attribute_is_no_change(
    main: ModuleType,
) -> None:
    first = digest_after(main, USES)
    assert digest_after(main, "score = 0.93\n") == first


@pytest.mark.parametrize(
    "text",
    [
        "MEMORY = {}\ndef Gate(x):\n    MEMORY[x] = 1\n    return MEMORY\n",
        "COUNT = 0\ndef Gate(x):\n    global COUNT\n    COUNT += x\n",
        "MEMORY = []\ndef Gate(x):\n    MEMORY.append(x)\n",
        "class Gate:\n    memory = {}\n    def __call__(self, x):\n        self.memory[x] = 1\n",
    ],
)
def test_what_code_fills_itself_is_no_change_of_it(main: ModuleType, text: str) -> None:
    first = digest_after(main, text)
    assert digest_after(main, "(Gate() if isinstance(Gate, type) else Gate)(3)\n") == first


def test_a_local_list_of_the_same_name_hides_nothing(main: ModuleType) -> None:
    text = (
        "class Gate:\n    sizes = [{}]\n    def build(self):\n        sizes = []\n"
        "        sizes.append(self.sizes)\n"
    )
    assert digest_after(main, text.format(1)) != digest_after(main, text.format(2))


def test_containers_without_an_end_are_read_in_part(main: ModuleType) -> None:
    text = "LOOP = [1]\nLOOP *= 50\nLOOP.append(LOOP)\ndef Gate():\n    return LOOP, WIDE\n"
    assert digest_after(main, f"WIDE = [*range(10**6)]\n{text}")


def test_a_lambda_is_told_by_its_line(main: ModuleType) -> None:
    first = digest_after(main, "Gate = dict(f=lambda x: x)['f']\n")
    assert digest_after(main, "Gate = dict(f=lambda x: -x)['f']\n") != first


def test_code_without_a_source_is_told_by_its_name_alone(main: ModuleType) -> None:
    for what in ("1", "2"):
        exec(f"class Gate:\n    def build(self): return {what}", vars(main))
    assert main_digest("__main__:Gate")


def test_only_what_main_defines_is_named(main: ModuleType) -> None:
    run_cell(main, GATE)
    found: Any = vars(main)
    assert [*main_digests((found["Gate"], Conv, found["inner"], 3))] == [
        "__main__:Gate",
        "__main__:inner",
    ]


@pytest.mark.parametrize("where", ["__main__:RATE", "__main__:gone", "Gate", "os:system", "a", ""])
def test_anything_else_has_no_digest(main: ModuleType, where: str) -> None:
    run_cell(main, GATE)
    assert main_digest(where) is None


def test_a_name_means_what_was_defined_last(main: ModuleType) -> None:
    run_cell(main, GATE)
    first = main_object("__main__:Gate")
    run_cell(main, GATE)
    assert main_object("__main__:Gate") is vars(main)["Gate"]
    assert main_object("__main__:Gate") is not first
    assert main_object("os:system") is None
