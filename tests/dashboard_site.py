"""A real Chromium, and the dashboard in it."""

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

#: Errors and warnings that pages logged, of all sites: tests/acceptance/conftest.py fails a test that leaves one.
COMPLAINTS: Final[list[str]] = []
#: What sites have opened: `close_pages` closes it after each test, for a page goes on asking.
OPENED: Final[list[BrowserContext]] = []


def close_pages() -> None:
    """Close what sites have opened: before a server goes that they ask, and after each test."""
    while OPENED:
        OPENED.pop().close()


@contextmanager
def chromium() -> Generator[Browser]:
    """Open Debian's Chromium."""
    path = shutil.which("chromium")
    assert path, "chromium is missing: run `make debian`, or install Debian's package chromium"
    # As root in a container it cannot make its sandbox; the pages are our own.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            yield opened
        finally:  # of a benchmark, say, after which no fixture closes them
            close_pages()
            opened.close()


@dataclass(kw_only=True)
class Site:
    """A dashboard, the keys to it, and the errors and warnings that its pages logged."""

    browser: Browser
    url: str
    keys: dict[str, str]
    now: int
    complaints: list[str] = field(default_factory=lambda: COMPLAINTS)

    def open(self, path: str = "/", *, width: int = 1280, scheme: str = "light") -> Page:
        """Open the dashboard in a browser context of its own."""
        page = self.blank(width=width, scheme=scheme)
        page.goto(f"{self.url}{path}")
        return page

    def blank(self, *, width: int = 1280, scheme: str = "light") -> Page:
        """Open an empty page in a browser context of its own, in Berlin's time zone."""
        context = self.browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            locale="en-GB",
            timezone_id="Europe/Berlin",
        )
        OPENED.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        # A violation of the Content-Security-Policy is an error in the console.
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def forgive(self, reason: str) -> None:
        """Take away what was logged for a reason that the test is about: all of it has these words."""
        assert all(reason in text for text in self.complaints), self.complaints
        self.complaints.clear()

    def enter(self, who: str = "acme", path: str = "/", *, shown: str = "#tiles .tile", **how: object) -> Page:
        """Open the dashboard with a key, and wait until it shows its tiles, or something else."""
        page = self.open(path, **how)
        page.get_by_label("Key", exact=True).fill(self.keys[who])
        page.get_by_role("button", name="Show calls").click()
        expect(page.locator(shown).first).to_be_visible()
        expect(page.locator("#progress")).to_have_text("")
        return page
