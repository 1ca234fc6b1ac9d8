"""A day's work at the dashboard by the keyboard alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.dashboard_views import QUEUED, RECORDED_DAY, site_of_views
from tests.acceptance.keys import Keys
from tests.dashboard_site import Site
from tests.databases import NewDatabase


@pytest.fixture(scope="module")
def site(browser: Browser, new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Once for all tests here."""
    with site_of_views(browser, new_database, tmp_path_factory.mktemp("keyboard")) as made:
        yield made


def test_a_days_work_by_keys_alone(site: Site) -> None:
    """Sign in, search, filter, walk the list, open a call, go to the month, save a statement, sign out."""
    page = site.open()
    hands = Keys(page)
    expect(page.get_by_label("Key", exact=True)).to_be_focused()
    hands.type(site.keys["acme"])
    hands.press("Enter")
    expect(page.locator("#calls tbody tr")).to_have_count(9)
    expect(page.locator("#rankings table").first).to_be_visible()

    hands.press("/")
    expect(page.get_by_label("Find calls")).to_be_focused()
    hands.check()
    hands.type("sales")
    hands.press("Enter")
    expect(page.locator("#chips li")).to_have_text(["Queue: sales×"])
    expect(page.locator("#calls tbody tr")).to_have_count(2)
    hands.to("#chips button")
    hands.press("Enter")
    expect(page.locator("#calls tbody tr")).to_have_count(9)

    hands.press("/")
    hands.to("select[name=disposition]")
    hands.type("bu")
    expect(page.locator("#calls tbody tr")).to_have_count(3)
    hands.press("Home")
    expect(page.locator("#calls tbody tr")).to_have_count(9)

    hands.to("#charts svg[tabindex]")
    hands.press("End")
    expect(page.locator("#charts .readout").first).to_contain_text("1")
    hands.to("#calls tbody tr:nth-child(1) button")
    hands.to("#calls tbody tr:nth-child(3) button")
    hands.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    hands.press("Escape")
    expect(dialog).to_be_hidden()
    assert page.evaluate("document.activeElement.matches('#calls tbody tr:nth-child(3) button')")

    hands.to("#views [data-view=month]", key="Shift+Tab")
    hands.press("Enter")
    expect(page.locator("#month-cards")).to_contain_text("Statement, a draft")
    hands.to("#month-cards .links a:last-child")
    with page.expect_download() as saved:
        hands.press("Enter")
    assert Path(saved.value.path()).read_text().count("\n") > 1
    hands.to("#leave", key="Shift+Tab")
    hands.press("Enter")
    expect(page.get_by_label("Key", exact=True)).to_be_focused()
    assert page.context.cookies() == []


@pytest.mark.soak
def test_the_time_line_of_a_call_is_read_by_keys(site: Site) -> None:
    """The arrow keys go from bar to bar and along the arrows, and Tab to the same as a table."""
    page = site.enter("operator", f"/#{RECORDED_DAY}&call={QUEUED}")
    dialog = page.get_by_role("dialog")
    hands = Keys(page)
    hands.to("svg.legs")
    readout = dialog.locator(".leg-line .readout")
    read: list[str] = []
    for _ in range(dialog.locator("svg.legs rect.span, svg.legs g.arrow").count()):
        hands.press("ArrowRight")
        read.append(readout.inner_text())
    assert len(set(read)) == len(read)
    assert any("in the queue 5.6 s" in text for text in read)
    assert any(text.startswith("Calls: ") for text in read)
    expect(dialog.locator("svg.legs .chosen")).to_have_count(1)
    hands.to(".leg-line summary")
    hands.press("Enter")
    expect(dialog.locator(".leg-line tbody tr").first).to_be_visible()
    hands.press("Escape")
    expect(dialog).to_be_hidden()
