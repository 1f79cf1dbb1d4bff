"""The page as people use it, in a real browser without a network."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.color import Color
from selenium.webdriver.support.ui import WebDriverWait

from neptune_nas.architecture.description import describe
from neptune_nas.data.labelled_images import LabelledImages
from neptune_nas.report.evaluation import render_evaluation
from neptune_nas.report.page import render
from neptune_nas.report.svg import draw_svg
from neptune_nas.report.tables import trials_csv
from neptune_nas.retrain.curves import render_curves
from neptune_nas.study.study import Study
from tests.report.browser import find_browser, open_page, start, wait_for
from tests.report.fixtures import MODEL, make_reference, make_results, plain_results, plain_trial
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
def chrome() -> Iterator[Chrome]:
    found = find_browser()
    if found is None:
        pytest.skip("no Chromium with chromedriver is installed: apt-get install chromium-driver")
    browser = start(*found)
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def study() -> Study:
    return make_results(60)


@pytest.fixture(scope="module")
def crowded(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page with limits, choices, and many plain networks."""
    question = replace(study.settings.question, constraints=("flops<=2M", "params<=90k"))
    facts = replace(study.settings.facts, choices=("Space: auto; `space` (--space) changes it.",))
    settings = replace(study.settings, question=question, facts=facts)
    plain = [make_reference(f"plain-{i}", 0.9, 0.94, macs=90_000 * i) for i in range(1, 6)]
    known = replace(study, settings=settings, references=(*study.references, *plain))
    return save(tmp_path_factory.mktemp("crowded"), known)


@pytest.fixture(scope="module")
def page(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("report"), study)


def save(folder: Path, *studies: Study) -> Path:
    path = folder / "report.html"
    path.write_text(render(studies), encoding="utf-8")
    return path


def errors(chrome: Chrome) -> list[Any]:
    """Return what the console complains about, but for a software renderer's remarks on speed."""
    lines = chrome.get_log("browser")  # type: ignore[no-untyped-call]  # selenium leaves it untyped
    return [line for line in lines if line["level"] != "INFO" and line["source"] != "rendering"]


def column(chrome: Chrome, name: str) -> list[str]:
    """Return the texts of one column of the page's table."""
    return list(
        chrome.execute_script(
            """const heads = [...document.querySelectorAll('#table thead button')];
            const i = heads.findIndex((head) => head.dataset.sort === arguments[0]);
            return [...document.querySelectorAll('#table tbody tr')]
              .map((row) => row.cells[i].textContent);""",
            name,
        )
    )


def write_filter(chrome: Chrome, text: str) -> None:
    field = chrome.find_element(By.ID, "filter")
    field.clear()
    field.send_keys(text)


def hidden_links(chrome: Chrome) -> list[str]:
    """Return the links at the top that cannot be clicked, or are too small for a finger."""
    script = """return [...document.querySelectorAll('nav a, #theme')].filter((link) => {
          const { left, top, width, height } = link.getBoundingClientRect();
          const hit = document.elementFromPoint(left + width / 2, top + height / 2);
          return !link.contains(hit) || height < 24;
        }).map((link) => link.textContent)"""
    return list(chrome.execute_script(script))


def overflow(chrome: Chrome) -> int:
    """By how many pixels the page is wider than the window."""
    script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    return int(chrome.execute_script(script))


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


def test_dark_paper_is_dark_and_the_button_turns_it(chrome: Chrome, page: Path) -> None:
    def brightness() -> float:
        body = chrome.find_element(By.TAG_NAME, "body")
        color = Color.from_string(body.value_of_css_property("background-color"))
        return sum((color.red, color.green, color.blue)) / 765

    def text_of_figures() -> str:
        script = "return document.querySelector('[data-figure=pareto]').layout.font.color"
        return str(chrome.execute_script(script))

    open_page(chrome, page, dark=True)
    dark_text = text_of_figures()
    assert brightness() < 0.2
    chrome.find_element(By.ID, "theme").click()
    assert brightness() > 0.9
    assert text_of_figures() != dark_text


def test_a_click_on_a_point_opens_its_architecture(
    chrome: Chrome, page: Path, study: Study
) -> None:
    open_page(chrome, page)
    chrome.execute_script("document.getElementById('front').scrollIntoView()")
    point = chrome.find_elements(By.CSS_SELECTOR, "[data-figure=pareto] .trace")[3].find_elements(
        By.CSS_SELECTOR, "path.point"
    )[0]
    ActionChains(chrome).move_to_element(point).pause(0.2).click().perform()
    wait_for(chrome, "return document.getElementById('network').open")
    cheapest = study.pareto()[0]
    assert chrome.find_element(By.ID, "network-title").text == f"Trial {cheapest.number}"
    drawing = chrome.execute_script(
        "return document.querySelector('#network svg.net').querySelectorAll('circle').length"
    )
    stages = cheapest.architecture.stages
    assert drawing == 3 + sum(1 + len(stage.substages) for stage in stages)


def test_a_click_on_a_row_opens_its_architecture(chrome: Chrome, page: Path, study: Study) -> None:
    open_page(chrome, page)
    chrome.execute_script("document.querySelector('#table tbody tr').click()")
    first = study.ranking()[0].trial.number
    assert chrome.find_element(By.ID, "network-title").text == f"Trial {first}"
    command = chrome.find_element(By.CSS_SELECTOR, "#network code").text
    assert command == f"neptune-nas train studies/digits --trial {first}"
    card = chrome.find_element(By.CSS_SELECTOR, f".card[data-number='{first}'] code")
    assert card.get_attribute("textContent") == command


def test_an_opened_trial_of_a_table_gives_the_command_that_exports_it(
    chrome: Chrome, tmp_path: Path
) -> None:
    study = plain_results(plain_trial(4, 0.9, 10_000), trains=False)
    open_page(chrome, save(tmp_path, study))
    chrome.execute_script("document.querySelector('#table tbody tr').click()")
    command = chrome.find_element(By.CSS_SELECTOR, "#network code").text
    assert command == f"neptune-nas export {study.folder} --trial 4 -o trial-4.json"


def test_an_opened_trial_shows_the_interval_that_its_card_shows(
    chrome: Chrome, tmp_path: Path
) -> None:
    repeated = plain_trial(0, None, 10_000, seeds=(0.90, 0.91, 0.92))
    path = tmp_path / "repeated.html"
    path.write_text(render([plain_results(repeated)]), encoding="utf-8")
    open_page(chrome, path)
    head = chrome.find_element(By.CSS_SELECTOR, "#table [data-sort='accuracy']").text
    assert head.lower() == "accuracy [95% between seeds]"
    card = chrome.find_element(By.CSS_SELECTOR, ".card .interval").text
    chrome.execute_script("document.querySelector('#table tbody tr').click()")
    shown = chrome.find_element(By.CSS_SELECTOR, "#network .interval").text
    # 4.3027 x 0.01 / sqrt(3) = 0.0248 between seeds; on 288 images Wilson's interval of 0.91 is
    # 0.8713 to 0.9379, so 0.0387 and 0.0279 away; together 0.0459 and 0.0373.
    assert (
        shown == card == "86.4 to 94.7% on new images (95% interval, from 3 seeds and 288 images)"
    )


@pytest.mark.parametrize(
    ("objectives", "shown", "opened"),
    [
        (("accuracy", "flops"), ["flops", "params"], ["FLOPs", "20k"]),
        (("accuracy", "activations"), ["flops", "params", "activations"], ["FLOPs", "20k"]),
        (
            ("loss", "macs"),
            ["loss", "flops", "macs", "params"],
            ["loss", "1.0000", "FLOPs", "20k", "MACs", "10k"],
        ),
    ],
)
def test_table_and_opened_trial_show_what_the_study_aims_at(
    chrome: Chrome, tmp_path: Path, objectives: tuple[str, ...], shown: list[str], opened: list[str]
) -> None:
    study = plain_results(plain_trial(0, 0.9, 10_000), objectives=objectives)
    open_page(chrome, save(tmp_path, study))
    heads = chrome.find_elements(By.CSS_SELECTOR, "#table thead button")
    names = [head.get_attribute("data-sort") for head in heads]
    assert names[: len(shown) + 3] == ["place", "number", "accuracy", *shown]
    assert names[len(shown) + 3] == "efficiency"
    chrome.execute_script("document.querySelector('#table tbody tr').click()")
    facts = chrome.find_element(By.CSS_SELECTOR, "#network .costs").text.splitlines()
    assert facts[: len(opened)] == opened
    assert errors(chrome) == []


def test_the_table_begins_in_the_order_of_the_ranking(
    chrome: Chrome, page: Path, study: Study
) -> None:
    open_page(chrome, page)
    expected = [str(standing.trial.number) for standing in study.ranking()[:25]]
    assert column(chrome, "number") == expected


def test_a_click_on_a_heading_sorts_and_another_turns_the_order(chrome: Chrome, page: Path) -> None:
    open_page(chrome, page)
    sort = "document.querySelector('[data-sort=accuracy]').click()"
    chrome.execute_script(sort)
    falling = column(chrome, "accuracy")
    chrome.execute_script(sort)
    rising = column(chrome, "accuracy")
    assert falling == sorted(falling, reverse=True)
    assert rising == sorted(rising)
    assert rising != falling


def test_the_filter_takes_words_and_conditions(chrome: Chrome, page: Path, study: Study) -> None:
    open_page(chrome, page)
    chrome.find_element(By.ID, "everything").click()
    write_filter(chrome, "attn flops<1M accuracy>=50%")
    expected = [
        trial
        for trial in study.trials
        if trial.values["flops"] < 1_000_000
        and trial.score
        and trial.score.main >= 0.5
        and "attn" in describe(trial.architecture)
    ]
    assert 0 < len(expected) < len(study.trials)
    assert chrome.find_element(By.ID, "count").text.endswith(f" of {len(expected)} trials")
    assert all("attn" in text for text in column(chrome, "architecture"))
    write_filter(chrome, "nothing-like-this")
    assert chrome.find_element(By.ID, "count").text == "no trial matches"


def test_the_downloaded_csv_holds_the_numbers_of_trials_csv(
    chrome: Chrome, page: Path, study: Study, tmp_path: Path
) -> None:
    open_page(chrome, page)
    where = {"behavior": "allow", "downloadPath": str(tmp_path)}
    chrome.execute_cdp_cmd("Browser.setDownloadBehavior", where)
    chrome.find_element(By.ID, "everything").click()
    chrome.execute_script("document.querySelector('[data-sort=number]').click()")
    chrome.find_element(By.ID, "download").click()
    target = tmp_path / "ranking.csv"
    wait_until_written(chrome, target)
    got = list(csv.DictReader(io.StringIO(target.read_text(encoding="utf-8"))))
    expected = list(csv.DictReader(io.StringIO(trials_csv(study))))
    for name in ("number", "accuracy", "flops", "efficiency"):
        assert [number(row[name]) for row in got] == [number(row[name]) for row in expected]
    assert [row["architecture"] for row in got] == [row["architecture"] for row in expected]


def wait_until_written(chrome: Chrome, target: Path) -> None:
    WebDriverWait(chrome, 20).until(lambda _: target.is_file() and target.stat().st_size > 0)


def number(text: str) -> float | None:
    return float(text) if text else None


def test_an_opened_trial_has_the_drawing_that_its_card_has(
    chrome: Chrome, page: Path, study: Study
) -> None:
    open_page(chrome, page)
    picked = chrome.find_element(By.CSS_SELECTOR, "#table tbody td:nth-child(2)").text
    chrome.execute_script("document.querySelector('#table tbody tr').click()")
    script = f"""const opened = document.querySelector('#network svg.net');
        const printed = document.querySelector('.card[data-number="{picked}"] svg.net');
        return [opened.outerHTML, printed.outerHTML];"""
    opened, printed = chrome.execute_script(script)
    assert opened == printed
    assert draw_svg(study.trials[int(picked)].architecture, MODEL).count("<rect") > 5


def test_print_leaves_out_what_cannot_be_pressed_and_turns_to_dark_ink(
    chrome: Chrome, page: Path
) -> None:
    open_page(chrome, page, dark=True)
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    for part in (".top", ".tools", ".pager", ".modebar", "[data-copy]"):
        assert not chrome.find_element(By.CSS_SELECTOR, part).is_displayed()
    chrome.execute_script("dispatchEvent(new Event('beforeprint'))")
    ink = chrome.execute_script("return document.querySelector('.figure').layout.font.color")
    assert ink == "#1c2228"


def test_thousands_of_points_are_drawn_with_webgl(chrome: Chrome, tmp_path: Path) -> None:
    trials = (plain_trial(i, 0.1 + i % 90 / 100, 1000 + 7 * i) for i in range(1200))
    open_page(chrome, save(tmp_path, plain_results(*trials)))
    assert errors(chrome) == []
    canvases = chrome.find_elements(By.CSS_SELECTOR, "[data-figure=pareto] canvas")
    assert len(canvases) > 0


def test_a_study_named_like_a_script_does_no_harm(
    chrome: Chrome, study: Study, tmp_path: Path
) -> None:
    settings = replace(study.settings, name=EVIL)
    open_page(chrome, save(tmp_path, replace(study, settings=settings)))
    assert chrome.find_element(By.TAG_NAME, "h1").text == EVIL
    assert errors(chrome) == []


def test_two_studies_lie_over_each_other(chrome: Chrome, study: Study, tmp_path: Path) -> None:
    open_page(chrome, save(tmp_path, study, make_results(30, seed=1, name="other")), 390)
    assert errors(chrome) == []
    assert overflow(chrome) == 0
    legend = chrome.find_elements(By.CSS_SELECTOR, "[data-figure=pareto] .legendtext")
    assert {"front of digits", "front of other"} <= {text.text for text in legend}


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
