"""A real Chromium, and the dashboard in it."""

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, Page, expect, sync_playwright


@contextmanager
def chromium() -> Generator[Browser]:
    """Open Debian's Chromium."""
    path = shutil.which("chromium")
    assert path, "chromium is missing: run `make debian`, or install Debian's package chromium"
    # As root in a container it cannot make its sandbox; the pages are our own.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=arguments)
        yield opened
        opened.close()


@dataclass(kw_only=True)
class Site:
    """A dashboard, the keys to it, and the errors that its pages logged."""

    browser: Browser
    url: str
    keys: dict[str, str]
    now: int
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str = "/", *, width: int = 1280, scheme: str = "light") -> Page:
        """Open a page in a browser context of its own, in Berlin's time zone."""
        context = self.browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            locale="en-GB",
            timezone_id="Europe/Berlin",
        )
        page = context.new_page()
        page.set_default_timeout(15_000)
        # A violation of the Content-Security-Policy is an error in the console.
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(f"{self.url}{path}")
        return page

    def enter(self, who: str = "acme", path: str = "/", **how: object) -> Page:
        """Open the dashboard with a key, and wait until it shows something."""
        page = self.open(path, **how)
        page.get_by_label("Key", exact=True).fill(self.keys[who])
        page.get_by_role("button", name="Show calls").click()
        expect(page.locator("#tiles .tile").first).to_be_visible()
        expect(page.locator("#progress")).to_have_text("")
        return page
