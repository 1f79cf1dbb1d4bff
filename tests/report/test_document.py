import base64
import re
from hashlib import sha256

import pytest
from jinja2 import UndefinedError

from neptune_nas.report.document import document
from tests.report.reading import unpack, visible

DATA = '{"text": "</script>"}'
EVIL = "<i>costs {{ 5 }}</i>"
SECTIONS = {"loss": "Loss & more", "seeds": "Seeds"}


@pytest.fixture(scope="module")
def page() -> str:
    context = {"lead": EVIL, "metric": "top & most", "smoothing": "", "heads": (), "seeds": ()}
    return document("curves", "a <b>net", SECTIONS, DATA, context)


def test_the_title_is_shown_as_it_is(page: str) -> None:
    assert "<title>a &lt;b&gt;net - neptune-nas</title>" in page


def test_the_bar_leads_to_each_section_in_order(page: str) -> None:
    links = re.findall(r'<a href="#(\w+)">([^<]*)</a>', page)
    assert links == [("loss", "Loss &amp; more"), ("seeds", "Seeds")]


def test_the_body_shows_texts_as_they_are(page: str) -> None:
    assert "&lt;i&gt;costs {{ 5 }}&lt;/i&gt;" in visible(page)
    assert "Validation top &amp; most" in visible(page)
    assert EVIL not in page


def test_a_text_that_a_template_needs_and_nobody_gave_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="'lead' is undefined"):
        document("curves", "net", SECTIONS, DATA, {})


def test_the_data_cannot_end_their_element(page: str) -> None:
    assert unpack(page, "data") == DATA
    assert DATA not in page


def test_the_policy_allows_the_shell_the_page_and_plotly_and_nothing_else(page: str) -> None:
    plain = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    assert len(plain) == 2
    scripts = [*plain, unpack(page, "plotly")]
    hashes = [base64.b64encode(sha256(text.encode()).digest()).decode() for text in scripts]
    assert re.findall(r"'sha256-([^']+)'", page) == hashes


def test_it_loads_nothing(page: str) -> None:
    assert "default-src 'none'" in page
    assert not re.search(r'(src|href)="(?!#)', visible(page))
