import signal
import subprocess
import sys
from pathlib import Path

import pytest

from neptune_nas.interrupts import SIGNALS
from neptune_nas.study.folder import Folder
from neptune_nas.study.read import read_study

COMMAND = ("-m", "neptune_nas", "search", "--space", "tiny", "--trials", "500", "--epochs", "1")


def heed_ctrl_c() -> None:
    """Restore what ends it, which a background job of a shell ignores, and its children with it."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def stopped(out: Path, times: int, number: signal.Signals = signal.SIGINT, code: int = 130) -> str:
    """Return what a search says from its first result on, when a signal comes so often."""
    command = [sys.executable, *COMMAND, "-v", "--threads", "1", "--out", str(out)]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, preexec_fn=heed_ctrl_c
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
