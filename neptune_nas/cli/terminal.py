"""The standard streams, through which all output passes.

Labels, file names and error messages may come from elsewhere, and a terminal would obey escape
sequences in them. Here every unsafe character is made visible, whoever prints it.
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
_NO_READER = (errno.EPIPE, errno.EIO)  # a closed pipe, a closed terminal


class _Screen(io.TextIOBase):
    """A standard stream that accepts any text and survives a closed terminal.

    `styled`: the same stream, for text with our own escape sequences.
    """

    encoding = "utf-8"

    def __init__(self, stream: TextIO, *, literal: bool = True, ends: bool = False) -> None:
        self._stream, self._is_literal, self._ends = stream, literal, ends
        self.styled = _Styled(stream, literal=False, ends=ends) if literal else self

    def write(self, text: str) -> int:
        """Write text; characters that the stream cannot encode become escapes."""
        shown = visible(text, keep="\n\t") if self._is_literal else text
        code = getattr(self._stream, "encoding", None) or "utf-8"
        with self._handle_closed_reader():
            self._stream.write(shown.encode(code, "backslashreplace").decode(code))
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        with self._handle_closed_reader():
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
    def _handle_closed_reader(self) -> Iterator[None]:
        """Discard output that nobody reads; exit if it was the program's results."""
        try:
            yield
        except OSError as error:
            _discard_output(self._stream)
            if error.errno not in _NO_READER:
                raise NeptuneError(
                    f"the output cannot be written ({error.strerror}): choose another place or "
                    f"make room."
                ) from error
            if self._ends and error.errno == errno.EPIPE:
                sys.exit(CLOSED_PIPE)


class _Styled(_Screen):
    """The stream for our own escape sequences; its encoding tells which frames it can draw."""

    @property
    def encoding(self) -> str:  # type: ignore[override]  # also a property in the base's base
        """The encoding of the stream."""
        return getattr(self._stream, "encoding", None) or "utf-8"


def _discard_output(stream: TextIO) -> None:
    """Send the buffer of a stream, and all later output, to the null device."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


@contextmanager
def safe_streams() -> Iterator[None]:
    """Make standard output and standard error safe inside the block."""
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
    """Flush standard output, so that a write error is raised here and not when Python exits."""
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
