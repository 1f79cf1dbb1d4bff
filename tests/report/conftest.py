"""A browser, and a page in it, for the tests of the report."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from neptune_nas.study.study import Study
from tests.report.browser import find_browser, save, start
from tests.report.fixtures import make_results


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
def page(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("report"), study)
