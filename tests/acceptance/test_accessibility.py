"""Every view of the dashboard is without a finding of axe-core, in both colour schemes, on a desktop and on a phone."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.acceptance.dashboard_calls import ACCOUNTS, store_calls
from tests.acceptance.dashboard_views import RECORDED, VIEWS, View
from tests.api_server import serving
from tests.dashboard_site import Site
from tests.databases import NewDatabase
from tests.recorded_details import legs_heard
from tollbook.model.charge import Price
from tollbook.model.fold import FoldSettings
from tollbook.store import keys
from tollbook.store.calls.batch import write_batch
from tollbook.store.database import connect
from tollbook.store.days.partitions import Partitions

AXE = Path(sys.prefix) / "npm" / "node_modules" / "axe-core" / "axe.min.js"
# The month of all accounts has the most kinds of cards, a call the most kinds of marks.
AT_EACH_CHANGE = ("call", "month of all accounts", "now", "wallboard")


@pytest.fixture(scope="module")
def site(browser: Browser, new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The dashboard over calls of the last hours, and a recorded one with all its legs."""
    now = time.time_ns() // 1_000_000
    with new_database() as url:
        with connect(url, name="test", autocommit=True) as database:
            store_calls(database, now)
            secrets = {owner: keys.create(database, account_id=owner, scopes=["cdr"])[1] for owner in ACCOUNTS}
            secrets["operator"] = keys.create(database, account_id=None, scopes=["operator"])[1]
        with connect(url, name="test") as database:
            free = Price(cost_micros=0, parts=())
            write_batch(database, legs_heard(RECORDED), FoldSettings(), lambda _: free, Partitions())
        with serving(url, tmp_path_factory.mktemp("accessibility") / "serve.log") as server:
            yield Site(browser=browser, url=server.url, keys=secrets, now=now)


@pytest.mark.parametrize(
    "view",
    [pytest.param(view, marks=() if view.name in AT_EACH_CHANGE else pytest.mark.soak) for view in VIEWS],
    ids=str,
)
def test_axe_finds_nothing(site: Site, view: View) -> None:
    """Not even something minor: labels, roles, order of headings, contrast, landmarks, what is reached by keys."""
    page = view.enter(site)
    found = {
        f"{scheme}, {width} px: {finding}"
        for scheme in ("light", "dark")
        for width in (1440, 390)
        for finding in findings(page, scheme, width)
    }
    assert found == set()
    if view.complains:
        site.forgive(view.complains)


def findings(page: Page, scheme: str, width: int) -> list[str]:
    """Return what axe-core finds, a line each: the rule, what it says, and where."""
    assert AXE.exists(), "axe-core is missing: run `make install-dev`"
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_function("width => document.documentElement.clientWidth === width", arg=width)
    page.evaluate(f"() => {{ {AXE.read_text()} }}")
    result: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{rule['id']} ({rule['impact']}): {node['failureSummary']} {node['html'][:200]}"
        for rule in result["violations"]
        for node in rule["nodes"]
    ]
