"""The epochs of a seed, written to and read from `history.csv`."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from neptune_nas.errors import FileFormatError, one_line
from neptune_nas.files.atomic import read_file, write_file
from neptune_nas.training.resumable_loop import choices
from neptune_nas.training.state import Epoch

_TRAINED = ("epoch", "loss", "lr", "seconds")  # columns of what was trained; the others: measured


def _columns(metrics: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of a history in which these metrics were measured.

    >>> _columns(["accuracy", "loss"])[4:]
    ('accuracy', 'validation_loss', 'ema_accuracy', 'ema_loss')
    """
    raw = (f"validation_{name}" if name in _TRAINED else name for name in metrics)
    return (*_TRAINED, *raw, *(f"ema_{name}" for name in metrics))


def write_history(file: Path, history: Sequence[Epoch], metrics: Sequence[str]) -> None:
    """Write one row per epoch; cells without a measurement are empty."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_columns(metrics))
    for epoch in history:
        measured = (values.get(n) for values in (epoch.values, epoch.ema_values) for n in metrics)
        rows.writerow([epoch.number, epoch.loss, epoch.lr, epoch.seconds, *measured])
    write_file(file, text.getvalue())


def read_history(file: Path, metrics: Sequence[str]) -> tuple[Epoch, ...]:
    """Return the epochs in a file of `write_history`; raises `FileFormatError` for any other."""
    try:
        head, *rows = csv.reader(io.StringIO(read_file(file)))
        if tuple(head) != _columns(metrics):
            raise ValueError(f"its columns must be {', '.join(_columns(metrics))}")
        history = tuple(_epoch_in(row, metrics) for row in rows)
        if not any(choice for epoch in history for choice in choices(epoch)):
            raise ValueError("none of its epochs was measured")
        return history
    except (TypeError, ValueError, csv.Error) as error:
        raise FileFormatError(
            f"{file} is not a training history: {one_line(str(error))}."
        ) from error


def _epoch_in(row: Sequence[str], metrics: Sequence[str]) -> Epoch:
    number, loss, lr, seconds, *measured = row
    raw, ema = measured[: len(metrics)], measured[len(metrics) :]
    values, ema_values = _values_in(metrics, raw), _values_in(metrics, ema)
    return Epoch(int(number), float(loss), float(lr), float(seconds), values, ema_values)


def _values_in(metrics: Sequence[str], cells: Sequence[str]) -> Mapping[str, float]:
    """Return the values in the cells; empty where nothing was measured."""
    pairs = [*zip(metrics, cells, strict=True)]
    return {name: float(cell) for name, cell in pairs} if any(cells) else {}
