"""The dashboard shows any month whole, also one whose calls are in the archive alone."""

import time
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, expect
from pydantic import SecretStr

from maintenance.archive.run import archive_calls
from maintenance.prune.run import prune_days
from tests.api_server import serving
from tests.dashboard_site import Site
from tests.databases import NewDatabase, store
from tests.factories import call_row, price_of
from tollbook.config import Settings
from tollbook.model.details import Details
from tollbook.store import keys
from tollbook.store.database import connect
from tollbook.store.tariffs import tariffs
from tollbook.times import MS_PER_DAY, current_day

BERLIN = ZoneInfo("Europe/Berlin")


def test_a_month_of_the_archive_is_whole(site: Site, month: str) -> None:
    """The month before last, of which PostgreSQL has no call: its tiles, a bar a day, its queue, its calls."""
    page = site.enter()
    page.get_by_role("combobox", name="Time", exact=True).select_option("month")
    page.get_by_role("textbox", name="Month", exact=True).fill(month)
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator(".tile .value").first).to_have_text("60")
    expect(page.locator(".tile", has_text="Cost").locator(".value")).to_have_text("€81.00")
    expect(page.get_by_role("heading", name="Calls per day")).to_be_visible()
    assert page.locator("figure").first.locator("g.bar", has=page.locator("rect.fill")).count() == 20
    queues = page.locator("section", has=page.get_by_role("heading", name="Queues"))
    expect(queues.locator("tbody td")).to_have_text(["sales", "60", "33.3%", "66.7%", "0:04", "0:30", "0:50"])
    expect(page.locator("#calls tbody tr")).to_have_count(50)
    page.locator("#calls tbody button").first.click()
    expect(page.get_by_role("dialog")).to_contain_text("sales")
    assert f"month={month}" in page.url
    page.reload()
    expect(page.locator(".tile .value").first).to_have_text("60")
    assert site.complaints == []


@pytest.fixture(scope="module")
def month() -> str:
    """The month before last."""
    now = datetime.now(BERLIN)
    months = now.year * 12 + now.month - 1 - 2
    return f"{months // 12}-{months % 12 + 1:02}"


@pytest.fixture(scope="module")
def site(
    browser: Browser, month: str, new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The dashboard over 60 calls on 20 days of that month, in Berlin's first and last minute too, all pruned."""
    first = datetime.fromisoformat(f"{month}-01T00:00").replace(tzinfo=BERLIN)
    begun = int(first.timestamp()) * 1000
    folder = tmp_path_factory.mktemp("months")
    with new_database() as url:
        with connect(url, name="test", autocommit=True) as database:
            tariffs.add_account(database, tariffs.Account(account_id="acme", name="acme", plan_id=None))
            for number in range(60):
                taken = number % 3 > 0
                row = call_row(
                    f"call{number:02}", "acme", begun + (number // 3) * MS_PER_DAY + number % 3, direction="inbound",
                    queue_id="sales", agent_id="ann" if taken else None,
                    disposition="answered" if taken else "abandoned",
                    details=Details(wait_ms=4000 if taken else 30_000, talk_ms=50_000 if taken else None),
                )  # fmt: skip
                store(database, (row, price_of(row, 1_350_000, "EUR")))
            secret = keys.create(database, account_id="acme", scopes=["cdr"])[1]
        settings = Settings(database_url=SecretStr(url), data_dir=folder)
        archive_calls(settings, now=True)
        assert prune_days(settings, today=current_day()).calls == 60
        with serving(url, folder / "serve.log") as server:
            yield Site(browser=browser, url=server.url, keys={"acme": secret}, now=time.time_ns() // 1_000_000)
