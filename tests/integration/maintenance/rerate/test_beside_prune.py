"""A re-rate beside prune: a day that is dropped between two of its steps is priced all the same, and once."""

import threading
from collections.abc import Callable

import pytest

from maintenance.prune.run import prune_days
from maintenance.rerate.report import RerateReport
from maintenance.rerate.run import RerateRequest, rerate_calls
from rating.deck_csv import parse_deck
from rating.loader import load_tariffs
from tests.archiving import archive_now, archived
from tests.databases import store
from tests.factories import call_row
from tollbook.config import Settings
from tollbook.model.charge import Charge
from tollbook.model.record import COLUMNS
from tollbook.store.database import Connection
from tollbook.store.days.window import read_window
from tollbook.store.tariffs import price_history, tariffs
from tollbook.store.tariffs.deck_import import replace_rates
from tollbook.store.tariffs.tariffs import Account
from tollbook.times import MS_PER_DAY

TODAY = 20_780  # 2026-11-23
FIRST_DAY = TODAY - 32  # of the two newest days that are older than 30 days
EDGE = (FIRST_DAY + 2) * MS_PER_DAY
CALLS = 12
CENTS = COLUMNS.index("cost_micros")


@pytest.fixture
def settings(local_settings: Settings) -> Settings:
    """Settings of an archive on local files."""
    return local_settings


@pytest.fixture
def dearer(settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Twelve archived calls on two days that prune may drop, at 1,000 micros each; today they cost 2,000."""
    monkeypatch.setattr("maintenance.rerate.run.PAGE_CALLS", 2)
    put_rate(database, 1_000)
    tariffs.add_account(database, Account(account_id="acme", name="Acme", plan_id="retail"))
    charges = (Charge(direction="outbound", number="4930", seconds=60),)
    with database.transaction():
        price = load_tariffs(database).price
    rows = [
        call_row(f"c{number:02}", start_ts=FIRST_DAY * MS_PER_DAY + number * MS_PER_DAY // 6, parts=charges)
        for number in range(CALLS)
    ]
    store(database, *((row, price(row)) for row in rows), with_legs=True)
    archive_now(settings)
    put_rate(database, 2_000)
    return settings


def put_rate(database: Connection, per_min_micros: int) -> None:
    lines = ["prefix,per_min_micros\n", f"49,{per_min_micros}\n"]
    replace_rates(database, "retail", "EUR", parse_deck([("", lines)]))


def reprice(settings: Settings, at_page: Callable[[int], None], *, dry_run: bool = False) -> RerateReport:
    """Price all calls again; `at_page` is called after each page with the calls looked at so far."""
    request = RerateRequest(
        accounts=(), plan=None, since=0, until=2**62, unrated=False, by_whom="me", reason="why", options=""
    )
    return rerate_calls(settings, request, dry_run=dry_run, progress=lambda done, _: at_page(done))


def assert_repriced_once(settings: Settings, database: Connection) -> None:
    archive_now(settings)
    assert [row[CENTS] for row in archived(settings)] == [2_000] * CALLS
    kept = database.execute("SELECT call_id, cost_micros, revision FROM price_history ORDER BY call_id").fetchall()
    assert kept == [(f"c{number:02}", 1_000, 1) for number in range(CALLS)]


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("pages", [1, 4, 6])
def test_days_that_are_pruned_between_two_pages(
    dearer: Settings, database: Connection, pages: int, dry_run: bool
) -> None:
    """After the first page, in the second day, and after the last page: all twelve calls are priced again, each once.

    Before, those that PostgreSQL no longer had by the time of their page kept their price, and the run ended with 0.
    """

    def prune_after(looked_at: int) -> None:
        if looked_at == 2 * pages and read_window(database).start_ts < EDGE:
            archive_now(dearer)
            assert prune_days(dearer, today=TODAY).days == 2

    done = reprice(dearer, prune_after, dry_run=dry_run)
    assert read_window(database).start_ts == EDGE
    assert (done.looked_at, done.changed, done.archived) == (CALLS, CALLS, CALLS - 2 * pages)
    if not dry_run:
        assert_repriced_once(dearer, database)


def test_a_day_cannot_go_between_a_page_and_its_new_prices(
    dearer: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prune waits for the page; before, its calls were in PostgreSQL when they were read, and gone when written."""
    replace = price_history.replace
    pruning = threading.Thread(target=prune_days, args=(dearer,), kwargs={"today": TODAY}, daemon=True)
    windows: list[int] = []

    def replace_beside_prune(*arguments: object) -> object:
        if not windows:
            pruning.start()
            pruning.join(2)  # ample for dropping two days of six calls
            windows.append(read_window(database).start_ts)
        return replace(*arguments)

    monkeypatch.setattr(price_history, "replace", replace_beside_prune)
    reprice(dearer, lambda _: None)
    pruning.join(60)
    assert windows == [0]
    assert_repriced_once(dearer, database)
