import signal
import subprocess
import sys
from pathlib import Path

from neptune_nas.study.read import read_study

COMMAND = ("-m", "neptune_nas", "search", "--space", "tiny", "--trials", "500", "--epochs", "1")


def heed_ctrl_c() -> None:
    """A background job of a shell ignores SIGINT, and its children would inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_ends_with_a_whole_study_and_exit_code_130(tmp_path: Path) -> None:
    command = [sys.executable, *COMMAND, "-v", "--threads", "1", "--out", str(tmp_path)]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, preexec_fn=heed_ctrl_c
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("1/500"):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()
    assert process.returncode == 130, rest
    assert "Traceback" not in rest
    assert "Stopped. What was scored is in" in rest
    study = read_study(tmp_path / "tiny-digits")
    assert study.ranked
    assert (study.folder / "report.html").exists()
