"""Every view of the dashboard, and how it is reached: for tests that must hold on each of them."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, Route, expect

from tests.acceptance.dashboard_calls import store_calls_and_keys
from tests.api_server import serving
from tests.dashboard_site import Site
from tests.databases import NewDatabase
from tests.recorded_details import legs_heard
from tollbook.model.charge import Price
from tollbook.model.fold import FoldSettings
from tollbook.store.calls.batch import write_batch
from tollbook.store.database import connect
from tollbook.store.days.partitions import Partitions

# A recorded call of a queue, whose first agent let it ring, and its day.
RECORDED = "queue_first_agent_rings_out"
QUEUED = "81810163-4dff-493c-bcc5-cd1bdfdfce8e"
RECORDED_DAY = "range=custom&from=2026-11-28T00:00&to=2026-11-29T00:00&tz=UTC"


@contextmanager
def site_of_views(browser: Browser, new_database: NewDatabase, folder: Path) -> Generator[Site]:
    """The dashboard over calls of the last hours, and RECORDED with all its legs."""
    now = time.time_ns() // 1_000_000
    with new_database() as url:
        secrets = store_calls_and_keys(url, now)
        with connect(url, name="test") as database:
            free = Price(cost_micros=0, parts=())
            write_batch(database, legs_heard(RECORDED), FoldSettings(), lambda _: free, Partitions())
        with serving(url, folder / "serve.log") as server:
            yield Site(browser=browser, url=server.url, keys=secrets, now=now)


def _nothing(_: Page) -> None:
    """Do nothing: the page shows what it is to show once it is entered."""


def _signed_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_label("Key", exact=True)).to_be_focused()


def _everything_open(page: Page) -> None:
    expect(page.locator("#rankings table").first).to_be_visible()
    for summary in page.locator("#calls-view summary").all():
        summary.click()


def _with_meanings(page: Page) -> None:
    page.get_by_label("Find calls").fill("sale")
    page.keyboard.press("Enter")
    expect(page.locator("#meanings button").first).to_be_focused()


def _call(page: Page) -> None:
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("svg.legs")).to_be_visible()
    for summary in dialog.locator("summary").all():
        summary.click()


def _month(page: Page) -> None:
    expect(page.locator("#month-cards")).to_contain_text("By destination")
    expect(page.locator("#month-cards")).to_contain_text("Statement")
    expect(page.locator("#month-title")).not_to_contain_text("Loading")


def _month_of_all(page: Page) -> None:
    _month(page)
    expect(page.locator("#month-cards")).to_contain_text("By gateway")
    expect(page.locator("#month-cards")).to_contain_text("May be free by mistake")


def _now(page: Page) -> None:
    expect(page.locator("#now-cards")).to_contain_text("Agents")
    page.locator("#thresholds summary").click()
    page.locator("#wall-links summary").click()
    form = page.get_by_role("form", name="A link to make")
    form.get_by_label("Account").fill("acme")
    form.get_by_label("Queue").fill("sales")
    page.get_by_role("button", name="Make a link").click()
    expect(page.get_by_label("Link to sales", exact=True)).to_be_focused()


def _wallboard(page: Page) -> None:
    page.get_by_role("link", name="Open the wallboard").click()
    expect(page.locator("#tiles .tile").first).to_be_visible()
    expect(page.locator("#queues")).to_contain_text("sales")


def _refused(page: Page) -> None:
    def answer(route: Route) -> None:
        body = '{"ok": false, "code": "question_too_large", "message": "ask for less time"}'
        route.fulfill(status=422, body=body, content_type="application/json")

    page.route("**/v1/stats*", answer)
    page.get_by_role("combobox", name="Disposition").select_option("answered")
    expect(page.get_by_role("alert")).to_contain_text("Ask for less time")


@dataclass(frozen=True, kw_only=True)
class View:
    """A view: whose key opens it, the address without its #, and what is done there; `complains`: what its
    console logs for a reason."""

    name: str
    who: str = "acme"
    address: str = ""
    reach: Callable[[Page], None] = _nothing
    complains: str = ""

    def enter(self, site: Site) -> Page:
        """Open it in a browser of its own."""
        tab = next((name for name in ("month", "now") if f"view={name}" in self.address), "")
        shown = f"#{tab}-tiles .tile" if tab else "#tiles .tile"
        page = site.enter(self.who, f"/#{self.address}", shown=shown)
        self.reach(page)
        return page

    def __str__(self) -> str:
        return self.name


VIEWS = (
    View(name="sign-in", reach=_signed_out),
    View(name="overview", reach=_everything_open),
    View(name="overview of all accounts", who="operator", reach=_everything_open),
    View(name="filters and columns", address="queue_id=sales&cols=from,to,result,cause,pdd,mos,id&order=asc"),
    View(name="a word with several meanings", reach=_with_meanings),
    View(name="call", who="operator", address=f"{RECORDED_DAY}&call={QUEUED}", reach=_call),
    View(name="month", address="view=month", reach=_month),
    View(name="month of all accounts", who="operator", address="view=month", reach=_month_of_all),
    View(name="now", who="operator", address="view=now", reach=_now),
    View(name="wallboard", who="operator", address="view=now", reach=_wallboard),
    View(name="nothing", who="void"),
    View(name="refused", reach=_refused, complains="422"),
)
