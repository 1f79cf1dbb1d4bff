"""Passwords out of everything that people are shown."""

import re

CREDENTIALS = re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]*(?:@[^/\s@]*)*@")


def redact(text: str) -> str:
    """`text` with the password of every URL in it struck out.

    >>> redact("cannot reach postgresql://ada:s3cret@host/db")
    'cannot reach postgresql://ada:***@host/db'
    """
    return CREDENTIALS.sub(r"\1:***@", text)
