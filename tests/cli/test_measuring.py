from dataclasses import fields
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from neptune_nas.cli.app import app
from neptune_nas.cli.measuring import Measuring, measuring, print_step
from neptune_nas.metrics.score import Score
from neptune_nas.trust.loop import Step


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

    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        command(**{field.name: None for field in fields(Measuring)} | {"study": Path("here")})
    kept = "Stopped before anything was measured. The same command resumes.\n"
    assert capsys.readouterr().err == kept


def test_each_result_says_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    good, failed = Score(1, {"accuracy": 0.6, "loss": 1.0}), Score(1, failure="no")
    for done, score in enumerate((good, failed, good), 1):
        print_step(Step(done, 3, 60.0 * (3 - done), f"trial {done}: what it says", score))
    assert capsys.readouterr().err.splitlines() == [
        "trial 1: what it says; 1 of 3 evaluations, 2m00s left",
        "trial 2: what it says; 2 of 3 evaluations, 1m00s left",
        "trial 3: what it says; 3 of 3 evaluations",
    ]


def test_a_search_is_made_of_them(study: Path) -> None:
    search = Measuring(study, jobs=3, threads=2, device="cpu", data_dir="there").search()
    assert (search.folder.path, search.trials) == (study, 3)
    assert (search.jobs, search.threads, search.device, search.data_dir) == (3, 2, "cpu", "there")
