"""Every view of the dashboard is without a finding of axe-core, in both colour schemes, on a desktop and on a phone."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.acceptance.dashboard_views import VIEWS, View, site_of_views
from tests.dashboard_site import Site
from tests.databases import NewDatabase

AXE = Path(sys.prefix) / "npm" / "node_modules" / "axe-core" / "axe.min.js"
# The month of all accounts has the most kinds of cards, a call the most kinds of marks.
AT_EACH_CHANGE = ("call", "month of all accounts", "now", "wallboard")


@pytest.fixture(scope="module")
def site(browser: Browser, new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Once for all tests here."""
    with site_of_views(browser, new_database, tmp_path_factory.mktemp("accessibility")) as made:
        yield made


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
