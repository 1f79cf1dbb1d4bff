"""The frame of every page: one HTML file that works offline, with data and plotly.js inlined."""

import base64
import gzip
import re
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from plotly.offline import get_plotlyjs

_LEVEL = 6  # of gzip: 9 takes three times as long for a hundredth less
_CODE = re.compile(r"`([^`]+)`")


def document(
    name: str, title: str, sections: Mapping[str, str], data: str | None, context: Mapping[str, Any]
) -> str:
    """Return the text of an HTML file that loads nothing.

    `name`: name of the body's template and of the script that runs after the shared one.
    `sections`: titles in the navigation bar, by the ids of the body's elements. `data`: JSON for
    the script; None for a page without figures, which has neither a script of its own nor plotly.
    `context`: the values of the template; all of them are escaped.
    """
    drawn = data is not None
    scripts = [_web("shell.js"), *([_web(f"{name}.js")] if drawn else [])]
    frame = {
        "title": title,
        "sections": sections,
        "policy": Markup(_policy([*scripts, *([get_plotlyjs()] if drawn else [])])),
        "css": Markup(_web("page.css")),
        "scripts": [Markup(script) for script in scripts],
        "data": None if data is None else Markup(_pack(data)),
        "plotly": Markup(_packed_plotly()) if drawn else "",
    }
    return fill(f"{name}.html", {**context, **frame})


def fill(name: str, context: Mapping[str, Any]) -> Markup:
    """Return the named template filled with the context, all of whose text is escaped."""
    return Markup(_environment().get_template(name).render(context))


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("neptune_nas.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["code"] = _with_code
    return made


def _with_code(text: str) -> Markup:
    """Escape a text, and mark what is between backticks as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


@cache
def _web(name: str) -> str:
    return (files("neptune_nas.report") / "web" / name).read_text(encoding="utf-8")


@cache
def _packed_plotly() -> str:
    """Return plotly.js gzipped and in base64, at two fifths of its size."""
    return _pack(get_plotlyjs())


def _pack(text: str) -> str:
    """Return a text gzipped and in base64: small, and without characters special to HTML."""
    return base64.b64encode(gzip.compress(text.encode(), _LEVEL, mtime=0)).decode()


def _policy(scripts: Sequence[str]) -> str:
    """Return a content security policy that allows these scripts only, and no network.

    plotly's WebGL compiles its drawing code, which needs `unsafe-eval`.
    """
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {hashes} 'unsafe-eval'; "
        f"style-src 'unsafe-inline'; img-src data: blob:"
    )


def _digest(script: str) -> str:
    """Return the SHA-256 of a script in the notation of policies."""
    return base64.b64encode(sha256(script.encode()).digest()).decode()
