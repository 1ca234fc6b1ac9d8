"""The dashboard in chromium over calls of 90 days in both tiers: 30 days in PostgreSQL, the older ones in the archive.

Filled as the commands leave it: rolled up, archived, pruned, compacted, indexed. A real `tollbook serve` answers. Each
figure is the time by the browser's own clock from the key press or the navigation until all that was asked for stands
on the screen, never a part of a sum; medians, an account's and an operator's in turn.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from playwright.sync_api import Browser, Page

from benchmarks.database import database, fill_calls, queue_calls
from benchmarks.figure import Figure, at_most
from maintenance.archive.run import archive_calls
from maintenance.compaction.run import compact_archive
from maintenance.prune.run import prune_days
from tests.api_server import serving
from tests.dashboard_site import Site, chromium
from tollbook.config import Settings
from tollbook.store import keys
from tollbook.store.database import Connection, connect
from tollbook.store.sums.rollup import roll_up
from tollbook.store.tariffs import tariffs
from tollbook.times import MS_PER_DAY, current_day

_DAYS: Final = 90
_ZONE: Final = "Europe/Berlin"  # that of Site's browsers
_LIMIT_MS: Final = 1000
_WAIT_MS: Final = 30_000

# What stands on the screen when an answer is whole.
_LISTED = """document.querySelector("#calls tbody tr") && !document.getElementById("recent").hidden"""
_COUNTED = f"""{_LISTED} && document.querySelector("#tiles .tile") && !document.querySelector("#tiles.old")
    && / of |all /.test(document.getElementById("list-count").textContent)"""
_DRAWN = f"""{_COUNTED} && document.querySelector("#charts svg rect.fill")"""
_CALL = """document.querySelector("dialog[open] .story")"""
_MONTH = """document.querySelector("#month-tiles .tile") && [%s].every((title) =>
    [...document.querySelectorAll("#month-cards h2")].some((head) => head.textContent.startsWith(title)))"""


@dataclass(frozen=True, kw_only=True)
class _Filled:
    """An id and a number of a call of the window, and of the archive; the first of the months that are asked for."""

    new: tuple[str, str]
    old: tuple[str, str]
    month: str


def _fill(settings: Settings, connection: Connection, calls: int, accounts: int) -> _Filled:
    """Bring the calls into both tiers, as the commands do."""
    now = time.time_ns() // 1_000_000
    since = now - _DAYS * MS_PER_DAY
    for number in range(accounts):
        tariffs.add_account(connection, tariffs.Account(account_id=f"account{number}", name="", plan_id=None))
    fill_calls(connection, calls, accounts=accounts, since=since, span=_DAYS * MS_PER_DAY, trunk_legs=True)
    roll_up(connection)
    window_ms = (current_day() - settings.retention_days) * MS_PER_DAY
    queue_calls(connection, since=since, span=window_ms - since)
    archive_calls(settings, now=True)
    one = """
        SELECT call_id, to_num FROM call_cdr WHERE account_id = 'account0' AND start_ts < %s
        ORDER BY start_ts DESC LIMIT 1
    """
    old, new = (connection.execute(one, (before,)).fetchone() for before in (window_ms - MS_PER_DAY, now))
    assert old is not None
    assert new is not None
    prune_days(settings)
    compact_archive(settings)
    connection.execute("VACUUM ANALYZE")
    month = (datetime.now(ZoneInfo(_ZONE)).replace(day=1) - timedelta(days=1)).strftime("%Y-%m")
    return _Filled(new=new, old=old, month=month)


class _Visitor:
    """Somebody who is signed in, in a browser whose cache is empty on each visit."""

    def __init__(self, browser: Browser, url: str, key: str) -> None:
        self._site = Site(browser=browser, url=url, keys={"acme": key}, now=0, complaints=[])
        page = self._site.enter()
        self._cookies = page.context.cookies()
        page.context.close()

    def visit(self, address: str, shown: str) -> tuple[Page, float]:
        """Open an address; return the page, and the ms from the navigation until it shows what it is to show."""
        page = self._site.blank()
        page.context.add_cookies(
            [{"name": c["name"], "value": c["value"], "url": self._site.url} for c in self._cookies]
        )
        page.goto(f"{self._site.url}/#{address}", wait_until="commit")
        return page, _until(page, shown)

    def check(self) -> None:
        """Raise AssertionError if a page logged an error or a warning."""
        assert self._site.complaints == []


def _until(page: Page, shown: str) -> float:
    """Return when a condition holds, by the page's clock, in ms from its navigation."""
    handle = page.wait_for_function(f"() => ({shown}) ? performance.now() : 0", timeout=_WAIT_MS)
    return float(handle.json_value())


def _find(page: Page, text: str, shown: str) -> float:
    """Return the ms from the key press that searches until what was sought is shown."""
    page.get_by_label("Find calls").fill(text)
    begun = float(page.evaluate("performance.now()"))
    page.keyboard.press("Enter")
    return _until(page, shown) - begun


def _questions(filled: _Filled, operator: bool) -> dict[str, Callable[[_Visitor], float]]:
    ninety = f"range=custom&tz={_ZONE}&from={_local(timedelta(days=_DAYS - 1))}&to={_local(timedelta(0))}"
    chip = """[...document.querySelectorAll("#chips li")].some((chip) => chip.textContent.includes("%s")) && """

    def view(address: str, shown: str) -> Callable[[_Visitor], float]:
        def ask(visitor: _Visitor) -> float:
            page, took_ms = visitor.visit(address, shown)
            page.context.close()
            return took_ms

        return ask

    def search(text: str, address: str, shown: str) -> Callable[[_Visitor], float]:
        def ask(visitor: _Visitor) -> float:
            page, _ = visitor.visit(address, _DRAWN)
            took_ms = _find(page, text, shown)
            page.context.close()
            return took_ms

        return ask

    cards = ['"By destination"', '"Statement"', *(['"By account"', '"By gateway"'] if operator else [])]
    month = _MONTH % ", ".join(cards)
    (new_id, new_number), (old_id, _) = filled.new, filled.old
    return {
        "first view, 24 hours": view("", _DRAWN),
        "first view, 30 days": view("range=720", _DRAWN),
        "first view, 90 days of both tiers": view(ninety, _DRAWN),
        "a number, 24 hours: list and sums": search(new_number, "", (chip % new_number) + _COUNTED),
        "a number, 90 days: the list": search(new_number, ninety, (chip % new_number) + _LISTED),
        "a number, 90 days: list and sums": search(new_number, ninety, (chip % new_number) + _COUNTED),
        "a queue by its name, 30 days": search("queue0", "range=720", (chip % "queue0") + _COUNTED),
        "a call id of the window": search(new_id, "", _CALL),
        "a call id of the archive": search(old_id, "", _CALL),
        "a call of the archive as a link": view(f"call={old_id}", _CALL),
        "this month": view("view=month", month),
        "the month before": view(f"view=month&month={filled.month}", month),
    }  # fmt: skip


def _local(ago: timedelta) -> str:
    return (datetime.now(ZoneInfo(_ZONE)) - ago).strftime("%Y-%m-%dT%H:%M")


def run(*, calls: int = 1_000_000, accounts: int = 21, rounds: int = 5) -> Iterator[Figure]:
    """Yield how long each view and each search takes."""
    with ExitStack() as stack:
        settings = stack.enter_context(database())
        url = settings.require_database_url()
        connection = stack.enter_context(connect(url, name="bench", autocommit=True))
        begun = time.monotonic()
        filled = _fill(settings, connection, calls, accounts)
        kept = connection.execute("SELECT count(*) FROM call_cdr").fetchone()
        assert kept is not None
        yield Figure(what="filled", value=time.monotonic() - begun, unit="s")
        yield Figure(what="calls in PostgreSQL", value=kept[0], unit="calls")
        secrets = {
            "account": keys.create(connection, account_id="account0", scopes=["cdr"])[1],
            "operator": keys.create(connection, account_id=None, scopes=["operator"])[1],
        }
        log = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tollbook-serve-"))) / "serve.log"
        server = stack.enter_context(serving(url, log, data_dir=str(settings.data_dir), rate_limit="1000000"))
        browser = stack.enter_context(chromium())
        visitors = {who: _Visitor(browser, server.url, key) for who, key in secrets.items()}
        asked = {(who, name): ask for who in visitors for name, ask in _questions(filled, who == "operator").items()}
        taken: dict[tuple[str, str], list[float]] = {question: [] for question in asked}
        for number in range(rounds + 1):  # the first warms up
            for (who, name), ask in asked.items():
                took_ms = ask(visitors[who])
                if number:
                    taken[who, name].append(took_ms)
        for visitor in visitors.values():
            visitor.check()
    for (who, name), times in taken.items():
        yield Figure(what=f"{who}: {name}", value=statistics.median(times), unit="ms", bound=at_most(_LIMIT_MS))
