"""The page as people use it, in a real browser without a network."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.color import Color
from selenium.webdriver.support.ui import WebDriverWait

from neptune_nas.architecture.description import describe
from neptune_nas.report.page import render
from neptune_nas.report.svg import draw_svg
from neptune_nas.report.tables import trials_csv
from neptune_nas.study.study import Study
from tests.report.browser import errors, open_page, overflow, save, wait_for
from tests.report.fixtures import MODEL, make_results, plain_results, plain_trial

pytestmark = pytest.mark.xdist_group("browser")

EVIL = "<script>alert(1)</script>"
WIDTHS = (1280, 390)


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
