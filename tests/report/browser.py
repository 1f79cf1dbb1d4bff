"""Chromium without a screen and without a network.

`python -m tests.report.browser report.html report.png` keeps a picture of a report.
"""

import base64
import shutil
import sys
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

from neptune_nas.report.page import render
from neptune_nas.study.study import Study

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--enable-unsafe-swiftshader",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
PATIENCE = 60  # seconds until a page that is not ready counts as broken


def find_browser() -> tuple[str, str] | None:
    """Return the browser and its driver, where both are installed."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


def start(browser: str, driver: str) -> Chrome:
    """Return a browser that records what its console says."""
    options = ChromeOptions()
    options.binary_location = browser
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return Chrome(options=options, service=Service(driver))


def open_page(chrome: Chrome, path: Path, width: int = 1280, dark: bool = False) -> None:
    """Open a report from disk at this width, and wait until its figures are drawn."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    still = {"name": "prefers-reduced-motion", "value": "reduce"}
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme, still]})
    chrome.get(path.absolute().as_uri())
    wait_for(chrome, "return document.documentElement.dataset.ready === 'yes'")


def wait_for(chrome: Chrome, script: str) -> Any:
    """Wait until a script's value is true, and return it."""
    return WebDriverWait(chrome, PATIENCE).until(lambda c: c.execute_script(script))


def screenshot(chrome: Chrome) -> bytes:
    """Return what the window shows, as PNG."""
    shot = chrome.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    return base64.b64decode(shot["data"])


def main(page: Path, target: Path) -> None:
    """Keep a picture of the top of a report."""
    found = find_browser()
    if found is None:
        raise SystemExit(f"none of {', '.join(BROWSERS)} is installed, or chromedriver is not.")
    chrome = start(*found)
    try:
        open_page(chrome, page)
        target.write_bytes(screenshot(chrome))
    finally:
        chrome.quit()


def save(folder: Path, *studies: Study) -> Path:
    """Write the report of some studies to a folder."""
    path = folder / "report.html"
    path.write_text(render(studies), encoding="utf-8")
    return path


def errors(chrome: Chrome) -> list[Any]:
    """Return what the console complains about, but for a software renderer's remarks on speed."""
    lines = chrome.get_log("browser")  # type: ignore[no-untyped-call]  # selenium leaves it untyped
    return [line for line in lines if line["level"] != "INFO" and line["source"] != "rendering"]


def overflow(chrome: Chrome) -> int:
    """By how many pixels the page is wider than the window."""
    script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    return int(chrome.execute_script(script))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
