"""The dashboard's page of a month: sums, the statement to download, and what operators have to settle."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.shown_page import texts
from tests.api_server import serving
from tests.dashboard_site import Site
from tests.databases import NewDatabase, store
from tests.factories import call_row, price_of
from tollbook.store import keys
from tollbook.store.database import connect
from tollbook.store.tariffs import tariffs

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def site(browser: Browser, new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Calls of this month: three of acme, one of them without a price, and one without an account."""
    now = time.time_ns() // 1_000_000
    with new_database() as url:
        with connect(url, name="test", autocommit=True) as database:
            tariffs.add_account(database, tariffs.Account(account_id="acme", name="acme", plan_id=None))
            for call_id, account, micros in (
                ("a", "acme", 1_500_000),
                ("b", "acme", 500_000),
                ("c", "acme", None),
                ("d", None, None),
            ):
                row = call_row(call_id, account, now - 1000)
                store(database, (row, price_of(row, micros, "EUR", "Germany")))
            secrets = {
                "acme": keys.create(database, account_id="acme", scopes=["cdr"])[1],
                "operator": keys.create(database, account_id=None, scopes=["operator"])[1],
            }
        with serving(url, tmp_path_factory.mktemp("month") / "serve.log") as server:
            yield Site(browser=browser, url=server.url, keys=secrets, now=now)


def test_an_account_sees_its_month(site: Site) -> None:
    """What it cost, where to, and a statement that can be saved; nothing of other accounts, no gateway."""
    page = site.enter()
    page.get_by_role("button", name="Month", exact=True).click()
    expect(page.locator("#month-title")).to_contain_text("so far")
    expect(page.locator("#month-tiles .tile", has_text="Cost").locator(".value")).to_have_text("€2.00")
    expect(page.get_by_role("heading", name="By destination")).to_be_visible()
    assert texts(page, "By destination", "Cost") == ["€2.00"]
    statement = page.locator("section", has=page.get_by_role("heading", name="Statement, a draft"))
    expect(statement).to_contain_text("2.00 EUR")
    expect(statement).to_contain_text("calls without a price: 1")
    with page.expect_download() as download:
        statement.get_by_role("link", name="Download CSV").click()
    assert "Germany" in Path(download.value.path()).read_text()
    for title in ("By account", "By gateway", "To be settled"):
        expect(page.get_by_role("heading", name=title)).to_have_count(0)
    assert site.complaints == []


def test_an_operator_sees_what_is_to_be_settled(site: Site) -> None:
    """Calls without an account and calls without a price, each with what helps; a view is a link."""
    page = site.enter("operator", "/#queue_id=sales")
    page.get_by_role("button", name="Month", exact=True).click()
    expect(page.locator("#month-tiles .value").first).to_have_text("4")  # of all calls, and so the address says
    assert "queue_id" not in page.url
    work = page.locator("section", has=page.get_by_role("heading", name="To be settled"))
    expect(work).to_contain_text("tollbook rerate --unrated")
    expect(work).to_contain_text("tollbook account add acme --plan PLAN")
    assert sorted(zip(texts(page, "To be settled", "Account"), texts(page, "To be settled", "Calls"), strict=True)) == [
        ("acme", "1"), ("none", "1"),
    ]  # fmt: skip
    work.locator("tr", has_text="acme").get_by_role("button").click()
    expect(page.get_by_role("dialog")).to_contain_text("Unrated: no such account")
    assert "view=month" in page.url
    assert "call=c" in page.url
    page.reload()  # a link to a call of a month's list
    expect(page.get_by_role("dialog")).to_contain_text("Unrated: no such account")
    page.keyboard.press("Escape")
    page.get_by_label("Account", exact=True).fill("acme")
    page.get_by_role("button", name="Show month").click()
    expect(page.locator("#month-title")).to_contain_text("acme, so far")
    assert "view=month" in page.url
    page.reload()
    expect(page.get_by_role("heading", name="Statement, a draft")).to_be_visible()
    page.get_by_role("button", name="The month before").click()
    expect(page.locator("#month-cards")).to_contain_text("There is nothing to show of this month.")
    page.go_back()
    expect(page.locator("#month-title")).to_contain_text("so far")
    assert site.complaints == []
