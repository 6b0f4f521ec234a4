"""Debian's Chromium, driven by Playwright, for the tests of the page."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, ConsoleMessage, Error, Page, sync_playwright

from tests.support.programs import require_chromium

# The sandbox does not work as root and in containers; the rest keeps it quiet and off the network.
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DEADLINE_MS = 20_000.0


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Start Chromium without a window; skip (with CI=true: fail) where it is not installed."""
    executable = require_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


class Complaints:
    """What a page's scripts threw and what the browser complained about, violations of the CSP included."""

    def __init__(self, page: Page) -> None:
        self.texts: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", self._error)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.texts.append(message.text)

    def _error(self, error: Error) -> None:
        self.texts.append(str(error))
