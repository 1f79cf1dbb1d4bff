"""The errors a user can mend: subject, broken rule, value got, what to do, in one sentence."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

BEGUN = 0.75  # how much a beginning must be alike, of 1: `evolv` is to that of `evolution`


class NeptuneError(Exception):
    """A mistake outside the toolkit's own code; its message is shown to the user as it is."""


class ArchitectureError(NeptuneError):
    """A record, or a combination of records, that no network can be built from."""


class OwnCodeError(NeptuneError):
    """A user's own code that fails, or a SubStage of it that changes the shape: to be mended, where
    a network that cannot be built is merely left out.
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
