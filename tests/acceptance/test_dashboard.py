"""The dashboard and the API reference in a real browser, served by a real `tollbook serve`."""

import datetime as dt
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.acceptance.dashboard_calls import HOSTILE, MINUTE, Filled, store_calls_and_keys
from tests.acceptance.shown_page import drawn, texts, tiles
from tests.api_server import serving
from tests.dashboard_site import Site
from tests.databases import NewDatabase

# Not run at each change: chromium takes a second or more of CPU for each of these.
EVERY_PAGE = pytest.mark.soak


@pytest.fixture(scope="module")
def filled(new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """One database for all tests, which only read."""
    now = time.time_ns() // 1_000_000
    with new_database() as url:
        secrets = store_calls_and_keys(url, now) | {"wrong": "sk_" + "x" * 43}
        with serving(url, tmp_path_factory.mktemp("dashboard") / "serve.log") as server:
            yield Filled(database_url=url, url=server.url, keys=secrets, now=now)


@pytest.fixture
def site(browser: Browser, filled: Filled) -> Site:
    """The dashboard, without any logged error so far."""
    return Site(browser=browser, url=filled.url, keys=filled.keys, now=filled.now)


def test_a_key_opens_tiles_charts_rankings_and_calls(site: Site) -> None:
    """All numbers are those of the calls; nothing is fetched from elsewhere, and no policy is violated."""
    page = site.enter()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    expect(page.locator("#rankings table").first).to_be_visible()
    expect(page.locator("#calls tbody tr")).to_have_count(9)
    assert tiles(page) == {"Calls": "9", "ASR": "62.5%", "ACD": "1:00", "Minutes": "5", "Cost": "€5.25"}
    bars = drawn(page, "Calls per hour")
    counted = {name: sum(int(n) for bar in bars for n in re.findall(rf"{name} (\d+)", bar))
               for name in ("answered", "busy", "up now")}  # fmt: skip
    assert counted == {"answered": 5, "busy": 3, "up now": 1}
    high = {name: sum(float(bar.get_attribute("height") or 0) for bar in page.locator(f"rect.d-{name}[y]").all())
            for name in ("answered", "busy", "up")}  # fmt: skip
    assert high["answered"] / 5 == pytest.approx(high["busy"] / 3) == pytest.approx(high["up"])
    assert sum(Decimal(bar.removeprefix("€")) for bar in drawn(page, "Cost per hour")) == Decimal("5.25")
    assert (texts(page, "Top destinations", "Prefix"), texts(page, "Top destinations", "Calls")) == (
        ["4930", "1212"], ["4", "3"],
    )  # fmt: skip
    assert texts(page, "Queues", "Queue") == ["sales"]
    assert set(texts(page, "Calls, newest first", "Result")) == {"talking", "answered", "busy"}
    assert all(url.startswith(site.url) for url in asked)
    assert not any("sk_" in url for url in asked)
    assert site.complaints == []


def test_hostile_names_are_text(site: Site) -> None:
    """HTML in a name is shown as text and never executed: in the list, in a ranking, in the details and in a filter."""
    page = site.enter()
    expect(page.locator("#calls").get_by_text(HOSTILE).first).to_be_visible()
    expect(page.get_by_role("button", name=HOSTILE)).to_be_visible()
    page.locator("#calls tr", has_text=HOSTILE).first.get_by_role("button").click()
    expect(page.get_by_role("dialog").get_by_role("heading", name=HOSTILE)).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name=HOSTILE).click()
    expect(page.locator(".tile .value").first).to_have_text("2")
    assert page.locator("img").count() == 1  # the page's own
    assert page.title() == "Tollbook"
    assert site.complaints == []


def test_a_wrong_key_says_what_to_do(site: Site) -> None:
    """The form stays, with words for whoever typed the key and not for a program, and the key is not kept."""
    page = site.open()
    page.get_by_label("Key", exact=True).fill(site.keys["wrong"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("unknown or revoked")
    expect(page.get_by_role("alert")).not_to_contain_text("x-api-key")
    expect(page.get_by_label("Key", exact=True)).to_be_focused()
    assert page.evaluate("sessionStorage.length") == 0
    assert not page.locator("#dashboard").is_visible()
    site.forgive("401")


def test_signing_out_leaves_nothing(site: Site) -> None:
    """No script can read the key or the cookie; signing out ends the session and removes all calls from the page."""
    page = site.enter()
    key = site.keys["acme"]
    assert page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]") == [0, 0, ""]
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["expires"]) == (True, "Strict", -1)
    second = page.context.new_page()
    second.goto(site.url)
    expect(second.locator("#tiles .tile").first).to_be_visible()
    page.get_by_role("button", name="Sign out everywhere").click()
    expect(page.get_by_label("Key", exact=True)).to_be_focused()
    assert page.context.cookies() == []
    assert page.locator("#calls tbody tr").count() == 0
    assert key not in page.content()
    second.reload()
    expect(second.get_by_label("Key", exact=True)).to_be_visible()
    site.forgive("401")  # if the second page asked before it was loaded again


@EVERY_PAGE
def test_two_currencies_have_a_tile_and_a_chart_each(site: Site) -> None:
    """An operator sees both accounts, and no sum of euros and dollars."""
    page = site.enter("operator")
    expect(page.locator("figure")).to_have_count(3)
    costs = page.locator(".tile", has_text="Cost").locator(".value").all_inner_texts()
    assert costs == ["€5.25", "US$1.05"]
    expect(page.get_by_role("heading", name="Cost per hour, USD")).to_be_visible()
    expect(page.locator("#rankings").get_by_role("heading", name="Accounts")).to_be_visible()
    assert texts(page, "Accounts", "Cost") == ["€5.25", "US$1.05"]


@EVERY_PAGE
def test_an_operator_sees_what_may_be_free_by_mistake(site: Site) -> None:
    """And nobody else does: a host tells a tenant who the operator's carriers are."""
    doubts = site.enter("operator").locator("#doubts")
    expect(doubts).to_contain_text("May be free by mistake")
    expect(doubts).to_contain_text(f"answered legs to short numbers at the host {HOSTILE}")
    expect(site.enter("other").locator("#doubts")).to_be_empty()
    assert site.complaints == []


def test_no_calls_have_their_own_text(site: Site) -> None:
    """Without calls nothing is divided by zero, and the page says what may be the reason."""
    page = site.enter("void")
    assert tiles(page) == {"Calls": "0", "ASR": "–", "ACD": "–", "Minutes": "0"}
    expect(page.get_by_text("No calls match in this time.")).to_be_visible()
    assert page.locator("figure").count() == 0
    assert site.complaints == []


def test_filters_time_and_zone_choose_the_calls(site: Site) -> None:
    """Filter, time and time zone select the calls and are in the URL, so that a view can be shared; the key is not."""
    page = site.enter()
    page.get_by_label("Disposition").select_option("busy")
    expect(page.locator(".tile .value").first).to_have_text("3")
    expect(page.locator("#calls tbody tr")).to_have_count(3)
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".tile .value").first).to_have_text("9")
    tokyo = dt.timezone(dt.timedelta(hours=9))
    begun, ended = (dt.datetime.fromtimestamp((site.now - n * MINUTE) / 1000, tokyo) for n in (110, 50))
    page.get_by_label("Time zone").fill("Asia/Tokyo")
    page.get_by_role("combobox", name="Time", exact=True).select_option("custom")
    page.get_by_label("From", exact=True).fill(f"{begun:%Y-%m-%dT%H:%M}")
    page.get_by_label("To", exact=True).fill(f"{ended:%Y-%m-%dT%H:%M}")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator(".tile .value").first).to_have_text("2")
    expect(page.locator("#calls tbody tr")).to_have_count(2)
    assert "Asia%2FTokyo" in page.url
    assert site.keys["acme"] not in page.url
    page.reload()
    expect(page.locator(".tile .value").first).to_have_text("2")
    page.get_by_label("Time zone").fill("Asia/Atlantis")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Asia/Atlantis is not a time zone")


def test_what_is_sought_is_found_and_is_a_link(site: Site) -> None:
    """A queue by its name and a number in another spelling become chips of an address that others can open."""
    page = site.enter()
    sought = page.get_by_label("Find calls")
    sought.fill("Sales")
    page.keyboard.press("Enter")
    expect(page.locator("#chips li")).to_have_text(["Queue: sales×"])
    expect(page.locator("#calls tbody tr")).to_have_count(2)
    page.keyboard.press("/")
    expect(sought).to_be_focused()
    sought.fill("49 (30) 123-456")
    page.keyboard.press("Enter")
    expect(page.locator("#chips li")).to_have_text(["Number: 4930123456×", "Queue: sales×"])
    expect(page.locator("#list-count")).to_have_text("all 2")
    page.reload()
    expect(page.locator("#calls tbody tr")).to_have_count(2)
    page.get_by_role("button", name="Remove the filter Queue").click()
    expect(page.locator("#calls tbody tr")).to_have_count(6)
    assert "number=4930123456" in page.url
    page.go_back()
    expect(page.locator("#calls tbody tr")).to_have_count(2)
    assert site.complaints == []


def test_the_csv_has_the_calls_that_are_shown(site: Site) -> None:
    """The CSV has the calls of the filter, in a file named after its time window."""
    page = site.enter()
    page.get_by_label("Disposition").select_option("busy")
    expect(page.locator(".tile .value").first).to_have_text("3")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0].startswith("call_id,account_id,direction")
    assert [line.split(",")[0] for line in lines[1:]] == ["busy6", "busy7", "busy8"]
    assert re.fullmatch(r"calls-\d{8}T\d{4}Z-\d{8}T\d{4}Z\.csv", download.value.suggested_filename)


def test_a_call_is_explained(site: Site) -> None:
    """The details show who called whom, facts, price and rules; Escape closes them and restores the focus."""
    page = site.enter()
    button = page.locator("#calls tr", has_text="busy").first.get_by_role("button")
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("USER_BUSY")
    dialog.get_by_text("Why each column has its value").click()
    expect(dialog.get_by_text("hangup_cause", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    expect(button).to_be_focused()
    page.locator("#calls tr", has_text="sales").first.get_by_role("button").click()
    expect(dialog.get_by_role("heading", level=2)).to_have_text("1001 → +4930123456")  # an inbound call


@EVERY_PAGE
def test_a_chart_works_by_keyboard_and_as_a_table(site: Site) -> None:
    """The arrow and End keys select bars of a chart, whose numbers are also a table."""
    page = site.enter()
    figure = page.locator("figure").first
    figure.get_by_role("img", name="Calls per hour: 9 in total").focus()
    page.keyboard.press("End")
    expect(figure.locator(".readout")).to_contain_text(re.compile(r"\d\d:00( \(part of the hour\))?: \d"))
    figure.get_by_text("As a table").click()
    cells = figure.locator("tbody td.number").all_inner_texts()
    assert sum(map(int, cells)) == 9


@EVERY_PAGE
def test_a_reload_keeps_what_is_open_and_focused(site: Site) -> None:
    """When the page loads new data by itself, an open table stays open and the focus stays where it was."""
    page = site.enter()
    page.locator("figure").first.get_by_text("As a table").click()
    page.locator("#calls tbody button").nth(3).focus()
    before = page.locator("figure").first.element_handle()
    name = page.evaluate("document.activeElement.dataset.keep")
    page.locator("#filter").evaluate("form => form.requestSubmit()")
    page.wait_for_function("figure => !figure.isConnected", arg=before)
    expect(page.locator("figure").first.locator("table")).to_be_visible()
    page.wait_for_function("name => document.activeElement.dataset.keep === name", arg=name)


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=EVERY_PAGE)])
def test_a_phone_needs_no_sideways_scrolling(site: Site, scheme: str) -> None:
    """At 360 pixels, with everything that the page can show, nothing is wider than the screen."""
    page = site.enter("operator", width=360, scheme=scheme)
    expect(page.locator("#calls tbody tr")).to_have_count(10)
    expect(page.locator("#rankings").get_by_role("heading", name="Accounts")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.locator("#calls").get_by_role("button").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 360


@EVERY_PAGE
def test_every_text_has_enough_contrast(site: Site) -> None:
    """Every visible text has WCAG 2's contrast of 4.5 to 1, in both colour schemes."""
    for scheme in ("light", "dark"):
        page = site.enter(scheme=scheme)
        expect(page.locator("#calls tbody tr")).to_have_count(9)
        assert page.evaluate(_FAINT) == []


_FAINT = """() => {
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const ground = (element) => {
    for (let ancestor = element; ancestor; ancestor = ancestor.parentElement) {
      const colour = parts(getComputedStyle(ancestor).backgroundColor);
      if (colour[3] !== 0) return colour;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const element of document.querySelectorAll("body *")) {
    const written = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!written || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const text = light(parts(element instanceof SVGElement ? style.fill : style.color));
    const behind = light(ground(element));
    const ratio = (Math.max(text, behind) + 0.05) / (Math.min(text, behind) + 0.05);
    if (ratio < 4.5) faint.push(`${element.textContent.slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return faint;
}"""


@EVERY_PAGE
def test_a_missing_server_is_reported(site: Site, filled: Filled, tmp_path: Path) -> None:
    """When the server is gone the figures stay, and the page says that they are from before."""
    with serving(filled.database_url, tmp_path / "serve.log") as server:
        page = replace(site, url=server.url).enter()
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer")
    expect(page.get_by_role("alert")).to_contain_text("from before")
    assert tiles(page)["Calls"] == "9"
    page.context.close()
    site.forgive("ERR_CONNECTION_REFUSED")


@EVERY_PAGE
def test_the_reference_can_be_tried_out(site: Site) -> None:
    """The reference lists all resources and sends the key in a header; nothing is fetched from elsewhere."""
    page = site.open("/v1/docs")
    expect(page.locator(".opblock-summary-path", has_text="/v1/stats")).to_be_visible(timeout=30_000)  # it is large
    page.get_by_role("button", name="Authorize").click()
    page.locator("#api_key_value").fill(site.keys["acme"])
    page.locator(".auth-container").get_by_role("button", name="Apply credentials").first.click()
    page.get_by_role("button", name="Close").first.click()
    page.locator(".opblock-summary-path", has_text="/v1/stats").click()
    with page.expect_response(lambda answer: "/v1/stats" in answer.url) as answered:
        page.get_by_role("button", name="Execute").click()
    assert answered.value.json()["total"]["calls"] == 9
    assert site.complaints == []
