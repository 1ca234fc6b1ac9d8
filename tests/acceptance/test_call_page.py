"""The dashboard's page of a call in a real browser: recorded calls with all that became of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from pydantic import SecretStr

from maintenance.archive.run import archive_calls
from maintenance.prune.run import prune_days
from tests.api_server import serving
from tests.dashboard_site import Site
from tests.databases import NewDatabase, store, written_when_ended
from tests.factories import call
from tests.recorded_details import legs_heard
from tollbook.config import Settings
from tollbook.model.charge import Price, PricedCharge
from tollbook.model.fold import FoldSettings
from tollbook.model.record import Row
from tollbook.store import keys
from tollbook.store.calls.batch import write_batch
from tollbook.store.database import connect
from tollbook.store.days.partitions import Partitions
from tollbook.store.tariffs import tariffs
from tollbook.times import MS_PER_DAY

RECORDED = ("pdd_failover", "rec_masked", "queue_first_agent_rings_out", "hold_by_far_end", "vars_set_and_export")
# The day of these recordings.
DAY = "/#range=custom&from=2026-11-28T00:00&to=2026-11-29T00:00&tz=UTC"


@pytest.fixture(scope="module")
def site(browser: Browser, new_database: NewDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The dashboard over recorded calls, with a server for recordings."""
    with new_database() as url:
        with connect(url, name="test") as database:
            tariffs.add_account(database, tariffs.Account(account_id="acct_alpha", name="Alpha", plan_id=None))
            secrets = {
                "alpha": keys.create(database, account_id="acct_alpha", scopes=["cdr"])[1],
                "operator": keys.create(database, account_id=None, scopes=["operator"])[1],
            }
            database.commit()
            for name in RECORDED:
                write_batch(database, legs_heard(name), FoldSettings(), _unrated, Partitions())
        log = tmp_path_factory.mktemp("call_page") / "serve.log"
        with serving(url, log, recordings_url="https://media.example/{path}") as server:
            yield Site(browser=browser, url=server.url, keys=secrets, now=0)


def _unrated(row: Row) -> Price:
    parts = [
        PricedCharge(direction=part.direction, number=part.number, seconds=part.seconds, cost_micros=None)
        for part in row.parts or ()
    ]
    return Price(cost_micros=None, parts=tuple(parts), unrated="no plan") if parts else Price(cost_micros=0, parts=())


def open_call(page: Page, from_num: str, to_num: str) -> Locator:
    """Open the page of the newest call from one number to another."""
    row = page.locator("#calls tr").filter(has_text=from_num).filter(has_text=to_num).first
    row.get_by_role("button").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    return dialog


def facts(part: Locator) -> dict[str, str]:
    """Return what a list of facts says, by name."""
    return {entry.locator("dt").inner_text(): entry.locator("dd").inner_text() for entry in part.locator("> div").all()}


def course(dialog: Locator) -> dict[str, str]:
    """Return what became of the call."""
    return facts(dialog.locator("h3:has-text('How it went') + dl"))


def test_an_operator_sees_how_a_call_went(site: Site) -> None:
    """Who hung up, each delay, the sound; the gateway of the call and of each leg; and what finds it in a trace."""
    dialog = open_call(site.enter("operator", DAY), "1000", "7789113004")
    assert course(dialog) == {
        "Hung up by": "the called party",
        "Post-dial delay": "2.0 s",
        "Ringing": "2.0 s",
        "On hold": "no",
        "Voicemail": "no message",
        "Received from the caller": "4.50 of 5",
        "Codec": "PCMU",
        "Gateway": "carrier2",
        "Caller's address": "127.0.0.4",
    }
    legs = dialog.locator("li").filter(has_text="Sound and SIP")
    expect(legs).to_have_count(3)
    legs.nth(0).get_by_text("Sound and SIP").click()
    assert facts(legs.nth(0).locator("dl")) | {"SIP status": "503", "Gateway": "carrier", "Address": "127.0.0.3"} == (
        facts(legs.nth(0).locator("dl"))
    )
    legs.nth(2).get_by_text("Sound and SIP").click()
    answered = facts(legs.nth(2).locator("dl"))
    assert answered["Received from this party"] == "4.50 of 5 300 packets, 2 skipped"
    assert (answered["Delay of this leg"], answered["User agent"]) == ("1.0 s", "OtherSBC 1.9")
    assert site.complaints == []


def test_a_tenant_sees_the_same_but_the_carriers(site: Site) -> None:
    """Neither a gateway nor an address of one, wherever the page is opened."""
    page = site.enter("alpha", DAY)
    dialog = open_call(page, "1000", "7789113004")
    went = course(dialog)
    assert went["Hung up by"] == "the called party"
    assert "Gateway" not in went
    for summary in dialog.locator("summary").all():
        summary.click()
    for secret in ("carrier2", "127.0.0.3", "127.0.0.5", "OtherSBC", "503"):
        expect(dialog).not_to_contain_text(secret)


def test_a_recording_is_a_link_where_a_server_has_it(site: Site) -> None:
    """To the operator's server, in a tab of its own that does not learn where it was opened."""
    dialog = open_call(site.enter("alpha", DAY), "+4930555001", "498911001")
    link = dialog.locator("h3:has-text('Recordings') + ul a")
    href = link.get_attribute("href") or ""
    assert href.startswith("https://media.example/")
    assert link.inner_text() == href.removeprefix("https://media.example/")
    assert link.get_attribute("rel") == "noopener noreferrer"
    refused: list[str] = []
    dialog.page.on("console", lambda message: refused.append(message.text) if "Content" in message.text else None)
    dialog.page.route("https://media.example/**", lambda route: route.fulfill(body=b"", content_type="audio/wav"))
    player = dialog.locator("h3:has-text('Recordings') + ul audio")
    assert player.get_attribute("src") == href
    with dialog.page.expect_request(href):
        player.evaluate("player => { player.play().catch(() => {}) }")
    assert refused == []


def test_the_legs_of_a_call_are_a_time_line(site: Site) -> None:
    """One axis for all legs: rung, up, held, and where a transfer led; and the same as a table."""
    dialog = open_call(site.enter("alpha", DAY), "+4930555001", "d_q_support")
    expect(dialog.locator(".story")).to_contain_text("waited 5.6 s. The agent agent2 took it and talked 8.5 s")
    line = dialog.locator("figure.leg-line")
    kinds = [bar.get_attribute("class") or "" for bar in line.locator("svg.legs rect.span").all()]
    assert [kind.removeprefix("span k-") for kind in kinds] == [
        "talked", "queue", "setup", "rang", "setup", "rang", "talked",
    ]  # fmt: skip
    line.locator("svg.legs rect.k-talked").nth(1).hover()
    expect(line.locator(".readout")).to_contain_text("Leg 3: 1002: up 8.5 s")
    line.get_by_text("As a table").click()
    assert line.locator("tbody tr").count() == 3
    assert "5.6 s" in line.locator("tbody tr").first.inner_text()


@pytest.mark.parametrize("width", [1280, 360])
def test_the_page_of_a_call_fits_the_screen(site: Site, width: int) -> None:
    """With everything open nothing is wider than the screen, nor than the dialog."""
    page = site.enter("operator", DAY, width=width)
    dialog = open_call(page, "1000", "7789113004")
    for summary in dialog.locator("summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert dialog.evaluate("dialog => dialog.scrollWidth <= dialog.clientWidth")


def test_a_call_of_the_archive_opens(browser: Browser, new_database: NewDatabase, tmp_path: Path) -> None:
    """A click on a call that PostgreSQL no longer has shows what became of it, and that its legs are gone."""
    log = tmp_path / "serve.log"
    with new_database() as url, connect(url, name="test", autocommit=True) as database:
        write_batch(database, legs_heard("pdd_failover"), FoldSettings(), _unrated, Partitions())
        key = keys.create(database, account_id=None, scopes=["operator"])[1]
        (start_ts,) = database.execute("SELECT max(start_ts) FROM call_cdr").fetchone() or (0,)
        store(database, call("later", "other", start_ts + 8 * MS_PER_DAY))
        written_when_ended(database)
        settings = Settings(database_url=SecretStr(url), data_dir=tmp_path)
        archive_calls(settings, now=True)
        prune_days(settings, today=start_ts // MS_PER_DAY + 38)
        with serving(url, log) as server:
            site = Site(browser=browser, url=server.url, keys={"operator": key}, now=0)
            page = site.open(DAY)
            page.get_by_label("Key", exact=True).fill(key)
            page.get_by_role("button", name="Show calls").click()
            dialog = open_call(page, "1000", "7789113004")
            expect(dialog.get_by_text("The legs are no longer kept.")).to_be_visible()
            assert course(dialog)["Gateway"] == "carrier2"
            page.context.close()  # before its server ends, for it goes on asking
            assert site.complaints == []
