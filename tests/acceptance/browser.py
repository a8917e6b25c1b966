"""A real browser without a screen, for the tests of pages."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.until import until

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,1000",
)


@contextmanager
def chromium(*flags: str) -> Iterator[Chrome]:
    """Run Chromium with a profile of its own; skips the calling test with a sentence where it is not installed."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed; on Debian: apt-get install chromium chromium-driver")
    options = ChromeOptions()
    options.binary_location = browser
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*FLAGS, *flags, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        with Chrome(options=options, service=Service(driver)) as started:
            yield started


def find(page: Chrome | WebElement, selector: str) -> list[WebElement]:
    """All elements that a CSS selector names."""
    return page.find_elements(By.CSS_SELECTOR, selector)


def one(page: Chrome | WebElement, selector: str) -> WebElement:
    """The first element that a CSS selector names, waited for."""
    return until(lambda: find(page, selector), what=f"an element {selector}")[0]


def texts(page: Chrome, selector: str) -> list[str]:
    """What a person reads in the elements that a CSS selector names, in one look (the page changes meanwhile)."""
    found: list[str] = page.execute_script(
        "return [...document.querySelectorAll(arguments[0])].filter(e => e.checkVisibility()).map(e => e.innerText)",
        selector,
    )
    return found


def complaints(page: Chrome) -> list[str]:
    """What the page's console said since the last look: script errors, and what its Content-Security-Policy stopped."""
    read: Callable[[str], list[dict[str, str]]] = page.get_log
    return [entry["message"] for entry in read("browser") if entry["level"] == "SEVERE"]
