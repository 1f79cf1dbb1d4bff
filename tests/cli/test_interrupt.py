import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import copytree
from time import monotonic, sleep

import pytest

from neptune_nas.interrupts import SIGNALS
from neptune_nas.search.config import Search
from neptune_nas.study.folder import Folder
from neptune_nas.study.read import read_study

COMMAND = ("-m", "neptune_nas", "search", "--space", "tiny", "--trials", "500", "--epochs", "1")


def unblock_ctrl_c() -> None:
    """Restore what ends it, which a background job of a shell ignores, and its children with it."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def stopped(out: Path, times: int, number: signal.Signals = signal.SIGINT, code: int = 130) -> str:
    """Return what a search says from its first result on, when a signal comes so often."""
    command = [sys.executable, *COMMAND, "-v", "--threads", "1", "--out", str(out)]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, preexec_fn=unblock_ctrl_c
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "; 1/500 trials" in line:
                for _ in range(times):
                    process.send_signal(number)
                break
        rest = process.stderr.read()
    assert process.returncode == code, rest
    assert "Traceback" not in rest
    return rest


def test_ctrl_c_ends_with_a_whole_study_and_exit_code_130(tmp_path: Path) -> None:
    assert "Stopped; results so far are in" in stopped(tmp_path, times=1)
    study = read_study(tmp_path / "tiny-digits")
    assert study.ranked
    assert (study.folder / "report.html").exists()


def test_more_of_them_end_it_with_every_result_that_it_told(tmp_path: Path) -> None:
    assert "Stopped" in stopped(tmp_path, times=3)
    study = read_study(tmp_path / "tiny-digits")
    assert study.ranked
    assert not Folder(study.folder).is_in_use


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_supervisor_and_a_closed_terminal_end_it_like_ctrl_c(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    # `timeout` and shells send it twice, and to the workers too.
    assert "Stopped; results so far are in" in stopped(tmp_path, 2, number, code)
    study = read_study(tmp_path / "tiny-digits")
    assert study.ranked
    assert not any(trial.failure for trial in study.trials)
    assert (study.folder / "report.html").exists()


def members(session: int) -> list[int]:
    """Return the processes of a session that have not ended."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, _, of, *_ = file.read_text().rpartition(")")[2].split()
            if int(of) == session and state != "Z":
                found.append(int(file.parent.name))
    return found


def wait_until_none(session: int) -> None:
    """Wait until all processes of a session have ended; they need a moment to free their memory."""
    until = monotonic() + 60
    while left := members(session):
        assert monotonic() < until, left
        sleep(0.05)


@contextmanager
def started(*words: object) -> Iterator[subprocess.Popen[str]]:
    """Yield a command that runs in a session of its own, which it must not leave anything in."""
    command = [sys.executable, "-m", "neptune_nas", *map(str, words)]
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=unblock_ctrl_c,
    ) as process:
        try:
            yield process
        finally:
            for each in members(process.pid):  # only where a test fails
                with suppress(OSError):
                    os.kill(each, signal.SIGKILL)


def read_until(process: subprocess.Popen[str], part: str) -> str:
    """Return what a command says on stderr up to the line that has `part`."""
    said = ""
    assert process.stderr is not None
    for line in process.stderr:
        said += line
        if part in line:
            return said
    raise AssertionError(said)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system lists no processes")
@pytest.mark.parametrize(("apart", "is_to_all"), [(0.0, True), (0.1, False), (0.45, True)])
def test_two_ctrl_c_within_half_a_second_leave_no_process(
    tmp_path: Path, apart: float, is_to_all: bool
) -> None:
    with started(*COMMAND[2:], "-v", "-j", 2, "--threads", 1, "--out", tmp_path) as process:
        read_until(process, "; 1/500 trials")
        for _ in range(2):
            with suppress(ProcessLookupError):  # it has ended at the first one
                (os.killpg if is_to_all else os.kill)(process.pid, signal.SIGINT)
            sleep(apart)
        assert process.stderr is not None
        rest = process.stderr.read()  # ends when the last process that can write there has ended
        assert process.wait(60) == 130, rest
        wait_until_none(process.pid)
    assert "Traceback" not in rest
    assert "Stopped" in rest
    assert not Folder(tmp_path / "tiny-digits").is_in_use
    assert any(trial.scores for trial in read_study(tmp_path / "tiny-digits").trials)


@pytest.fixture(scope="module")
def larger(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a study of four trials, which an audit needs."""
    out = tmp_path_factory.mktemp("larger")
    copytree(study, out / study.name)
    return Search(space="tiny", trials=4, rungs=(1,), out=out, jobs=1, threads=1).run().folder


STUDY = ("-j", "2", "--threads", "1")
LONG = {  # a command that would go on for very long, and what it says after its first result
    "train": (("resnet8", "--data", "digits#60", "--epochs", "9999", "--threads", "1"), "epoch 1/"),
    "audit": (("STUDY", "--architectures", "4", "--epochs", "60", "-j", "1"), "; 1 of "),
    "confirm": (("STUDY", "--seeds", "900", *STUDY), "; 1 of "),
    "baseline": (("STUDY", "--samplers", "random", "--trials", "900", *STUDY), "trials, best"),
    "reference": (("STUDY", "--networks", "resnet8", "--seeds", "900", *STUDY), "; 1 of "),
}


@pytest.mark.parametrize(
    ("command", "number", "code"),
    [*((command, signal.SIGTERM, 143) for command in LONG), ("train", signal.SIGHUP, 129)],
)
def test_each_long_command_ends_with_its_results_written(
    larger: Path, tmp_path: Path, command: str, number: signal.Signals, code: int
) -> None:
    folder = Path(copytree(larger, tmp_path / larger.name))
    words, first = LONG[command]
    given = [str(folder) if word == "STUDY" else word for word in words]
    out = tmp_path / "trained" if command == "train" else folder
    more = ("-o", out) if command == "train" else ()
    with started(command, *given, *more) as process:
        said = read_until(process, first)
        os.killpg(process.pid, number)  # as a closed terminal and Slurm do
        assert process.stderr is not None
        said += process.stderr.read()
        assert process.wait(60) == code, said
        wait_until_none(process.pid)
    assert "Traceback" not in said
    assert f"Stopped; results so far are in {out}. The same command resumes." in said
    match command:
        case "train":
            assert [*out.glob("seed-0/*")]
        case "audit":
            assert (folder / "audit.json").exists()
        case "confirm":
            assert any(trial.confirmations for trial in read_study(folder).trials)
        case "baseline":
            assert read_study(folder).baselines["random"]
        case "reference":
            assert read_study(folder).references[0].scores
