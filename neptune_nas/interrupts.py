"""The handling of Ctrl-C: deferred until it is safe to raise, at once for a second one.

Python may raise it between any two bytecodes. In a database's transaction this leaves the database
locked; in an import it can break the module for good or become another error; and in a destructor
or the callback of a weak reference it is printed and then lost.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import current_thread, main_thread
from types import FrameType
from typing import Any, NoReturn

_Handler = Callable[[int, FrameType | None], Any]

STOPPED = 130  # exit code of shells for a program ended by Ctrl-C
_SHOW_CURSOR = b"\x1b[?25h\n"  # as a progress bar hides it


class _CtrlC:
    """A replacement for a handler of Ctrl-C; `came`: the exception of the first Ctrl-C."""

    def __init__(self, before: _Handler) -> None:
        self.before = before
        self.came: BaseException | None = None


class _DeferringHandler(_CtrlC):
    """A handler that defers the previous handler's exception for the first Ctrl-C only."""

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle a Ctrl-C."""
        try:
            self.before(number, frame)
        except BaseException as error:
            if self.came:
                raise
            self.came = error


class ExitingHandler(_CtrlC):
    """A handler that raises the first Ctrl-C, and ends the process at once on the second."""

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle a Ctrl-C."""
        if self.came:
            _end_at_once()
        self.came = KeyboardInterrupt()
        self.before(number, frame)


@contextmanager
def ctrl_c_held() -> Iterator[None]:
    """Defer Ctrl-C to the end of the block or to `raise_held`; a second one is raised at once.

    In other threads it is never raised. In nested blocks, as in a transaction of a search, a second
    one is raised at the end of the inner block.
    """
    before = signal.getsignal(signal.SIGINT)
    if current_thread() is not main_thread() or not callable(before):
        yield
        return
    kept = _DeferringHandler(before)
    signal.signal(signal.SIGINT, kept)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if kept.came:
        raise kept.came


def raise_held() -> None:
    """Raise a Ctrl-C that was deferred, or was raised before and got lost."""
    handler: Any = signal.getsignal(signal.SIGINT)
    while isinstance(handler, _CtrlC) and current_thread() is main_thread():
        if handler.came:
            raise handler.came
        handler = handler.before


def make_impatient() -> None:
    """Make a second Ctrl-C end this process at once, and keep a lost one from being printed.

    For a main program; a process with another handler of Ctrl-C is left unchanged.
    """
    before, tell = signal.getsignal(signal.SIGINT), sys.unraisablehook
    if before is not signal.default_int_handler:
        return

    def tell_others(lost: "sys.UnraisableHookArgs") -> None:
        if lost.exc_type is not KeyboardInterrupt:
            tell(lost)

    sys.unraisablehook = tell_others
    signal.signal(signal.SIGINT, ExitingHandler(before))


def _end_at_once() -> NoReturn:
    """End this process at once with a message, without any cleanup, like `kill -9`."""
    with suppress(OSError):
        os.write(2, _SHOW_CURSOR if os.isatty(2) else b"")
        os.write(2, b"Stopped at once; what was written before is kept.\n")
    os._exit(STOPPED)
