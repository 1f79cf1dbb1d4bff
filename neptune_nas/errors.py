"""The errors a user can mend: subject, broken rule, value got, what to do, in one sentence."""

import sys
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from traceback import extract_tb

BEGUN = 0.75  # how much a beginning must be alike, of 1: `evolv` is to that of `evolution`


class NeptuneError(Exception):
    """A mistake outside the toolkit's own code; its message is shown to the user as it is."""


class ArchitectureError(NeptuneError):
    """A record, or a combination of records, that no network can be built from."""


class OwnCodeError(NeptuneError):
    """A user's own code that fails or breaks its contract: to be mended, where a network that
    cannot be built is merely left out.
    """


class SpaceError(NeptuneError):
    """A search space that cannot be found, read, or that does not hold what was asked of it."""


class DataError(NeptuneError):
    """Images that are missing, unreadable, or of another shape than was said."""


class StudyError(NeptuneError):
    """A study that cannot be opened, continued, or asked for what it does not have."""


class FileFormatError(NeptuneError):
    """A file that is malformed, truncated, of another kind, or of a later version."""


class OptionError(NeptuneError):
    """An option value that is unknown or out of its range."""


def one_of(names: Iterable[str], got: str) -> str:
    """The tail of a message about an unknown name: the nearest valid one, if any, and all of them.

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
    """The name that `got` begins, else one much like it, else one whose beginning is; capitals and
    small letters are the same.
    """
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
    """The first line of an error's message, or its kind where there is none."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def said(error: BaseException, path: str | Path | None = None, *, named: bool = False) -> str:
    """What someone's code failed with, and in which line of the file at `path`.

    `named`: the file is named too.
    """
    if isinstance(error, SyntaxError):
        return f" in line {error.lineno}: {error.msg}."
    lines = [f.lineno for f in extract_tb(error.__traceback__) if f.filename == str(path)]
    of = f" of {Path(path).name}" if named and path else ""
    at = f" in line {lines[-1]}{of}" if lines else ""
    kind = "" if isinstance(error, NeptuneError) else f"{type(error).__name__}: "
    return f"{at}: {kind}{error}"


def file_with(cls: type) -> str | None:
    """The file of the module that defines a class, if it has one."""
    return getattr(sys.modules.get(cls.__module__), "__file__", None)
