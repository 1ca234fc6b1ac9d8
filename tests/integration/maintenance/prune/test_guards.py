"""What keeps a run of prune and whoever else is at work from taking a call from each other."""

import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest

from maintenance.prune.run import prune_days
from tests.archiving import archive_now, archived
from tests.databases import store
from tests.factories import call
from tests.waiting import wait_until
from tollbook.archive.reader import Archive
from tollbook.config import Settings
from tollbook.errors import ArchiveError
from tollbook.model.accounts import EveryAccount
from tollbook.model.call_key import CallKey
from tollbook.model.record import Record
from tollbook.model.selection import Order, Selection
from tollbook.model.tiers import KEYED_COLUMNS, key_of, merge_tiers
from tollbook.store.archiver import sole_archiver
from tollbook.store.calls.pages import read_hot_page
from tollbook.store.database import Connection, connect
from tollbook.store.days import late
from tollbook.store.days.window import read_window
from tollbook.times import MS_PER_DAY

TODAY = 20_780  # 2026-11-23
DAY = TODAY - 31  # the newest day that is older than 30 days
NOON = DAY * MS_PER_DAY + MS_PER_DAY // 2
EDGE = (DAY + 1) * MS_PER_DAY  # the window's first millisecond, once the day is dropped


def in_outbox(connection: Connection) -> dict[str, bool]:
    """The calls that wait for the archive, and whether it may hold an outdated form of them."""
    return dict(connection.execute("SELECT call_id, deleted FROM archive_outbox").fetchall())


def test_nobody_writes_the_archive_between_verification_and_drop(
    settings: Settings, database: Connection, database_url: str
) -> None:
    """A reader holds the day open after it was verified: all the while no other command may write the archive.

    What it wrote there would be dropped here without having been compared.
    """
    store(database, call("a", start_ts=NOON))
    archive_now(settings)
    with connect(database_url, name="report") as reader:
        reader.execute("SELECT count(*) FROM call_cdr").fetchone()
        pruning = threading.Thread(target=prune_days, args=(settings,), kwargs={"today": TODAY}, daemon=True)
        pruning.start()

        def stands_before_the_drop() -> bool:
            assert pruning.is_alive()
            waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'call_cdr'::regclass)"
            return database.execute(waits).fetchone() == (True,)

        wait_until(stands_before_the_drop, every_s=0.002)
        with pytest.raises(ArchiveError, match="another command is writing the archive"):
            archiver_would_write(database_url)
        reader.rollback()
        pruning.join(60)
        assert not pruning.is_alive()
        assert read_window(database).start_ts == EDGE
        archiver_would_write(database_url)


def archiver_would_write(url: str) -> None:
    with sole_archiver(url, name="archive", wait_s=0.1):
        pass


def test_a_late_call_that_waits_for_the_archive_again_is_not_deleted(settings: Settings, database: Connection) -> None:
    """It was at rest when it was looked at, and was requeued before the deletion: what is deleted nobody archives."""
    store(database, call("resting", start_ts=NOON), call("requeued", start_ts=NOON))
    assert prune_days(settings, today=TODAY).moved == 2
    archive_now(settings)
    database.execute("UPDATE call_cdr_late SET updated_ts = start_ts")
    rested = late.settled(database, limit=10)
    assert sorted(key.call_id for key in rested) == ["requeued", "resting"]
    late.requeue(database, [key for key in rested if key.call_id == "requeued"])
    assert late.delete(database, rested) == 1
    assert database.execute("SELECT call_id FROM call_cdr_late").fetchall() == [("requeued",)]
    assert in_outbox(database) == {"requeued": True}


def walked(settings: Settings, connection: Connection, order: Order, limit: int) -> list[str]:
    """The ids of all calls, read from both tiers page by page."""
    selection = Selection(accounts=EveryAccount(), since=0, until=EDGE + MS_PER_DAY, order=order)
    archive, ids = Archive(settings, lambda: False), list[str]()

    def read_archive(older: Selection, wanted: int, without: frozenset[CallKey]) -> Sequence[Record]:
        return archive.read_page(older, wanted, without, KEYED_COLUMNS)

    try:
        while True:
            hot = read_hot_page(connection, selection, KEYED_COLUMNS, limit)
            rows = merge_tiers(selection, limit, hot, read_archive)
            ids += [key_of(row).call_id for row in rows]
            if len(rows) < limit:
                return ids
            selection = replace(selection, after=key_of(rows[-1]))
    finally:
        archive.close()


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 10])
def test_the_windows_own_millisecond_is_read_once(
    settings: Settings, database: Connection, order: Order, limit: int
) -> None:
    """A call of the last millisecond that was pruned and one of the first that was not, the archive having both."""
    store(database, call("last", start_ts=EDGE - 1), call("first", start_ts=EDGE))
    archive_now(settings)
    assert prune_days(settings, today=TODAY).days == 1
    assert read_window(database).start_ts == EDGE
    assert database.execute("SELECT call_id FROM call_cdr").fetchall() == [("first",)]
    assert len(archived(settings)) == 2
    assert walked(settings, database, order, limit) == (["last", "first"] if order == "asc" else ["first", "last"])


def test_the_windows_own_millisecond_is_not_of_the_day_that_goes(settings: Settings, database: Connection) -> None:
    """Neither end of a day is counted with its neighbour: what waits, what is open, what both tiers add up."""
    store(
        database,
        call("before", start_ts=EDGE - MS_PER_DAY - 1),
        call("last", start_ts=EDGE - 1),
        call("first", start_ts=EDGE),
    )
    archive_now(settings)
    up = {"end_ts": None, "duration_sec": None, "billsec": None, "disposition": None, "hangup_cause": None}
    opened, _ = call("up", start_ts=EDGE, **up)
    store(database, call("first too", start_ts=EDGE), (opened, None))
    would = prune_days(settings, today=TODAY, dry_run=True)
    assert (would.days, would.calls, would.moved) == (2, 2, 0)
    done = prune_days(settings, today=TODAY)
    assert (done.days, done.calls, done.moved) == (2, 2, 0)
    assert in_outbox(database) == {"first too": False}


def test_the_windows_own_millisecond_is_not_late(settings: Settings, database: Connection) -> None:
    """A change of the last millisecond before the window replaces what the archive may hold; one within it need not."""
    store(database, call("last", start_ts=EDGE - 1), call("first", start_ts=EDGE))
    archive_now(settings)
    prune_days(settings, today=TODAY)
    store(database, call("last", start_ts=EDGE - 1, billsec=61), call("first", start_ts=EDGE, billsec=61))
    assert in_outbox(database) == {"last": True, "first": False}
    assert late.count(database) == (1, 0)
    assert walked(settings, database, "asc", 10) == ["last", "first"]
