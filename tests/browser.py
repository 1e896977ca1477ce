"""A browser without a window, for the tests of exported pages and the benchmark of one."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

HOW_TO_INSTALL = (
    "no browser: apt-get install -y chromium && python -m pip install playwright "
    "(or set CHROMIUM to a Chromium's path)"
)


def chromium() -> str | None:
    """The path of a Chromium that Playwright can drive, None without one or without Playwright."""
    try:
        import playwright  # noqa: F401
    except ImportError:
        return None
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@contextmanager
def open_browser() -> Iterator:
    """A headless browser of Playwright's."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()
