from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import pytest

from neptune_nas.errors import NeptuneError, OptionError
from neptune_nas.report.image import image


@pytest.mark.parametrize("name", ["front", "front.bmp"])
def test_a_name_without_a_known_ending_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match="must end in one of html, pdf, png, svg, webp"):
        image(go.Figure(), Path(name))


def test_without_kaleido_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neptune_nas.report.image.find_spec", lambda _: None)
    with pytest.raises(NeptuneError, match=r"pip install 'neptune-nas\[image\]'"):
        image(go.Figure(), Path("front.png"))


def test_without_a_browser_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> bytes:
        raise RuntimeError("\nKaleido requires Google Chrome to be installed.\n\nmore")

    monkeypatch.setattr("neptune_nas.report.image.find_spec", lambda _: object())
    monkeypatch.setattr(go.Figure, "to_image", refuse)
    with pytest.raises(
        NeptuneError, match=r"\(Kaleido requires Google .*installed\.\).*BROWSER_PATH"
    ):
        image(go.Figure(), Path("front.png"))


def test_the_format_is_that_of_the_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neptune_nas.report.image.find_spec", lambda _: object())
    monkeypatch.setattr(go.Figure, "to_image", lambda _, **given: given["format"].encode())
    assert image(go.Figure(), Path("front.SVG")) == b"svg"


def test_a_page_needs_neither_kaleido_nor_a_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neptune_nas.report.image.find_spec", lambda _: None)
    assert b"Plotly.newPlot" in image(go.Figure(), Path("front.html"))
