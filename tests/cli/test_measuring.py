from dataclasses import fields
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from neptune_nas.cli.app import app
from neptune_nas.cli.measuring import Measuring, measuring


@pytest.mark.parametrize("command", ["audit", "baseline", "confirm", "reference"])
def test_commands_that_measure_more_share_their_options(command: str) -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]  # it is a group
    names = [param.name for param in commands[command].params]
    assert names[0] == "study"
    shared = [field.name for field in fields(Measuring)][1:]
    assert names[-len(shared) :] == shared


def test_shared_options_are_gathered_and_own_ones_passed_on() -> None:
    got: list[object] = []

    @measuring
    def command(measure: Measuring, often: int = 1) -> None:
        got.extend((measure, often))

    alone = typer.Typer()
    alone.command()(command)
    get_command(alone).main(["here", "-j", "2", "--often", "3"], standalone_mode=False)
    assert got == [Measuring(Path("here"), jobs=2), 3]


def test_ctrl_c_says_what_was_done_and_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    @measuring
    def command(measure: Measuring) -> None:  # noqa: ARG001  # what is called does nothing
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        command(**{field.name: None for field in fields(Measuring)} | {"study": Path("here")})
    kept = "Stopped before anything was measured; the same command goes on.\n"
    assert capsys.readouterr().err == kept


def test_a_search_is_made_of_them(study: Path) -> None:
    search = Measuring(study, jobs=3, threads=2, device="cpu", data_dir="there").search()
    assert (search.folder.path, search.trials) == (study, 3)
    assert (search.jobs, search.threads, search.device, search.data_dir) == (3, 2, "cpu", "there")
