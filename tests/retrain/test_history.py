from pathlib import Path

import pytest

from neptune_nas.errors import FileFormatError
from neptune_nas.retrain.history import read_history, write_history
from neptune_nas.training.state import Epoch

ROW = "HEAD\n1,2.5,0.1,3.0,,,,\n"  # of an epoch that was not measured
METRICS = ("accuracy", "loss")
HISTORY = (
    Epoch(1, 2.5, 0.1, 3.0),
    Epoch(2, 1 / 3, 0.0, 3.0, {"accuracy": 0.5, "loss": 1e-9}, {"accuracy": 0.25, "loss": 2.0}),
)


def test_a_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_history(tmp_path / "history.csv", HISTORY, METRICS)
    assert read_history(tmp_path / "history.csv", METRICS) == HISTORY


def test_a_cell_is_empty_where_nothing_was_measured(tmp_path: Path) -> None:
    write_history(tmp_path / "history.csv", HISTORY[:1], METRICS)
    assert (tmp_path / "history.csv").read_text() == (
        "epoch,loss,lr,seconds,accuracy,validation_loss,ema_accuracy,ema_loss\n1,2.5,0.1,3.0,,,,\n"
    )


def test_the_history_of_another_task_is_refused(tmp_path: Path) -> None:
    write_history(tmp_path / "history.csv", HISTORY, METRICS)
    with pytest.raises(FileFormatError, match="its columns must be epoch, loss, lr, seconds, acc"):
        read_history(tmp_path / "history.csv", METRICS[:1])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a,b\n1,2\n",
        "HEAD\n1,x,0.1,3.0,,,,\n",
        "HEAD\n1,2\n",
        "HEAD\n1,2,3,4,5,,,\n",
        "HEAD\n",
        ROW,
    ],
)
def test_a_file_that_is_no_history_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "history.csv"
    write_history(file, (), METRICS)
    file.write_text(text.replace("HEAD\n", file.read_text()))
    with pytest.raises(FileFormatError, match=r"history\.csv is not a training history"):
        read_history(file, METRICS)
