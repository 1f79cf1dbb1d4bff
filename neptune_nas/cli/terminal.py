"""The standard streams: the one place through which all output passes.

Labels, names of files and messages of errors come from elsewhere, and a terminal would obey the
escape sequences in them. Here every character that acts is made visible, whoever prints it.
"""

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from neptune_nas.errors import NeptuneError
from neptune_nas.text import visible

CLOSED_PIPE = 141  # exit code of shells for a program ended by SIGPIPE
_NO_READER = (errno.EPIPE, errno.EIO)  # of a closed pipe, and of a closed terminal


class _Screen(io.TextIOBase):
    """A standard stream that takes any text, and goes on where its terminal is closed.

    `styled`: the same stream for text with escape sequences of our own.
    """

    encoding = "utf-8"

    def __init__(self, stream: TextIO, *, literal: bool = True, ends: bool = False) -> None:
        self._stream, self._is_literal, self._ends = stream, literal, ends
        self.styled = _Styled(stream, literal=False, ends=ends) if literal else self

    def write(self, text: str) -> int:
        """Write text, with what the stream cannot encode as escapes."""
        shown = visible(text, keep="\n\t") if self._is_literal else text
        code = getattr(self._stream, "encoding", None) or "utf-8"
        with self._reader_gone():
            self._stream.write(shown.encode(code, "backslashreplace").decode(code))
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        with self._reader_gone():
            self._stream.flush()

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the descriptor of the stream."""
        return self._stream.fileno()

    def writable(self) -> bool:
        """Return True."""
        return True

    @contextmanager
    def _reader_gone(self) -> Iterator[None]:
        """Write nothing more where nobody reads, and end the program if its results went there."""
        try:
            yield
        except OSError as error:
            _write_nowhere(self._stream)
            if error.errno not in _NO_READER:
                raise NeptuneError(f"the output cannot be written ({error.strerror}).") from error
            if self._ends and error.errno == errno.EPIPE:
                sys.exit(CLOSED_PIPE)


class _Styled(_Screen):
    """The stream for escape sequences of our own; its encoding says which frames it can draw."""

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a property of the base's base, too
        """The encoding of the stream."""
        return getattr(self._stream, "encoding", None) or "utf-8"


def _write_nowhere(stream: TextIO) -> None:
    """Send what a stream still holds, and all that follows, to the null device."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


@contextmanager
def safe_streams() -> Iterator[None]:
    """Make standard output and standard error safe inside the block, whoever writes to them."""
    before = sys.stdout, sys.stderr
    if before[0] is not None:
        sys.stdout = _Screen(before[0], ends=True)
    if before[1] is not None:
        sys.stderr = _Screen(before[1])
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def flush_output() -> None:
    """Write all that was printed, so that an error in writing it is not met by Python's own end."""
    if sys.stdout is not None:
        sys.stdout.flush()


def print_line(text: object, *, stderr: bool = False) -> None:
    """Print one line, with line breaks in it as escapes."""
    print(visible(str(text)), file=sys.stderr if stderr else sys.stdout)


def print_text(text: str) -> None:
    """Print a document, which ends its own lines."""
    sys.stdout.write(visible(text, keep="\n\t"))


def print_lines(text: str, *, stderr: bool = False) -> None:
    """Print several lines."""
    for line in text.rstrip("\n").split("\n"):
        print_line(line, stderr=stderr)
