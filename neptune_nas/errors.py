"""The errors a user can mend: subject, broken rule, value got, what to do, in one sentence."""

from collections.abc import Iterable
from difflib import get_close_matches


class NeptuneError(Exception):
    """A mistake outside the toolkit's own code; its message is shown to the user as it is."""


class ArchitectureError(NeptuneError):
    """A record, or a combination of records, that no network can be built from."""


class OwnCodeError(NeptuneError):
    """A user's own SubStage whose code fails: to be mended, where a network that cannot be built is
    merely left out.
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
    """The tail of a message about an unknown name: the nearest valid one, then all of them.

    >>> one_of(["digits", "mnist"], "minst")
    "did you mean 'mnist'? Known: digits, mnist."
    """
    known = sorted(names)
    near = get_close_matches(got, known, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return f"{hint}Known: {', '.join(known)}."


def first_line(error: Exception) -> str:
    """The first line of an error's message, or its kind where there is none."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
