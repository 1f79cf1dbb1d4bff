from pathlib import Path
from shutil import copytree

import pytest
from typer.main import get_command

from neptune_nas.cli.app import app
from neptune_nas.nn.references import PLAIN, REFERENCES
from neptune_nas.study.read import read_study
from tests.cli.run import assert_one_sentence, neptune

SERIAL = ("-j", 1, "--threads", 1)


@pytest.fixture
def copied(study: Path, tmp_path: Path) -> Path:
    """Return a copy of the study, to be changed at will."""
    return Path(copytree(study, tmp_path / study.name))


def test_networks_are_trained_and_compared(copied: Path) -> None:
    networks = ("--networks", "resnet8, shufflenet_v2_x0_5")
    outcome = neptune("reference", copied, *networks, *SERIAL)
    assert outcome.code == 0, outcome
    for part in ("Compared with hand-designed networks", "resnet8", "shufflenet_v2_x0_5", "1.527"):
        assert part in outcome.out
    assert "best of 3 by that same split" in " ".join(outcome.out.split())
    assert "; 2 of 2 evaluations\n" in outcome.err
    assert len(read_study(copied).references) == 2
    again = neptune("reference", copied, *networks, *SERIAL)
    assert (again.code, again.out, again.err) == (0, outcome.out, "")
    assert "## Compared with" in neptune("report", copied, "--format", "md").out


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--networks", "resnet9"), ("'resnet9' is unknown", "did you mean 'resnet8'")),
        (("--networks", ","), ("need at least one network",)),
        (("--networks", "squeezenet1_1"), ("at least 10x10 pixels",)),
        (("--seeds", 0), ("`seeds` must be a whole number of at least 1 and below 10001",)),
        (("--seeds", 10**9), ("below 10001, but got 1000000000",)),
    ],
)
def test_a_mistake_is_one_sentence(
    study: Path, options: tuple[object, ...], parts: tuple[str, ...]
) -> None:
    assert_one_sentence(neptune("reference", study, *options), *parts)


def test_a_folder_without_a_study_is_named(tmp_path: Path) -> None:
    assert_one_sentence(neptune("reference", tmp_path), str(tmp_path), "is not a study")


def test_a_broken_file_is_named_wherever_the_study_is_read(copied: Path) -> None:
    (copied / "references.json").write_text("{")
    for command in ("reference", "report", "status"):
        outcome = neptune(command, copied)
        assert_one_sentence(outcome, "references.json", "it is not valid JSON", "move it away")


def test_a_study_on_a_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text(
        "from neptune_nas import Architecture, Space, Stage, choice\n"
        'SPACE = Space("two", Architecture(stages=(Stage(width=choice(8, 16)),)))\n'
    )
    (tmp_path / "table.csv").write_text("code,epochs,accuracy\n0,1,0.5\n1,1,0.6\n")
    files = ("--space", tmp_path / "two.py", "--table", tmp_path / "table.csv")
    assert neptune("search", *files, "--out", tmp_path, "--trials", 2, *SERIAL).code == 0
    (folder,) = tmp_path.glob("two-*")
    assert_one_sentence(neptune("reference", folder), "has scores of table:", "trains nothing")


def test_the_help_names_all_networks_and_the_defaults_of_the_python_api() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]  # it is a group
    (option,) = [each for each in commands["reference"].params if each.name == "networks"]
    listed, *_, usual = option.help.removeprefix("Comma-separated: ").split("; ")
    assert tuple(listed.split(", ")) == REFERENCES[:10]
    assert all(name in option.help for name in REFERENCES)
    assert all(",".join(each.usual) in usual for each in PLAIN.values())
    assert all(f"{each.prefix}-WIDTH" in option.help for each in PLAIN.values())
