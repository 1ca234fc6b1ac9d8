"""Whoever writes another account's names into the address sees nothing of it."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.dashboard_calls import store_calls_and_keys
from tests.acceptance.shown_page import tiles
from tests.api_server import serving
from tests.dashboard_site import Site
from tests.databases import NewDatabase

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def site(browser: Browser, new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Calls of acme, in its queue sales, and one of other."""
    now = time.time_ns() // 1_000_000
    with new_database() as url:
        secrets = store_calls_and_keys(url, now)
        with serving(url, tmp_path_factory.mktemp("tampering") / "serve.log") as server:
            yield Site(browser=browser, url=server.url, keys=secrets, now=now)


def test_another_account_s_call_does_not_open(site: Site) -> None:
    """As if there were none of that id, from a link and from the search field."""
    page = site.enter("other", "/#call=answered1")
    expect(page.get_by_role("alert")).to_contain_text("There is no call of this link that your key may see.")
    page.get_by_label("Find calls").fill("call: answered1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("No call that this key may see has the id answered1")
    expect(page.get_by_role("dialog")).to_have_count(0)
    site.forgive("404")


def test_another_account_s_queue_and_number_have_no_calls(site: Site) -> None:
    """Not one in the list, and no sum of them."""
    for address in ("queue_id=sales", "from_num=1001&direction=inbound", "range=720&agent_id=<img"):
        page = site.enter("other", f"/#{address}")
        assert tiles(page)["Calls"] == "0", address
        expect(page.locator("#empty")).to_be_visible()
        assert page.locator("#calls tbody tr").count() == 0


@pytest.mark.parametrize("address", ["account=acme", "view=month&account=acme"])
def test_another_account_is_refused(site: Site, address: str) -> None:
    """By its name as a filter, of calls and of a month: the API's message and no figure."""
    page = site.open(f"/#{address}")
    page.get_by_label("Key", exact=True).fill(site.keys["other"])
    page.get_by_role("button", name="Show calls").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert page.locator(".tile").count() == 0
    assert page.locator("#calls tbody tr").count() == 0
    expect(page.get_by_text("5.25")).to_have_count(0)
    site.forgive("403")
