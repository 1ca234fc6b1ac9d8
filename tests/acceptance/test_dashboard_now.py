"""The view of now, on a real stream: what changes, what is amber or red, and what the page says of what is old."""

import json
import re
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.acceptance.now_calls import SECRET_NUMBER, Now, fill
from tests.api_server import ApiServer, serving
from tests.dashboard_site import Site, close_pages
from tests.databases import NewDatabase
from tests.waiting_callers import leave


@dataclass(kw_only=True)
class Board(Site):
    """A dashboard of what is up."""

    calls: Now
    server: ApiServer

    def view(self, who: str = "acme", path: str = "/#view=now", **how: object) -> Page:
        """Open the Now view with a key, and wait until it shows something."""
        self.calls.hear_the_switch()
        return self.enter(who, path, shown="#now-tiles .tile", **how)


def tile(page: Page, name: str) -> Locator:
    return page.locator(".tile", has=page.get_by_role("heading", name=re.compile(f"^{name}")))


def value(page: Page, name: str) -> Locator:
    return tile(page, name).locator(".value")


def card(page: Page, name: str) -> Locator:
    return page.locator("section", has=page.get_by_role("heading", name=name))


@contextmanager
def opened(browser: Browser, new_database: NewDatabase, folder: Path) -> Generator[Board]:
    """A board over a database of its own."""
    with new_database() as url:
        calls = fill(url)
        with serving(url, folder / "serve.log") as server:
            yield Board(browser=browser, url=server.url, keys=calls.keys, now=0, calls=calls, server=server)
            close_pages()


@pytest.fixture(scope="module")
def kept_board(
    browser: Browser, new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Board]:
    with opened(browser, new_database, tmp_path_factory.mktemp("now")) as board:
        yield board


@pytest.fixture
def board(kept_board: Board) -> Iterator[Board]:
    """A board on which of acme nobody waits."""
    yield kept_board
    close_pages()
    kept_board.calls.clear()


def test_a_call_that_comes_changes_the_tiles(browser: Browser, new_database: NewDatabase, tmp_path: Path) -> None:
    """Without a reload: who waits, counting up; each queue's day, what agents do; nothing of another account."""
    with opened(browser, new_database, tmp_path) as board:
        _see_a_call_come(board)


def _see_a_call_come(board: Board) -> None:
    page = board.view()
    page.evaluate("window.notReloaded = true")
    expect(value(page, "Waiting")).to_have_text("0")
    expect(value(page, "Longest wait")).to_have_text("–")
    day = {"Offered": "11", "Answered": "9", "Abandon rate": "18%", "Service level": "82%"}
    assert {name: value(page, name).inner_text() for name in day} == day
    since_us = board.calls.wait("comes", since_s=30)
    expect(value(page, "Waiting")).to_have_text("1")
    first = value(page, "Longest wait").inner_text()
    assert first.startswith("0:3")
    expect(value(page, "Longest wait")).not_to_have_text(first)
    queue = page.get_by_role("row", name=re.compile("^sales@acme"))
    expect(queue.locator("td").nth(1)).to_have_text("1")
    expect(card(page, "Waiting callers")).to_contain_text("+49301234567")
    expect(card(page, "Agents")).to_contain_text("In a call")
    expect(page.locator("#now-state")).to_contain_text("Live · read")
    for hidden in (SECRET_NUMBER, "other@other", "eve@"):
        assert hidden not in page.locator("body").inner_text()
    with board.calls.connect() as database:
        leave(database, "comes", since_us, time.time_ns() // 1000)
    expect(value(page, "Waiting")).to_have_text("0")
    assert page.evaluate("window.notReloaded")


def test_thresholds_are_the_persons_and_in_the_address(board: Board) -> None:
    """Amber and red with a sign and its reason; kept by the browser; the address shows them to somebody else."""
    page = board.view()
    board.calls.wait("one")
    board.calls.wait("two")
    expect(value(page, "Waiting")).to_have_text("2")
    expect(tile(page, "Waiting")).to_have_attribute("data-level", "")
    page.locator("#thresholds summary").click()
    page.get_by_label("Waiting, amber from").fill("3")
    page.get_by_label("Waiting, red from").fill("2")
    page.get_by_role("button", name="Set thresholds").click()
    fault = page.get_by_role("alert").filter(visible=True)
    expect(fault).to_have_text("Waiting: red comes after amber, so it must be higher.")
    page.get_by_label("Waiting, amber from").fill("1")
    page.get_by_label("Service level, amber below").fill("90")
    page.keyboard.press("Enter")
    expect(tile(page, "Waiting").locator(".reason")).to_have_text("■ Red: from 2")
    expect(tile(page, "Service level").locator(".reason")).to_have_text("▲ Amber: below 90%")
    expect(page.locator("#now-said")).to_contain_text("Waiting is red. ")
    assert "waiting-1-2" in page.url
    assert page.evaluate("JSON.stringify(localStorage)") == json.dumps(
        {"tollbook.thresholds": "wait-60-120_waiting-1-2_level-90-60_abandoned-5-10"}, separators=(",", ":")
    )
    page.goto("about:blank")
    page.goto(f"{board.url}/#view=now")
    expect(tile(page, "Waiting")).to_have_attribute("data-level", "red")
    other = board.view(path=f"/#view=now&limits={page.url.partition('limits=')[2]}")
    expect(tile(other, "Waiting")).to_have_attribute("data-level", "red")
    assert other.evaluate("localStorage.length") == 0


def test_a_server_that_goes_and_comes_back(browser: Browser, new_database: NewDatabase, tmp_path: Path) -> None:
    """The page says that it is disconnected and how old its figures are, and goes on when the server is back."""
    with new_database() as url:
        calls = fill(url)
        with serving(url, tmp_path / "serve.log") as server:
            board = Board(browser=browser, url=server.url, keys=calls.keys, now=0, calls=calls, server=server)
            calls.wait("waits", since_s=40)
            page = board.view()
            expect(value(page, "Waiting")).to_have_text("1")
            server.stop()
            state = page.locator("#now-state")
            expect(state).to_contain_text("Disconnected since")
            expect(state).to_contain_text("the figures are 0:")
            expect(page.locator("#now-said")).to_contain_text("Disconnected since")
            expect(value(page, "Waiting")).to_have_text("1")
            stood = value(page, "Longest wait").inner_text()  # nobody knows whether he still waits
            for _ in range(2):
                expect(state).not_to_have_text(state.inner_text())  # a second later
            expect(value(page, "Longest wait")).to_have_text(stood)
        again = ApiServer(url, tmp_path / "again.log", api_bind=f"127.0.0.1:{server.port}")
        again.port = server.port
        try:
            calls.wait("came meanwhile")
            again.wait_until_up()
            expect(state).to_contain_text("Live", timeout=60_000)
            expect(value(page, "Waiting")).to_have_text("2")
            board.forgive("net::ERR_")
            close_pages()
        finally:
            again.kill()


def test_without_a_stream_it_asks_again_and_again(board: Board) -> None:
    """A web server in front that lets no stream through costs seconds, and no figure."""
    page = board.open()
    page.route("**/v1/now/stream*", lambda route: route.fulfill(status=502, body="no"))
    page.get_by_label("Key", exact=True).fill(board.keys["acme"])
    page.get_by_role("button", name="Show calls").click()
    page.get_by_role("button", name="Now", exact=True).click()
    expect(page.locator("#now-state")).to_contain_text("Without a stream")
    board.calls.wait("comes")
    expect(value(page, "Waiting")).to_have_text("1", timeout=20_000)
    board.forgive("502")


@pytest.mark.soak
def test_what_cannot_be_read_is_old_and_says_so(board: Board) -> None:
    """The server's comments prove no figure: after 15 seconds the page says how old what it shows is."""
    page = board.view()
    with board.calls.connect() as database, database.transaction():
        database.execute("LOCK TABLE agent_window IN ACCESS EXCLUSIVE MODE")
        expect(page.locator("#now-state")).to_contain_text("cannot read what is up", timeout=40_000)
        expect(page.locator("#now-state")).to_have_attribute("data-tone", "late")
    expect(page.locator("#now-state")).to_contain_text("Live", timeout=60_000)


def test_a_part_that_a_key_may_not_see_says_why(board: Board) -> None:
    """A dash and the scope that is missing, never a 0."""
    page = board.view("calls")
    expect(value(page, "Service level")).to_have_text("–")
    expect(tile(page, "Service level")).to_contain_text("Your key does not have the scope queues.")
    expect(card(page, "Agents")).to_contain_text("Your key does not have the scope agents.")
    expect(value(page, "Calls up")).to_have_text("0")


def test_an_operator_sees_all_accounts_or_one(board: Board) -> None:
    """Of all accounts each line says whose it is; a queue that is chosen is one of its account, also after a reload."""
    page = board.view("operator")
    expect(value(page, "Offered")).to_have_text("12")
    expect(card(page, "Waiting callers")).to_contain_text(SECRET_NUMBER)
    expect(page.get_by_role("row", name=re.compile("^other@other"))).to_contain_text("other")
    page.locator("#now-form select").select_option("sales@acme · acme")
    expect(value(page, "Offered")).to_have_text("10")
    expect(page.locator("#now-form").get_by_label("Account")).to_have_value("acme")
    assert "account=acme" in page.url
    assert "queue_id=sales%40acme" in page.url
    page.reload()
    expect(value(page, "Offered")).to_have_text("10")
    expect(page.locator("#now-view")).not_to_contain_text(SECRET_NUMBER)
    page.go_back()
    expect(value(page, "Offered")).to_have_text("12")


def test_leaving_the_view_ends_its_stream(board: Board) -> None:
    """A browser has six connections to a server: nothing of this view goes on behind another one."""
    page = board.view()
    with page.expect_event("requestfailed", lambda request: "/v1/now/stream" in request.url):
        page.get_by_role("button", name="Calls", exact=True).click()
    expect(page.locator("#tiles .tile").first).to_be_visible()
    assert "limits" not in page.url
    page.get_by_role("button", name="Now", exact=True).click()
    expect(page.locator("#now-state")).to_contain_text("Live")
