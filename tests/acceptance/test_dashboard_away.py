"""The dashboard while the API is away, and when it is back."""

import datetime as dt
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.dashboard_calls import store_calls_and_keys
from tests.api_server import serving
from tests.dashboard_site import Site
from tests.databases import NewDatabase


@pytest.fixture(scope="module")
def site(browser: Browser, new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    now = time.time_ns() // 1_000_000
    with new_database() as url:
        secrets = store_calls_and_keys(url, now)
        with serving(url, tmp_path_factory.mktemp("away") / "serve.log") as server:
            yield Site(browser=browser, url=server.url, keys=secrets, now=now)


def test_the_notice_goes_as_soon_as_the_api_is_back(site: Site) -> None:
    """Two seconds after the failure everything that failed is asked for again, by the page's own clock."""
    page = site.enter()
    page.clock.install()
    page.clock.pause_at(dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1))
    page.route("**/v1/**", lambda route: route.abort())
    page.get_by_role("button", name="Show", exact=True).click()
    notice = page.get_by_role("alert")
    expect(notice).to_contain_text("The server does not answer")
    page.clock.run_for(2_100)
    expect(notice).to_contain_text("The server does not answer")
    page.unroute("**/v1/**")
    page.clock.run_for(2_100)
    expect(notice).to_be_hidden()
    site.forgive("ERR_FAILED")
