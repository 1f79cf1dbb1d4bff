"""Ctrl-C, kept out of what must not be cut short."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType


@contextmanager
def ctrl_c_held() -> Iterator[None]:
    """Let Ctrl-C work only after what is inside; a second one works at once.

    Python raises it between any two of its steps, such as in a database's transaction, which then
    keeps the database locked. In other threads it is never raised.
    """
    before = signal.getsignal(signal.SIGINT)
    if current_thread() is not main_thread() or not callable(before):
        yield
        return
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)
        if len(came) > 1:
            before(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        signal.raise_signal(signal.SIGINT)
