"""The layout of the pages in a real browser: nothing hidden, cut off, overlapping or pale."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from neptune_nas.data.labelled_images import LabelledImages
from neptune_nas.report.evaluation import render_evaluation
from neptune_nas.retrain.curves import render_curves
from neptune_nas.study.study import Study
from tests.report.browser import errors, open_page, overflow, save, wait_for
from tests.report.fixtures import make_reference
from tests.report.test_evaluation import evaluated
from tests.retrain.test_curves import HISTORIES, TASK
from tests.retrain.test_metrics import METRICS, TERMS

pytestmark = pytest.mark.xdist_group("browser")

EVIL = "<script>alert(1)</script>"
WIDTHS = (1280, 390)

COLLISIONS = """
  const found = [];
  const box = (node) => node.getBoundingClientRect();
  const meet = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2;
  for (const figure of document.querySelectorAll('.figure')) {
    const frames = [...figure.querySelectorAll('.nsewdrag')].map(box); // points outside are cut off
    const texts = [...figure.querySelectorAll('svg text')].filter((text) => box(text).width > 0);
    const bars = figure.dataset.figure === 'importance' ? ', .bars path' : '';
    const marks = [...figure.querySelectorAll('.scatterlayer .point' + bars)]
      .filter((mark) => frames.some((frame) => meet(frame, box(mark))));
    texts.forEach((text, i) => {
      const { left, right } = box(text);
      if (left < 0 || right > innerWidth) found.push(`${text.textContent} is cut`);
      for (const other of [...texts.slice(i + 1), ...marks]) {
        if (meet(box(text), box(other))) found.push(`${text.textContent} on ${other.textContent}`);
      }
    });
  }
  return found;"""
"""Texts in figures that overlap other texts or points, or leave the window."""

PALE = """
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const paint = (colors) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const [color, alpha] of colors) {
      canvas.globalAlpha = alpha;
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
    }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (rgb) => rgb.map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const found = new Set();
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some((c) => c.nodeType === 3 && c.data.trim());
    if (!(own || node.placeholder) || !node.getClientRects().length || node.disabled) continue;
    if (node.closest('.bars')) continue; // plotly chooses the color of text in bars
    const style = getComputedStyle(node, node.placeholder ? '::placeholder' : null);
    const above = [];
    for (let up = node; up; up = up.parentElement) {
      above.unshift([getComputedStyle(up).backgroundColor, 1]);
    }
    const svg = node.namespaceURI.endsWith('svg');
    const ink = [svg ? style.fill : style.color, svg ? Number(style.fillOpacity) : 1];
    const [light, dark] = [paint(above), paint([...above, ink])].map(luminance)
      .sort((a, b) => b - a);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < 4.5) found.add(`${node.tagName} ${node.textContent} ${contrast.toFixed(2)}`);
  }
  return [...found];"""
"""Texts with less contrast to their background than WCAG AA requires."""


@pytest.fixture(scope="module")
def crowded(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page with limits, choices, and many plain networks."""
    question = replace(study.settings.question, constraints=("flops<=2M", "params<=90k"))
    facts = replace(study.settings.facts, choices=("Space: auto; `space` (--space) changes it.",))
    settings = replace(study.settings, question=question, facts=facts)
    plain = [make_reference(f"plain-{i}", 0.9, 0.94, macs=90_000 * i) for i in range(1, 6)]
    known = replace(study, settings=settings, references=(*study.references, *plain))
    return save(tmp_path_factory.mktemp("crowded"), known)


def hidden_links(chrome: Chrome) -> list[str]:
    """Return the links at the top that cannot be clicked, or are too small for a finger."""
    script = """return [...document.querySelectorAll('nav a, #theme')].filter((link) => {
          const { left, top, width, height } = link.getBoundingClientRect();
          const hit = document.elementFromPoint(left + width / 2, top + height / 2);
          return !link.contains(hit) || height < 24;
        }).map((link) => link.textContent)"""
    return list(chrome.execute_script(script))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_lays_out_and_draws_everything(
    chrome: Chrome, page: Path, width: int, dark: bool
) -> None:
    open_page(chrome, page, width, dark)
    assert errors(chrome) == []
    assert overflow(chrome) == 0
    figures = chrome.find_elements(By.CSS_SELECTOR, ".figure")
    assert len(figures) == 7
    for figure in figures:
        marks = figure.find_elements(By.CSS_SELECTOR, ".trace path, .trace .point, canvas")
        assert marks, figure.get_attribute("data-figure")
    outside = """return [...document.querySelectorAll('.card, .figure, .scroll, .checks, svg.net')]
        .filter((box) => box.getBoundingClientRect().right > innerWidth).length"""
    assert chrome.execute_script(outside) == 0


@pytest.mark.parametrize("width", WIDTHS)
def test_every_link_of_the_navigation_can_be_clicked(
    chrome: Chrome, page: Path, width: int
) -> None:
    open_page(chrome, page, width)
    assert len(chrome.find_elements(By.CSS_SELECTOR, "nav a")) == 7
    assert hidden_links(chrome) == []
    assert chrome.execute_script("return document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", WIDTHS)
def test_no_text_in_a_figure_overlaps_other_text_or_points(
    chrome: Chrome, crowded: Path, width: int
) -> None:
    open_page(chrome, crowded, width)
    assert chrome.execute_script(COLLISIONS) == []


def test_figures_keep_their_height_when_the_window_changes(chrome: Chrome, crowded: Path) -> None:
    heights = "return [...document.querySelectorAll('.figure')].map((each) => each.clientHeight)"
    open_page(chrome, crowded)
    before = chrome.execute_script(heights)
    for height in (700, 800):  # a phone's toolbar comes and goes
        size = {"width": 390, "height": height, "deviceScaleFactor": 1, "mobile": True}
        chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        wait_for(chrome, "return document.querySelector('#front svg.main-svg').clientWidth < 400")
        assert chrome.execute_script(heights) == before


@pytest.mark.parametrize("dark", [False, True])
def test_all_text_has_the_contrast_that_wcag_aa_requires(
    chrome: Chrome, crowded: Path, dark: bool
) -> None:
    open_page(chrome, crowded, 1280, dark)
    assert chrome.execute_script(PALE) == []


def test_headings_are_in_order_and_focus_is_visible(chrome: Chrome, crowded: Path) -> None:
    open_page(chrome, crowded)
    levels = chrome.execute_script(
        "return [...document.querySelectorAll('h1, h2, h3, h4')].map((h) => Number(h.tagName[1]))"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    chrome.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    assert chrome.execute_script(outline) == "solid"


@pytest.mark.parametrize("width", WIDTHS)
def test_the_curves_of_a_training_are_drawn_without_complaint(
    chrome: Chrome, tmp_path: Path, width: int
) -> None:
    path = tmp_path / "curves.html"
    path.write_text(render_curves("net", TERMS, HISTORIES, METRICS, TASK), encoding="utf-8")
    open_page(chrome, path, width)
    lines = "return document.querySelectorAll('.figure .scatterlayer .trace').length"
    assert errors(chrome) == []
    assert chrome.execute_script(lines) == 8
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dark", [False, True])
def test_an_evaluation_fits_and_none_of_its_texts_overlap(
    chrome: Chrome, tmp_path: Path, width: int, dark: bool
) -> None:
    labels = ("cat", EVIL, "a-very-long-name-of-a-class-without-any-blank", *"abcdefghij")
    found, split = evaluated(labels, 400)
    images = LabelledImages("folder:pets", "all", split, notes=("word" * 60,))
    path = tmp_path / "evaluation.html"
    path.write_text(render_evaluation("a/long/" * 20, found, images), encoding="utf-8")
    open_page(chrome, path, width, dark)
    assert errors(chrome) == []
    assert overflow(chrome) == 0
    assert hidden_links(chrome) == []
    shown = """return [...document.querySelectorAll('.gallery img')]
        .filter((image) => image.naturalWidth === 8 && image.width > 90).length"""
    assert chrome.execute_script(shown) == 12
    outside = """const boxes = '.scroll, .warning, .gallery li, h1, .big, .lead';
        return [...document.querySelectorAll(boxes)]
          .filter((box) => box.getBoundingClientRect().right > innerWidth).length"""
    assert chrome.execute_script(outside) == 0
    spilt = """return [...document.querySelectorAll('th, td, .gallery li, .matrix span')]
        .filter((box) => getComputedStyle(box).overflow === 'visible'
          && box.scrollWidth > box.clientWidth + 1).map((box) => box.textContent)"""
    assert chrome.execute_script(spilt) == []
