"""Passwords out of everything that people are shown."""

import re
from urllib.parse import unquote_plus

# A password may hold "@", "/" or "?" as it is: it ends at the last "@" that can belong to it.
LOGIN = re.compile(r"(?<=://)([^/?#:@\s]*):(?:[^?\s]*|[^=\s]*)@")
PAIR = re.compile(r"(?<=[?&])([^=&\s]+)=([^&\s]+)")
SECRET = re.compile(r"(?:pass|pwd|secret|token|credential)\w*\s*=", re.IGNORECASE)


def redact(text: str) -> str:
    """`text` with the password of every URL in it struck out, wherever in the URL it stands.

    >>> redact("cannot reach postgresql://ada:s3cret@host/db")
    'cannot reach postgresql://ada:***@host/db'
    >>> redact("postgresql://host/db?user=ada&password=s3cret")
    'postgresql://host/db?user=ada&password=***'
    """
    return PAIR.sub(_safe_pair, LOGIN.sub(r"\1:***@", text))


def _safe_pair(pair: re.Match[str]) -> str:
    # Unquoted, since a driver's whole connection string may stand in one value.
    return f"{pair[1]}=***" if SECRET.search(unquote_plus(pair[0])) else pair[0]
