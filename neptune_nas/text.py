"""The formatting of numbers, plurals and durations; the redaction of passwords."""

import re
from urllib.parse import unquote_plus

# A password may have "@", "/" or "?" unquoted: it ends at the last "@" that can belong to it.
_LOGIN = re.compile(r"(?<=://)([^/?#:@\s]*):(?:[^?\s]*|[^=\s]*)@")
_PAIR = re.compile(r"(?<=[?&])([^=&\s]+)=([^&\s]+)")
_SECRET = re.compile(r"(?:pass|pwd|secret|token|credential)\w*\s*=", re.IGNORECASE)

_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def counted(count: int, noun: str, many: str = "") -> str:
    """Return a count with its noun; `many`: its plural, if not formed with s.

    >>> counted(1, "trial"), counted(0, "trial"), counted(1200, "study", "studies")
    ('1 trial', '0 trials', '1,200 studies')
    """
    return f"{count:,} {plural(count, noun, many)}"


def plural(count: int, noun: str, many: str = "") -> str:
    """Return the form of a noun after a count; `many`: its plural, if not formed with s.

    >>> plural(1, "seed"), plural(3, "seed")
    ('seed', 'seeds')
    """
    return noun if count == 1 else many or f"{noun}s"


def as_typed(value: object) -> str:
    """Return a value as people type it, several of them separated by commas.

    >>> as_typed((5, 2)), as_typed(3), as_typed("gp")
    ('5,2', '3', "'gp'")
    """
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return repr(value)


def short(number: float) -> str:
    """Return a count with three digits and its SI prefix.

    >>> short(1_234_567), short(980)
    ('1.23M', '980')
    """
    for size, unit in _UNITS:
        if abs(number) >= size * 0.9995:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"


def duration(seconds: float) -> str:
    """Return a duration in its two largest units.

    >>> duration(3725), duration(42.4)
    ('1 h 2 min', '42 s')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def clock(seconds: float) -> str:
    """Return a duration in compact form.

    >>> clock(42), clock(150), clock(4000)
    ('42s', '2m30s', '1h06m')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"


def redact(text: str) -> str:
    """Return `text` with the password of every URL in it masked, wherever it is in the URL.

    >>> redact("cannot reach postgresql://ada:s3cret@host/db")
    'cannot reach postgresql://ada:***@host/db'
    >>> redact("postgresql://host/db?user=ada&password=s3cret")
    'postgresql://host/db?user=ada&password=***'
    """
    return _PAIR.sub(_safe_pair, _LOGIN.sub(r"\1:***@", text))


def _safe_pair(pair: re.Match[str]) -> str:
    # Unquoted, since a driver's whole connection string may stand in one value.
    return f"{pair[1]}=***" if _SECRET.search(unquote_plus(pair[0])) else pair[0]
