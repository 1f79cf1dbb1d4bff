"""The handling of Ctrl-C, SIGTERM and SIGHUP: deferred until it is safe to raise.

Python may raise it between any two bytecodes. In a database's transaction this leaves the database
locked; in an import it can break the module for good or become another error; and in a destructor
or the callback of a weak reference it is printed and then lost.
"""

import atexit
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from select import select
from threading import Thread, current_thread, main_thread
from time import monotonic, sleep
from types import FrameType
from typing import Any, NoReturn

_Handler = Callable[[int, FrameType | None], Any]

STOPPED = 130  # exit code of shells for a program ended by Ctrl-C
SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
_ECHO = 2.0  # seconds: `timeout` and shells send a program's SIGTERM or SIGHUP twice
_OWN_CHANCE = 0.5  # seconds for the main thread to handle a second Ctrl-C itself
_SHOW_CURSOR = b"\x1b[?25h\n"  # as a progress bar hides it


class Terminated(SystemExit):
    """The end of a program that got SIGTERM or SIGHUP, with the exit code that shells give it."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)


class _StopHandler:
    """A replacement for a handler of a signal; `came`: the exception of the first signal."""

    def __init__(self, before: _Handler) -> None:
        self.before = before
        self.came: BaseException | None = None


class _DeferringHandler(_StopHandler):
    """A handler that defers the previous handler's exception for the first signal only."""

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        try:
            self.before(number, frame)
        except BaseException as error:
            if self.came:
                raise
            self.came = error


class ExitingHandler(_StopHandler):
    """A handler of all signals that raises the first, and ends the process on a second Ctrl-C."""

    def __init__(self, before: _Handler) -> None:
        super().__init__(before)
        self._since = 0.0

    def __call__(self, number: int, _: FrameType | None) -> None:
        """Handle a signal."""
        if self.came:
            if number == signal.SIGINT or monotonic() - self._since > _ECHO:
                _end_at_once(number)
            return
        self._since = monotonic()
        self.came = KeyboardInterrupt() if number == signal.SIGINT else Terminated(number)
        raise self.came


@contextmanager
def ctrl_c_held() -> Iterator[None]:
    """Defer Ctrl-C to the end of the block or to `raise_held`; a second one is raised at once.

    So are SIGTERM and SIGHUP, where they are handled at all. In other threads it is never raised.
    In nested blocks, as in a transaction of a search, a second one is raised at the end of the
    inner block.
    """
    found = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: handler for number, handler in found.items() if callable(handler)}
    if current_thread() is not main_thread() or not before:
        yield
        return
    kept = {number: _DeferringHandler(handler) for number, handler in before.items()}
    _handle(kept)
    try:
        yield
    finally:
        _handle(before)
    for handler in kept.values():
        if handler.came:
            raise handler.came


def raise_held() -> None:
    """Raise a Ctrl-C that was deferred, or was raised before and got lost."""
    if current_thread() is not main_thread():
        return
    for number in SIGNALS:
        handler: Any = signal.getsignal(number)
        while isinstance(handler, _StopHandler):
            if handler.came:
                raise handler.came
            handler = handler.before


def make_impatient() -> None:
    """Make a second Ctrl-C end this process at once, and keep a lost one from being printed.

    SIGTERM and SIGHUP end it like a first Ctrl-C. For a main program; a signal that is ignored, as
    SIGHUP is under `nohup`, or that has another handler, is left unchanged.
    """
    usual = {signal.SIGINT: signal.default_int_handler}
    exiting, tell = ExitingHandler(signal.default_int_handler), sys.unraisablehook
    numbers = [n for n in SIGNALS if signal.getsignal(n) == usual.get(n, signal.SIG_DFL)]
    if not numbers:
        return

    def tell_others(lost: "sys.UnraisableHookArgs") -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt | Terminated):
            tell(lost)

    sys.unraisablehook = tell_others
    _handle(dict.fromkeys(numbers, exiting))
    atexit.register(_ignore, numbers)
    if signal.SIGINT in numbers:
        source, sink = os.pipe()
        os.set_blocking(sink, False)
        signal.set_wakeup_fd(sink, warn_on_full_buffer=False)
        Thread(target=_end_on_second, args=(source,), daemon=True).start()


def _end_on_second(source: int) -> None:
    """End this process on a second Ctrl-C that the main thread may not see for minutes.

    Python calls a handler between two bytecodes of the main thread, which may wait in a library for
    a database or a network. `source`: the pipe to which Python writes each signal's number at once.
    """
    came = 0
    while came < 2:
        came += os.read(source, 1) == bytes([signal.SIGINT])
    sleep(_OWN_CHANCE)
    _end_at_once(signal.SIGINT)


def _ignore(numbers: Iterable[signal.Signals]) -> None:
    """Ignore signals while Python shuts down.

    It would restore the system's handlers and die of the next signal, with another exit code.
    """
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)


def _handle(handlers: Mapping[signal.Signals, _Handler]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)


def _end_at_once(number: int) -> NoReturn:
    """End this process at once with a message, without any cleanup, like `kill -9`."""
    with suppress(OSError, ValueError):
        if select([], [2], [], 0)[1]:  # a halted terminal would block forever
            os.write(2, _SHOW_CURSOR if os.isatty(2) else b"")
            os.write(2, b"Stopped at once; what was written before is kept.\n")
    for process in _descendants(os.getpid()):
        with suppress(OSError):
            os.kill(process, signal.SIGKILL)
    os._exit(128 + number)


def _descendants(process: int) -> list[int]:
    """Return the ids of all processes below one, where the system lists them as Linux does."""
    children: dict[int, list[int]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended since
            parent = file.read_bytes().rpartition(b")")[2].split()[1]
            children.setdefault(int(parent), []).append(int(file.parent.name))
    found = children.get(process, [])
    for each in found:  # the list grows during the loop
        found += children.get(each, [])
    return found
