"""Finding calls on the dashboard: pages, order and columns of the list, words with several meanings, the phone."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.shown_page import tiles
from tests.api_server import serving
from tests.dashboard_site import Site
from tests.databases import NewDatabase, store
from tests.factories import call_row, price_of
from tollbook.store import keys
from tollbook.store.database import connect
from tollbook.store.tariffs import tariffs

# One of find, in test_dashboard.py, is run at each change.
pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def site(browser: Browser, new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """120 calls of the last two hours, every fourth in the queue sales@default, taken by the agent sales-ann."""
    now = time.time_ns() // 1_000_000
    with new_database() as url:
        with connect(url, name="test", autocommit=True) as database:
            tariffs.add_account(database, tariffs.Account(account_id="acme", name="acme", plan_id=None))
            for number in range(120):
                queued = number % 4 == 0
                row = call_row(
                    f"call{number:03}", "acme", now - (number + 2) * 60_000, from_num=f"{1000 + number}",
                    queue_id="sales@default" if queued else None, agent_id="sales-ann" if queued else None,
                )  # fmt: skip
                store(database, (row, price_of(row, 14_534 if number else 2_000_000, "EUR")))
            secret = keys.create(database, account_id=None, scopes=["operator"])[1]
        with serving(url, tmp_path_factory.mktemp("find") / "serve.log") as server:
            yield Site(browser=browser, url=server.url, keys={"acme": secret}, now=now)


def test_pages_order_and_columns(site: Site) -> None:
    """Calls 51 and on are a click away and stay while calls come in; order and columns are in the address."""
    page = site.enter()
    count = page.locator("#list-count")
    expect(count).to_have_text("50 of 120")
    page.get_by_role("button", name="Show 50 more").click()
    expect(page.locator("#calls tbody tr")).to_have_count(100)
    expect(count).to_contain_text("100 of 120, as of ")
    page.get_by_role("button", name="Show 50 more").click()
    expect(page.locator("#calls tbody tr")).to_have_count(120)
    page.get_by_role("button", name="Oldest first").click()
    expect(page.locator("#calls tbody tr").first).to_contain_text("1119")
    expect(page.get_by_role("heading", name="Calls, oldest first")).to_be_visible()
    page.get_by_text("Columns", exact=True).click()
    page.get_by_label("Column: Hangup cause").check()
    expect(page.locator("#calls tbody tr").first).to_contain_text("NORMAL_CLEARING")
    page.reload()
    expect(page.locator("#calls th", has_text="Hangup cause")).to_be_visible()
    expect(page.locator("#calls tbody tr").first).to_contain_text("1119")
    assert site.complaints == []


def test_a_word_with_several_meanings_asks(site: Site) -> None:
    """A part of a queue's and of an agent's name offers both; an id opens its call, and one that is none says so."""
    page = site.enter()
    sought = page.get_by_label("Find calls")
    sought.fill("sale")
    page.keyboard.press("Enter")
    meanings = page.locator("#meanings button")
    expect(meanings.first).to_be_focused()
    assert meanings.all_inner_texts() == [
        "Agent sales-ann", "Queue sales@default", "Number that is or begins with sale", "Call with the id sale",
    ]  # fmt: skip
    page.keyboard.press("Enter")
    expect(page.locator("#chips li")).to_have_text(["Agent: sales-ann×"])
    sought.fill("call007")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("1007")
    assert "call=call007" in page.url
    page.reload()  # an open call is a link, too
    expect(page.get_by_role("dialog")).to_contain_text("1007")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).not_to_be_visible()
    assert "call=" not in page.url
    sought.fill("call: nothing")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("No call that this key may see has the id nothing")
    site.forgive("404")


def test_figures_of_another_filter_never_stand_above_the_calls(site: Site) -> None:
    """Where the API refuses the sums, the page has the message and no figures, and the calls all the same."""
    page = site.enter()
    assert tiles(page)["Calls"] == "120"
    refusal = '{"ok": false, "code": "question_too_large", "message": "ask for less time"}'
    page.route("**/v1/stats*", lambda route: route.fulfill(status=422, body=refusal, content_type="application/json"))
    page.get_by_role("combobox", name="Disposition").select_option("answered")
    expect(page.get_by_role("alert")).to_contain_text("Ask for less time")
    expect(page.locator(".tile")).to_have_count(0)
    expect(page.locator("#list-count")).to_have_text("50 and more")
    site.forgive("422")


def test_a_call_is_two_lines_on_the_phone(site: Site) -> None:
    """With who called whom in the first and the result, the length and the cost in the second; nothing is hidden."""
    page = site.enter(width=390)
    row = page.locator("#calls tbody tr").first
    expect(row).to_be_visible()
    # A queue, an agent and an account, all in words, may need a third.
    assert page.locator("#calls tbody tr").nth(1).evaluate("row => row.clientHeight") < 60
    for text in ("1000", "+4930123456", "answered", "1:04", "€2.000000", "sales@default", "sales-ann", "acme"):
        expect(row).to_contain_text(text)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
