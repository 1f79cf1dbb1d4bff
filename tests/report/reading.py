"""What a page holds, taken out of it as its own script does."""

import base64
import gzip
import json
import re
from typing import Any


def packed_json(page: str) -> Any:
    """Return the data of a page."""
    return json.loads(unpack(page, "data"))


def unpack(page: str, name: str) -> str:
    """Return the text of one of a page's packed elements."""
    found = re.search(rf'<script id="{name}" type="application/gzip">([^<]*)</script>', page)
    assert found is not None
    return gzip.decompress(base64.b64decode(found[1])).decode()


def visible(page: str) -> str:
    """Return a page without its scripts and styles."""
    return re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
