"""What reading an input may do: end in a right result, or in one sentence; and what it may not."""

import io
import json
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from traceback import extract_tb
from typing import Any, NoReturn
from unicodedata import category
from unittest.mock import patch

from neptune_nas import cli
from neptune_nas.errors import NeptuneError

LONGEST = 2000  # characters of a line on stderr
_ACTING = ("Cc", "Cf", "Cs", "Zl", "Zp")  # of Unicode: control, format, surrogates, separators
_SILENT_WARNINGS = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)
"""Those that Python does not show to a user."""


class Kind(StrEnum):
    """The end of a case; the first two are right."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    TRACEBACK = "traceback"
    HANG = "hang"
    MEMORY = "memory"
    SILENT = "silent change"
    STRAY = "stray write"
    MESSAGE = "message"
    DIED = "died"


RIGHT = (Kind.ACCEPTED, Kind.REFUSED)


class Fault(BaseException):
    """Raised by a case that found a fault itself; no code under test catches it."""

    def __init__(self, kind: Kind, what: str, detail: str = "") -> None:
        super().__init__(what)
        self.kind, self.what, self.detail = kind, what, detail[:300]


class Began(BaseException):
    """Raised in the place of a training: everything asked for was accepted."""


@dataclass(frozen=True, slots=True)
class Case:
    """One changed input and what reads it.

    `label`: the change, in words. `read`: raises `NeptuneError` for a refusal and `Fault` for a
    fault that it sees. `writes`: whether reading may write into the folder.
    """

    label: str
    read: Callable[[], object]
    writes: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """The end of a case; `where`: the file and line that a fault is counted by."""

    reader: str
    number: int
    kind: Kind
    label: str
    detail: str = ""
    where: str = ""
    seconds: float = 0.0
    megabytes: float = 0.0


def judge(case: Case, folder: Path, others: Iterable[Path]) -> tuple[Kind, str, str]:
    """Return the kind of a case's end, its last line, and its place in the code.

    `others`: the folders that nothing may be written into.
    """
    watched = [*others, *([] if case.writes else [folder])]
    before = [_content(each) for each in watched]
    kind, detail, where = _end_of(case)
    for place, then in zip(watched, before, strict=True):
        if kind in RIGHT and (changed := _difference_of(then, _content(place))):
            return Kind.STRAY, f"{changed} was changed; {detail}", f"{place.name} changed"
    return kind, detail, where


def _end_of(case: Case) -> tuple[Kind, str, str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            case.read()
        except NeptuneError as error:
            end = _refusal(error)
        except Fault as fault:
            end = (fault.kind, fault.detail, fault.what)
        except Began:
            end = (Kind.ACCEPTED, "training began", "")
        except MemoryError as error:
            end = (Kind.MEMORY, repr(error)[:200], _place(error))
        except BaseException as error:  # SystemExit and GeneratorExit are faults as well
            end = (Kind.TRACEBACK, f"{type(error).__name__}: {error}"[:300], _place(error))
        else:
            end = (Kind.ACCEPTED, "", "")
    shown = [each for each in caught if not issubclass(each.category, _SILENT_WARNINGS)]
    if end[0] in RIGHT and shown:
        first = shown[0]
        text = f"{first.category.__name__}: {first.message}"[:200]
        return Kind.MESSAGE, text, f"{Path(first.filename).name}:{first.lineno}"
    return end


def _refusal(error: NeptuneError) -> tuple[Kind, str, str]:
    """Return the end of a case that was refused with this error."""
    text = str(error)
    if _longest_line(text) > LONGEST:
        return Kind.MESSAGE, repr(text[-200:]), f"a line too long, {_place(error)}"
    return Kind.REFUSED, text[:200], ""


def _acts(text: str) -> bool:
    """Return whether a text may act on a terminal, or cannot be seen there."""
    return any(category(each) in _ACTING and each not in "\n\t" for each in text)


def _longest_line(text: str) -> int:
    return max(map(len, text.splitlines()), default=0)


def _place(error: BaseException) -> str:
    """Return the file and line of our own code where an error arose."""
    frames = extract_tb(error.__traceback__)
    ours = [each for each in frames if "/neptune_nas/" in each.filename]
    deepest = (ours or frames)[-1]
    return f"{deepest.filename.rpartition('neptune_nas/')[2]}:{deepest.lineno}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command that ended well, or with exit code 1, has printed."""

    code: int
    out: str
    err: str


def command(*arguments: object, secret: str = "") -> Outcome:
    """Run `neptune-nas` as a shell does, where stdout is strict about text that is no UTF-8.

    `secret`: what must not be printed. Raises `NeptuneError` with the sentence of a refusal, and
    `Fault` for output that is no sentence or that acts on a terminal.
    """
    out, err = (
        io.TextIOWrapper(io.BytesIO(), "utf-8", how) for how in ("strict", "backslashreplace")
    )
    code: object = 0
    argv = patch.object(sys, "argv", ["neptune-nas", *map(str, arguments)])
    with argv, redirect_stdout(out), redirect_stderr(err):
        try:
            cli.run()
        except SystemExit as end:
            code = end.code or 0
    printed, said = (_text_of(stream) for stream in (out, err))
    if "Traceback" in said:
        raise Fault(Kind.TRACEBACK, "printed", said.strip().rpartition("\n")[2])
    if secret and secret in printed + said:
        raise Fault(Kind.MESSAGE, "a password was printed", repr(said))
    if code == 2:
        _refuse(said)
    if code not in (0, 1):
        raise Fault(Kind.MESSAGE, f"exit code {code!r}", said)
    for text in (printed, said):
        if _acts(text):
            raise Fault(Kind.MESSAGE, f"unprintable output of {arguments[0]}", repr(text))
    return Outcome(int(str(code)), printed, said)


def _refuse(said: str) -> NoReturn:
    """Raise the sentence that a refused command has printed."""
    if said.startswith("Usage: "):  # of typer, which names the option itself
        said = said.partition("Error: ")[2].replace("\n", " ").strip()
    lines = [line for line in said.splitlines() if line.startswith("neptune-nas: ")]
    sentence = lines[-1].removeprefix("neptune-nas: ") if lines else said
    if not sentence or (lines and not said.rstrip("\n").endswith(lines[-1])):
        raise Fault(Kind.MESSAGE, "no sentence", repr(said))
    if _acts(sentence) or _longest_line(sentence) > LONGEST:  # as printed: an error may mend both
        what = "unprintable characters" if _acts(sentence) else "a line too long"
        raise Fault(Kind.MESSAGE, f"{what} in a refusal", repr(sentence[-200:]))
    raise NeptuneError(sentence)


def _text_of(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.detach()
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()


# Silent changes.


_TIMES = (".seconds", ".images_per_second", ".started")


def require_kept(given: object, kept: object) -> None:
    """Raise `Fault` where what was read and written again lacks, or changes, a part of `given`."""
    if (why := difference(given, kept)) is not None:
        raise Fault(Kind.SILENT, "dropped or changed", why)


def difference(given: object, kept: object) -> str | None:
    """Return a part of `given` that is not equal in `kept`, which may hold more."""
    waiting: list[tuple[str, object, object]] = [("", given, kept)]  # may be nested very deeply
    while waiting:
        path, one, other = waiting.pop()
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            if lost := [n for n, value in one.items() if n not in other and value is not None]:
                return f"`{path}.{lost[0]}` is dropped"
            waiting += [(f"{path}.{n}", value, other.get(n)) for n, value in one.items()]
        elif isinstance(one, list | tuple) and isinstance(other, list | tuple):
            if len(one) != len(other):
                return f"`{path}` has {len(other)} items, not {len(one)}"
            pairs = zip(one, other, strict=True)
            waiting += [(f"{path}.{i}", *pair) for i, pair in enumerate(pairs)]
        elif not _is_kept(one, other, path):
            return f"`{path}` was {str(one)[:60]!r} and is {str(other)[:60]!r}"
    return None


def _is_kept(given: object, kept: object, path: str) -> bool:
    """Return whether a value without parts is equal, as far as JSON and the formats tell."""
    if type(given) is int and type(kept) is float and abs(given) > 2**53:
        given = float(given) if abs(given) < 10**308 else given  # as near as JSON's numbers are
    if given is None and kept == 0 and path.endswith(_TIMES):
        return True  # a time that is not known
    same = given == kept or (given != given and kept != kept)
    return same and isinstance(given, bool) == isinstance(kept, bool)


def json_in(data: bytes) -> Any:
    """Return the value of a JSON file that was accepted; raises `Fault` if it is not one value.

    A name that an object has twice, with two values, is no one value.
    """
    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise Fault(Kind.SILENT, "accepted, but no JSON", str(error)) from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for name, value in pairs:
        if name in whole and difference(whole[name], value):
            raise Fault(Kind.SILENT, "an object has a name twice, with two values")
        whole[name] = value
    return whole


# Writes.


def _content(folder: Path) -> dict[str, str]:
    """Return what lies below a folder, by path: kinds, link targets and digests."""
    return {str(each.relative_to(folder)): _digest(each) for each in sorted(folder.rglob("*"))}


def _digest(path: Path) -> str:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    if not path.is_file():
        return "no file"
    size = path.stat().st_size
    return f"{size}" if size > 2**24 else sha256(path.read_bytes()).hexdigest()


def _difference_of(then: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    return next((name for name in {**now, **then} if then.get(name) != now.get(name)), None)
