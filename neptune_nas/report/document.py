"""The frame of every page: one HTML file that works offline, its data and plotly.js inside."""

import base64
import gzip
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs


def document(
    name: str, title: str, sections: Mapping[str, str], data: str, context: Mapping[str, Any]
) -> str:
    """Return the text of an HTML file that loads nothing.

    `name`: of the template of its body, and of the script that follows the shell that all pages
    have. `sections`: what the bar at the top calls the elements of the body, by their ids. `data`:
    JSON, for the script. `context`: what the template shows; all of it is escaped.
    """
    scripts = [_web("shell.js"), _web(f"{name}.js")]
    frame = {
        "title": title,
        "sections": sections,
        "policy": Markup(_policy([*scripts, get_plotlyjs()])),
        "css": Markup(_web("page.css")),
        "scripts": [Markup(script) for script in scripts],
        "data": Markup(_packed(data)),
        "plotly": Markup(_packed_plotly()),
    }
    return fill(f"{name}.html", {**context, **frame})


def fill(name: str, context: Mapping[str, Any]) -> Markup:
    """Return the template of this name with the context in it, every text of which is escaped."""
    return Markup(_environment().get_template(name).render(context))


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("neptune_nas.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@cache
def _web(name: str) -> str:
    return (files("neptune_nas.report") / "web" / name).read_text(encoding="utf-8")


@cache
def _packed_plotly() -> str:
    """Return plotly.js, gzipped and in base64: two fifths of its size."""
    return _packed(get_plotlyjs())


def _packed(text: str) -> str:
    """Return a text gzipped and in base64: small, and nothing in it that HTML would act on."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _policy(scripts: Sequence[str]) -> str:
    """Return a content security policy: no network, and no scripts but these.

    plotly's WebGL compiles its drawing code, which is why `unsafe-eval` is among them.
    """
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {hashes} 'unsafe-eval'; "
        f"style-src 'unsafe-inline'; img-src data: blob:"
    )


def _digest(script: str) -> str:
    """Return the SHA-256 of a script as policies write it."""
    return base64.b64encode(sha256(script.encode()).digest()).decode()
