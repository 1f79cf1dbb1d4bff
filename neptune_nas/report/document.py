"""The frame of every page: one HTML file that works offline, its data and plotly.js inside."""

import base64
import gzip
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template

from plotly.offline import get_plotlyjs


def document(
    title: str, sections: Mapping[str, str], body: str, data: str, scripts: Sequence[str]
) -> str:
    """The text of an HTML file that loads nothing.

    `sections`: what the bar at the top calls the elements of `body`, by their ids. `data`: JSON,
    for the scripts. `scripts`: those of the page, which follow the shell that all pages have.
    """
    code = [web(f"{name}.js") for name in ("shell", *scripts)]
    links = (f'<a href="#{place}">{escape(name)}</a>' for place, name in sections.items())
    return Template(web("document.html")).substitute(
        policy=policy([*code, get_plotlyjs()]),
        title=escape(f"{title} - neptune-nas"),
        css=web("page.css"),
        links="\n      ".join(links),
        body=body.rstrip(),
        data=packed(data),
        plotly=packed_plotly(),
        scripts="\n".join(f"<script>{text}</script>" for text in code),
    )


def web(name: str) -> str:
    """A file of the pages' templates."""
    return (files("neptune_nas.report") / "web" / name).read_text(encoding="utf-8")


@cache
def packed_plotly() -> str:
    """plotly.js, gzipped and in base64: two fifths of its size."""
    return packed(get_plotlyjs())


def packed(text: str) -> str:
    """Text gzipped and in base64: small, and nothing in it that HTML would act on."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def policy(scripts: Sequence[str]) -> str:
    """A content security policy: no network, and no scripts but these.

    plotly's WebGL compiles its drawing code, which is why `unsafe-eval` is among them.
    """
    hashes = " ".join(f"'sha256-{digest(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {hashes} 'unsafe-eval'; "
        f"style-src 'unsafe-inline'; img-src data: blob:"
    )


def digest(script: str) -> str:
    """The SHA-256 of a script as policies write it."""
    return base64.b64encode(sha256(script.encode()).digest()).decode()
