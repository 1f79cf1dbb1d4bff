import json
import subprocess
import sys
from pathlib import Path

import pytest

from neptune_nas.space import list_spaces
from tests.cli.run import assert_one_sentence, neptune

HEAVY = ("torch", "optuna", "numpy", "pandas", "plotly", "sklearn")


def test_every_shipped_space_is_listed() -> None:
    outcome = neptune("space", "list")
    assert [line.split()[0] for line in outcome.out.splitlines()] == list(list_spaces())


def test_show_draws_what_may_stand_where() -> None:
    outcome = neptune("space", "show", "default")
    for part in ("stages: 2 to 3 of", "kernel: 3 | 5", "heads: 2 | 4", "norm:"):
        assert part in outcome.out


def test_show_has_room_for_a_size_beyond_any_float(tmp_path: Path) -> None:
    file = tmp_path / "huge.py"
    file.write_text(
        "from neptune_nas.space import Space, integer, repeat\n"
        "SPACE = Space('huge', repeat(integer(1, 10**15), 22, 22))\n"
    )
    assert "huge: 1.00e+330 architectures" in neptune("space", "show", file).out


def test_size_is_an_exact_number() -> None:
    outcome = neptune("space", "size", "nasbench-macro")
    assert outcome.out == "6,561\n"
    assert "A search skips those that cannot be built for its images" in outcome.err


def test_sample_prints_one_json_object_a_line_alike_for_a_seed() -> None:
    first = neptune("space", "sample", "default", "-n", 3, "--seed", 4)
    assert [json.loads(line)["type"] for line in first.out.splitlines()] == ["Architecture"] * 3
    assert neptune("space", "sample", "default", "-n", 3, "--seed", 4) == first


def test_validate_says_that_a_space_is_sound() -> None:
    outcome = neptune("space", "validate", "tiny")
    assert outcome.code == 0
    assert "is sound" in outcome.out


def test_validate_finds_the_number_of_a_stored_architecture(study: Path) -> None:
    outcome = neptune("space", "validate", "tiny", "--json", study / "best.json")
    assert "as number" in outcome.out


def test_validate_refuses_an_architecture_of_another_space(study: Path) -> None:
    outcome = neptune("space", "validate", "nasbench-macro", "--json", study / "best.json")
    assert_one_sentence(outcome, "does not hold")


def test_neighbors_are_printed_by_what_differs(study: Path) -> None:
    outcome = neptune("space", "neighbors", "tiny", study / "best.json")
    assert outcome.code == 0
    assert all("->" in line for line in outcome.out.splitlines())


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("SPACE = (", ("line 1",)),
        ("X = 1", ("SPACE", "missing")),
        ("SPACE = 3", ("SPACE", "int")),
        ("1 / 0", ("ZeroDivisionError",)),
    ],
)
def test_a_broken_space_file_is_one_sentence(
    tmp_path: Path, source: str, parts: tuple[str, ...]
) -> None:
    file = tmp_path / "broken_space.py"
    file.write_text(source)
    assert_one_sentence(neptune("space", "show", file), "broken_space.py", *parts)


@pytest.mark.parametrize("command", [("--help",), ("space", "show", "default")])
def test_light_commands_import_nothing_heavy(command: tuple[str, ...]) -> None:
    code = (
        "import sys\n"
        "from neptune_nas.cli import main\n"
        f"sys.argv = ['neptune-nas', *{command!r}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", ["search", "report", "export", "profile", "diff"])
def test_the_help_of_a_command_shows_an_example(command: str) -> None:
    outcome = neptune(command, "--help")
    assert outcome.code == 0
    assert f"Example: neptune-nas {command}" in outcome.out
