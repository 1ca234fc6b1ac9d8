"""The wallboard: for whoever is signed in, and by a link that shows one queue and nothing else."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.now_calls import SECRET_NUMBER
from tests.acceptance.test_dashboard_now import Board, opened, tile, value
from tests.dashboard_site import close_pages
from tests.databases import NewDatabase


@pytest.fixture(scope="module")
def kept_board(
    browser: Browser, new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Board]:
    with opened(browser, new_database, tmp_path_factory.mktemp("wall")) as board:
        yield board


@pytest.fixture
def board(kept_board: Board) -> Iterator[Board]:
    """A board on which one of acme waits."""
    kept_board.calls.wait("waits", since_s=70)
    yield kept_board
    close_pages()
    kept_board.calls.clear()


def make_link(page: Page) -> str:
    """Make a link on the operator's page, and return its address."""
    page.locator("#wall-links summary").click()
    form = page.get_by_role("form", name="A link to make")
    form.get_by_label("Account").fill("acme")
    form.get_by_label("Queue").fill("sales@acme")
    form.get_by_label("Days").fill("7")
    page.get_by_role("button", name="Make a link").click()
    made = page.get_by_label("Link to sales@acme", exact=True)
    expect(made).to_be_focused()
    return made.input_value()


def test_a_link_opens_one_queue_without_a_key(board: Board) -> None:
    """Live, and again after a reload; its token is in no address, log or Referer; until it is deleted on the page."""
    operator = board.view("operator")
    address = make_link(operator)
    token = re.search(r"link=(wb_[\w-]+)", address)
    assert token
    page = board.open("/v1/docs")  # another page first: what it sends as Referer is seen, too
    sent: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.url} {request.headers.get('referer', '')}"))
    page.goto(address)
    expect(value(page, "Waiting")).to_have_text("1")
    expect(page.get_by_role("heading", name="sales@acme")).to_be_visible()
    expect(tile(page, "Longest wait").locator(".reason")).to_have_text("▲ Amber: from 1:00")
    assert page.url.endswith("/wallboard#link=&limits=wait-60-120_waiting-5-10_level-80-60_abandoned-5-10")
    board.calls.wait("more")
    expect(value(page, "Waiting")).to_have_text("2")
    shown = page.content()
    for hidden in (SECRET_NUMBER, "+49", "other@other", "support@acme", "ann@", "bob@", "In a call"):
        assert hidden not in shown
    page.reload()
    expect(value(page, "Waiting")).to_have_text("2")
    assert not [one for one in sent if token[1] in one]
    assert token[1] not in board.server.output
    # The address alone, as somebody else would copy it, opens nothing, and says what is missing.
    copied = board.open(page.url.removeprefix(board.url))
    expect(copied.locator("#closed")).to_contain_text("its token is kept out of it")
    operator.get_by_role("button", name="Delete the link to sales@acme of acme").click()
    operator.get_by_role("button", name="press once more").click()
    expect(operator.locator("#wall-links")).to_contain_text("There are no links.")
    closed = page.locator("#closed")
    expect(closed).to_contain_text("This link shows nothing any more: it has expired or was deleted.")
    expect(page.locator(".tile").filter(visible=True)).to_have_count(0)
    page.goto("about:blank")
    page.goto(address)
    expect(closed).to_contain_text("it has expired or was deleted")
    board.forgive("401")


def test_a_link_that_has_expired_says_so(board: Board) -> None:
    """The open board ends within seconds."""
    page = board.open(make_link(board.view("operator")).removeprefix(board.url))
    expect(value(page, "Waiting")).to_have_text("1")
    with board.calls.connect() as database:
        database.execute("UPDATE wallboard_link SET created_at = now() - interval '9 days', expires_at = now()")
    expect(page.locator("#closed")).to_contain_text("it has expired or was deleted")
    board.forgive("401")


def test_a_link_shows_no_more_to_who_is_signed_in(board: Board) -> None:
    """What it opens does not depend on the browser's session: no cookie goes with it."""
    operator = board.view("operator")
    address = make_link(operator)
    page = operator.context.new_page()
    with page.expect_request("**/v1/now/stream") as asked:
        page.goto(address)
    assert "cookie" not in asked.value.all_headers()
    expect(page.get_by_role("heading", name="sales@acme")).to_be_visible()
    expect(page.locator("#back")).to_be_hidden()
    assert "bob@" not in page.content()


def test_nobody_but_operators_makes_links(board: Board) -> None:
    """An account's page does not offer it."""
    page = board.view("acme")
    expect(page.locator("#wall-links")).to_be_hidden()


def test_all_queues_on_the_wall_and_back_by_keyboard(board: Board) -> None:
    """From the Now view and back without a pointer; worst first; the theme is in the address; full screen."""
    board.calls.wait("long", "support@acme", since_s=300)
    page = board.view("acme")
    page.get_by_role("button", name="Now", exact=True).focus()
    for _ in range(8):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "now-wall":
            break
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/wallboard#limits="))
    expect(page.get_by_role("heading", name="All queues")).to_be_visible()
    names = page.locator("#queues tbody td.name")
    expect(names).to_have_text(["support@acme", "sales@acme"])
    expect(page.locator("#queues tbody tr").first.locator("td").nth(2)).to_contain_text("■ Red: from 2:00")
    expect(page.locator("#rest")).to_contain_text("Agents: In a call: 1 · Ready: 1")
    dark = page.get_by_role("button", name="Dark")
    while not dark.evaluate("button => button === document.activeElement"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert "theme=dark" in page.url
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.keyboard.press("Tab")
    full = page.get_by_role("button", name="Full screen")
    full.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Leave full screen")).to_be_visible()
    page.keyboard.press("Enter")
    expect(full).to_be_visible()
    page.get_by_role("link", name="Back to the dashboard").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#now-tiles .tile").first).to_be_visible()


def test_who_is_not_signed_in_is_told_what_to_do(board: Board) -> None:
    """And how to get there."""
    page = board.open("/wallboard")
    expect(page.locator("#closed")).to_contain_text("You are not signed in.")
    expect(page.get_by_role("link", name="Back to the dashboard")).to_be_visible()
    board.forgive("401")


@pytest.mark.parametrize("width", [pytest.param(1920, marks=pytest.mark.soak), 1440, 390])
def test_the_figures_fill_the_screen_and_none_is_cut_off(board: Board, width: int) -> None:
    """No figure is wider than its tile, and nothing is wider than the screen; on the wall they are huge."""
    page = board.view("acme", width=width)
    page.goto(f"{board.url}/wallboard#queue_id=sales@acme")
    expect(value(page, "Waiting")).to_have_text("1")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("[...document.querySelectorAll('.tile')].every((one) => one.scrollWidth <= one.clientWidth)")
    if width > 1000:
        assert page.evaluate("parseFloat(getComputedStyle(document.querySelector('.value')).fontSize)") >= 100
        assert page.evaluate("document.documentElement.scrollHeight") <= 900


@pytest.mark.parametrize("width", [1440, 1280, 390])
def test_all_queues_fit_the_screen(board: Board, width: int) -> None:
    """With a queue in amber: its sign's words, which screen readers read, widen neither the page nor the table."""
    page = board.view("acme", width=width)
    expect(page.locator("#now-tiles .tile").first).to_be_visible()
    expect(page.locator("td[data-level=amber]").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.goto(f"{board.url}/wallboard")
    expect(page.locator("#queues td[data-level=amber]").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    if width > 1000:  # on the phone one scrolls
        assert page.evaluate("document.getElementById('queues').scrollWidth") <= page.evaluate(
            "document.getElementById('queues').clientWidth"
        )
