"""Ctrl-C: kept until it is safe to raise, and what one more does.

Python raises it between any two of its steps. In a database's transaction that keeps the database
locked, an import it may break for good or turn into another error, and in a destructor or the
callback of a weak reference it is printed, and then lost.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import current_thread, main_thread
from types import FrameType
from typing import Any, NoReturn

Handler = Callable[[int, FrameType | None], Any]

STOPPED = 130  # exit code: what shells say of a program that Ctrl-C ended
SHOW_CURSOR = b"\x1b[?25h\n"  # a progress bar hides it


class CtrlC:
    """Stands in the place of a handler of Ctrl-C; `came`: what the first Ctrl-C is to raise."""

    def __init__(self, before: Handler) -> None:
        self.before = before
        self.came: BaseException | None = None


class Kept(CtrlC):
    """Keeps back what the handler before raises for the first Ctrl-C, but not for the second."""

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Hear of a Ctrl-C."""
        try:
            self.before(number, frame)
        except BaseException as error:
            if self.came:
                raise
            self.came = error


class Impatient(CtrlC):
    """Raises the first Ctrl-C, and ends the process for the second, whatever it is at."""

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Hear of a Ctrl-C."""
        if self.came:
            end_at_once()
        self.came = KeyboardInterrupt()
        self.before(number, frame)


@contextmanager
def ctrl_c_held() -> Iterator[None]:
    """Let Ctrl-C work after what is inside, or where that calls `raise_held`; a second one at once.

    In other threads it is never raised. A second one that falls into a block in such a block, as
    into a transaction of a search, works at the end of the inner one.
    """
    before = signal.getsignal(signal.SIGINT)
    if current_thread() is not main_thread() or not callable(before):
        yield
        return
    kept = Kept(before)
    signal.signal(signal.SIGINT, kept)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if kept.came:
        raise kept.came


def raise_held() -> None:
    """Raise a Ctrl-C that is kept, or that was raised before and got lost."""
    handler: Any = signal.getsignal(signal.SIGINT)
    while isinstance(handler, CtrlC) and current_thread() is main_thread():
        if handler.came:
            raise handler.came
        handler = handler.before


def make_impatient() -> None:
    """From now on a second Ctrl-C ends this process at once, and a lost one is not printed.

    It is for a program of its own; one that is to ignore Ctrl-C is left as it is.
    """
    before, tell = signal.getsignal(signal.SIGINT), sys.unraisablehook
    if before is not signal.default_int_handler:
        return

    def tell_others(lost: "sys.UnraisableHookArgs") -> None:
        if lost.exc_type is not KeyboardInterrupt:
            tell(lost)

    sys.unraisablehook = tell_others
    signal.signal(signal.SIGINT, Impatient(before))


def end_at_once() -> NoReturn:
    """End this process and say so; nothing that it is at comes to its end, as with `kill -9`."""
    with suppress(OSError):
        os.write(2, SHOW_CURSOR if os.isatty(2) else b"")
        os.write(2, b"Stopped at once; what was written before is kept.\n")
    os._exit(STOPPED)
