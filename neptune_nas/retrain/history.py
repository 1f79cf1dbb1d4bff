"""What happened in a seed, epoch by epoch: `history.csv` and back."""

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple, fields
from pathlib import Path

from neptune_nas.errors import FileFormatError
from neptune_nas.files.atomic import read_file, write_file
from neptune_nas.training.choice import choices
from neptune_nas.training.state import Epoch

COLUMNS = ("epoch", *(field.name for field in fields(Epoch)[1:]))


def write_history(file: Path, history: Sequence[Epoch]) -> None:
    """Write one row an epoch; empty where nothing was measured."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows(map(astuple, history))
    write_file(file, text.getvalue())


def read_history(file: Path) -> tuple[Epoch, ...]:
    """What `write_history` wrote; raises `FileFormatError` for a file that it did not."""
    try:
        head, *rows = csv.reader(io.StringIO(read_file(file)))
        if tuple(head) != COLUMNS:
            raise ValueError(f"its columns must be {', '.join(COLUMNS)}")
        history = tuple(epoch_of(*row) for row in rows)
        if not any(choice for epoch in history for choice in choices(epoch)):
            raise ValueError("none of its epochs was measured")
        return history
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"{file} is no history of a training: {error}.") from error


def epoch_of(number: str, loss: str, lr: str, seconds: str, *measured: str) -> Epoch:
    """The epoch in a row."""
    found = (float(text) if text else None for text in measured)
    return Epoch(int(number), float(loss), float(lr), float(seconds), *found)
