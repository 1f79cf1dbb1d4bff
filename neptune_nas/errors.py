"""The errors that a user can fix: subject, rule, value and remedy in one sentence."""

import sys
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from traceback import extract_tb

BEGUN = 0.75  # similarity required of a beginning, 0..1: `evolv` has it to that of `evolution`


class NeptuneError(Exception):
    """An error outside the toolkit's own code, whose message is shown to the user."""


class ArchitectureError(NeptuneError):
    """A record, or a combination of records, from which no network can be built."""


class OwnCodeError(NeptuneError):
    """A user's own code that fails or breaks its contract, and so must be fixed.

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
    """Return the name that begins with `got`, else a similar one, or one that begins similarly."""
    start = got.casefold()
    names = {name.casefold(): name for name in reversed(known)}
    beginnings = {name[: len(start)]: names[name] for name in names}
    if start in beginnings:
        return beginnings[start] if start else None
    if alike := get_close_matches(start, names, n=1):
        return names[alike[0]]
    begun = get_close_matches(start, beginnings, n=1, cutoff=BEGUN)
    return beginnings[begun[0]] if begun else None


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its class name without one."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


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
    kind = "" if isinstance(error, NeptuneError) else f"{type(error).__name__}: "
    return f"{at}: {kind}{error}"


def file_with(cls: type) -> str | None:
    """Return the file of the module that defines a class, if it has one."""
    return getattr(sys.modules.get(cls.__module__), "__file__", None)
