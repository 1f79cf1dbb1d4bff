"""The errors that a user can fix: subject, rule, value and remedy in one sentence."""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from traceback import extract_tb, format_exception

from neptune_nas.text import visible

BEGUN = 0.75  # similarity required of a beginning, 0..1: `evolv` has it to that of `evolution`
_PART = 3  # characters; anything shorter occurs in many names
_WORD = re.compile(r"\S{400,}")  # longer than any name or path that people type
_LINE, _MESSAGE = 300, 2_000  # characters shown of foreign text, and of our own
TRACE = 20_000
"""The most characters kept of a traceback."""


class NeptuneError(Exception):
    """An error outside the toolkit's own code, whose message is shown to the user.

    The message is cut to a few lines, however long the values in it are.
    """

    def __str__(self) -> str:
        short = _WORD.sub(lambda word: shortened(word[0], 100), super().__str__())
        return shortened(short, _MESSAGE)


class ArchitectureError(NeptuneError):
    """A record, or a combination of records, from which no network can be built."""


class OwnCodeError(NeptuneError):
    """A user's code that fails or breaks its contract, and so must be fixed.

    A network that cannot be built is only left out (`ArchitectureError`).
    """


class SpaceError(NeptuneError):
    """A search space that cannot be found or read, or lacks what was requested."""


class DataError(NeptuneError):
    """Images that are missing, unreadable, or of the wrong shape."""


class StudyError(NeptuneError):
    """A study that cannot be opened or continued, or lacks what was requested."""


class FileFormatError(NeptuneError):
    """A file that is malformed, truncated, of the wrong kind, or of a later version."""


class OptionError(NeptuneError):
    """An option value that is unknown or out of its range."""


def check_installed(what: str, libraries: Iterable[str], extra: str) -> None:
    """Refuse what needs libraries that are not all installed, naming the extra that has them."""
    for library in libraries:
        if find_spec(library) is None:
            raise NeptuneError(
                f"{what} needs {library}, which is not installed: "
                f"pip install 'neptune-nas[{extra}]'."
            )


def one_of(names: Iterable[str], got: str) -> str:
    """Return the remedy for an unknown name: the nearest valid one, if any, and all of them.

    >>> one_of(["digits", "mnist"], "minst")
    "did you mean 'mnist'? Known: digits, mnist."
    >>> one_of(["accuracy", "loss"], "acc")
    "did you mean 'accuracy'? Known: accuracy, loss."
    >>> one_of(["digits", "mnist"], "x")
    'choose one of digits, mnist.'
    """
    known = sorted(names)
    near, listed = nearest(known, got), ", ".join(known)
    return f"did you mean '{near}'? Known: {listed}." if near else f"choose one of {listed}."


def nearest(known: Sequence[str], got: str) -> str | None:
    """Return the name that begins with `got`, else a similar one, or one that begins similarly.

    A name that contains `got`, even with two neighbouring characters swapped, comes before a
    similar one, since names often differ in a digit alone.

    >>> nearest(["stm32f446", "stm32f746"], "stm32f464"), nearest(["stm32f746"], "f764")
    ('stm32f446', 'stm32f746')
    """
    start = got.casefold()
    names = {name.casefold(): name for name in reversed(known)}
    beginnings = {name[: len(start)]: names[name] for name in names}
    if start in beginnings:
        return beginnings[start] if start else None
    for each in (start, *_swapped(start)) if len(start) >= _PART else ():
        if inside := min((name for name in names if each in name), key=len, default=None):
            return names[inside]
    if alike := get_close_matches(start, names, n=1):
        return names[alike[0]]
    begun = get_close_matches(start, beginnings, n=1, cutoff=BEGUN)
    return beginnings[begun[0]] if begun else None


def _swapped(text: str) -> Iterator[str]:
    """Yield a text once for each pair of neighbouring characters, with that pair swapped."""
    for at in range(1, len(text)):
        yield text[: at - 1] + text[at] + text[at - 1] + text[at + 1 :]


def shortened(text: str, length: int) -> str:
    """Return a text without its middle if it is longer than `length` characters.

    >>> shortened("abcdefghijklmnop", 12), shortened("abc", 12)
    ('abcdef...nop', 'abc')
    """
    end = length // 4
    return text if len(text) <= length else f"{text[: length - 3 - end]}...{text[-end:]}"


def one_line(text: str, length: int = _LINE) -> str:
    r"""Return a text as one line: cut in the middle if long, control characters as escapes.

    >>> one_line("two\nlines of \x1b[31mred")
    'two lines of \\x1b[31mred'
    """
    return visible(shortened(" ".join(shortened(text, 4 * length).split()), length))


def message_of(error: BaseException) -> str:
    """Return the message of an error, even if its `str` fails."""
    try:
        return str(error)
    except Exception as another:
        return f"a message that cannot be shown ({type(another).__name__})"


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its class name if it has none."""
    line = next(iter(message_of(error).splitlines()), "")
    return one_line(line) or type(error).__name__


def description(error: BaseException) -> str:
    """Return the class of an error and its message in one line.

    >>> description(SystemExit("no GPU here")), description(MemoryError())
    ('SystemExit: no GPU here', 'MemoryError')
    """
    message = one_line(message_of(error))
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def trace_of(error: BaseException) -> str:
    """Return the traceback of an error, without the middle of a very long one."""
    try:
        return shortened("".join(format_exception(error)), TRACE)
    except Exception:  # the error's own methods fail
        return description(error)


def failure_text(
    error: BaseException, path: str | Path | None = None, *, named: bool = False
) -> str:
    """Return the error of a user's code as text, with its line in the file at `path`.

    `named`: include the name of the file.
    """
    if isinstance(error, SyntaxError):
        return f" in line {error.lineno}: {error.msg}."
    lines = [f.lineno for f in extract_tb(error.__traceback__) if f.filename == str(path)]
    of = f" of {Path(path).name}" if named and path else ""
    at = f" in line {lines[-1]}{of}" if lines else ""
    return f"{at}: {error if isinstance(error, NeptuneError) else description(error)}"


def file_with(cls: type) -> str | None:
    """Return the file of the module that defines a class, if it has one."""
    return getattr(sys.modules.get(cls.__module__), "__file__", None)
