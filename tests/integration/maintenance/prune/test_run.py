"""Pruning drops a day that the archive has, the oldest first; open and unarchived calls of it stay."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from maintenance.archive.run import archive_calls
from maintenance.prune.plan import MAX_MOVED
from maintenance.prune.report import PruneReport
from maintenance.prune.run import prune_days, requeue_day
from rating.engine import Tariffs
from tests import databases, factories
from tests.factories import FOR_EVER_MS, UP, Call
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.pages import read_all
from tollbook.config import Settings
from tollbook.errors import ArchiveError, DataError, StoreUnavailable, TooLate
from tollbook.model.accounts import EveryAccount
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Leg
from tollbook.model.record import Record
from tollbook.model.selection import Selection
from tollbook.store.calls import call_rows
from tollbook.store.calls.batch import write_around_poison, write_batch
from tollbook.store.database import Connection, connect
from tollbook.store.days import prune as store
from tollbook.store.days.partitions import CALLS, LEGS, Partitions, standing_days
from tollbook.store.days.window import read_window
from tollbook.times import MS_PER_DAY, US_PER_SECOND, current_day, date_of

TODAY = 20_780  # 2026-11-23
DAY = TODAY - 31  # the newest day that is older than 30 days


def call(name: str, day: int = DAY, account: str | None = "acme", **changed: Any) -> Call:
    """A call at noon of a day."""
    return factories.call(name, account, noon_ms(day), **changed)


def noon_ms(day: int) -> int:
    return day * MS_PER_DAY + MS_PER_DAY // 2


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(database_url=SecretStr(database_url), data_dir=tmp_path)


@pytest.fixture
def database(database_url: str) -> Iterator[Connection]:
    with connect(database_url, name="test", autocommit=True) as connection:
        yield connection


def put(connection: Connection, *calls: Call) -> None:
    databases.store(connection, *calls, with_legs=True)


def kept(connection: Connection) -> set[str]:
    return {call_id for (call_id,) in connection.execute("SELECT call_id FROM call_cdr")}


def archived(settings: Settings) -> list[Record]:
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        return list(read_all(table, Selection(accounts=EveryAccount(), since=0, until=FOR_EVER_MS)))


def pruned(settings: Settings, *, today: int = TODAY, dry_run: bool = False) -> PruneReport:
    return prune_days(settings, today=today, dry_run=dry_run)


def test_only_days_older_than_the_window_that_the_archive_holds_go(settings: Settings, database: Connection) -> None:
    put(database, call("older", DAY - 3), call("old", DAY), call("new", DAY + 1), call("older too", DAY - 3, None))
    archive_calls(settings, now=True)
    done = pruned(settings)
    assert (done.days, done.calls, done.moved) == (2, 3, 0)
    assert kept(database) == {"new"}
    assert standing_days(database, CALLS)[0] == DAY + 1
    assert read_window(database).start_ts == (DAY + 1) * MS_PER_DAY
    assert len(archived(settings)) == 4
    assert pruned(settings) == PruneReport()


def test_a_dry_run_verifies_and_changes_nothing(settings: Settings, database: Connection) -> None:
    put(database, call("a"), call("b", **UP))
    archive_calls(settings, now=True)
    before = database.execute("SELECT count(*) FROM pg_class").fetchone()
    done = pruned(settings, dry_run=True)
    assert (done.days, done.calls, done.moved, done.dry_run) == (1, 1, 1, True)
    assert "would prune: 1 days" in str(done)
    assert kept(database) == {"a", "b"}
    assert read_window(database).start_ts == 0
    assert database.execute("SELECT count(*) FROM pg_class").fetchone() == before


def test_what_is_open_or_not_archived_outlives_its_day(settings: Settings, database: Connection) -> None:
    """A zombie never stops pruning; every column of a row that moves is as it was."""
    put(database, call("archived"), call("open", **UP))
    archive_calls(settings, now=True)
    put(database, call("waiting"), call("corrected"))
    archive_calls(settings, now=True)
    put(database, call("waiting", billsec=61), call("corrected", account="other", billsec=59))
    query = "SELECT * FROM call_cdr WHERE call_id <> 'archived' ORDER BY call_id"
    before = database.execute(query).fetchall()
    done = pruned(settings)
    assert (done.days, done.moved, done.late_left, done.late_open) == (1, 3, 3, 1)
    assert database.execute(query).fetchall() == before
    assert database.execute("SELECT count(*) FROM call_cdr_late").fetchone() == (3,)
    archive_calls(settings, now=True)
    billed = {row[0]: (row[1], row[9]) for row in archived(settings)}
    assert billed == {"archived": ("acme", 60), "waiting": ("acme", 61), "corrected": ("other", 59)}


def test_a_late_call_goes_when_it_is_archived_and_at_rest(settings: Settings, database: Connection) -> None:
    """It stays for a window after its last change, as every call does; an open one stays for ever."""
    put(database, call("waiting"), call("open", **UP))
    pruned_all = pruned(settings)
    assert pruned_all.moved == 2
    archive_calls(settings, now=True)
    assert pruned(settings).late_deleted == 0
    database.execute("UPDATE call_cdr_late SET updated_ts = start_ts")
    assert pruned(settings, dry_run=True).late_deleted == 1
    assert kept(database) == {"waiting", "open"}
    assert pruned(settings).late_deleted == 1
    assert kept(database) == {"open"}


def test_a_late_call_that_the_archive_holds_otherwise_is_sent_again(settings: Settings, database: Connection) -> None:
    put(database, call("waiting"))
    pruned(settings)
    archive_calls(settings, now=True)
    database.execute("UPDATE call_cdr_late SET updated_ts = start_ts, billsec = 99")
    done = pruned(settings)
    assert (done.late_deleted, done.late_requeued, done.late_left) == (0, 1, 1)
    archive_calls(settings, now=True)
    assert [row[9] for row in archived(settings)] == [99]
    assert pruned(settings).late_deleted == 1


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (
            "UPDATE call_cdr SET billsec = billsec + 1 WHERE call_id = 'b'",
            "account other: PostgreSQL has 1 calls, 61 s",
        ),
        (
            "UPDATE call_cdr SET cost_micros = 1 WHERE call_id = 'b'",
            "60 s, 1 micros; the archive has 1 calls, 60 s, 21000",
        ),
        ("DELETE FROM call_cdr WHERE call_id = 'b'", "account other: PostgreSQL has 0 calls"),
        (
            "UPDATE call_cdr SET account_id = NULL WHERE call_id = 'b'",
            "calls without an account: PostgreSQL has 1 calls",
        ),
    ],
)
def test_a_day_that_differs_is_kept_and_every_later_one(
    settings: Settings, database: Connection, change: str, difference: str
) -> None:
    """The first day goes; the second differs by one call of one account; the third is not looked at."""
    put(database, call("a", DAY - 2), call("b", DAY - 1, "other"), call("c", DAY - 1), call("d", DAY))
    archive_calls(settings, now=True)
    database.execute(change)  # without a row in the outbox
    with pytest.raises(DataError, match=f"{date_of(DAY - 1)} is not dropped, nor any later day") as refused:
        pruned(settings)
    assert difference in str(refused.value)
    assert "acme" not in str(refused.value)
    assert kept(database) >= {"c", "d"}
    assert "a" not in kept(database)
    assert read_window(database).start_ts == (DAY - 1) * MS_PER_DAY
    with pytest.raises(DataError):
        pruned(settings, dry_run=True)


def test_sending_a_day_again_repairs_the_archive(settings: Settings, database: Connection) -> None:
    """The remedy that the refusal names: of the account that differs, and of no other."""
    put(database, call("b", DAY, "other"), call("c", DAY))
    archive_calls(settings, now=True)
    database.execute("UPDATE call_cdr SET billsec = 61 WHERE call_id = 'b'")
    with pytest.raises(DataError, match=f"prune --send-again {date_of(DAY)}"):
        pruned(settings)
    assert requeue_day(settings, DAY) == 1
    archive_calls(settings, now=True)
    assert pruned(settings).days == 1
    assert sorted((row[0], row[9]) for row in archived(settings)) == [("b", 61), ("c", 60)]


def test_an_archive_that_lags_stops_pruning(settings: Settings, database: Connection) -> None:
    """More calls wait than may move while INSERTs wait: nothing is dropped until the archiver has run."""
    put(database, *(call(f"c{number}") for number in range(MAX_MOVED + 1)))
    with pytest.raises(ArchiveError, match="run `tollbook archive run`"):
        pruned(settings)
    assert len(kept(database)) == MAX_MOVED + 1
    archive_calls(settings, now=True)
    assert pruned(settings).calls == MAX_MOVED + 1


def test_partitions_stand_ready_even_when_pruning_refuses(settings: Settings, database: Connection) -> None:
    put(database, call("a"))
    database.execute("DELETE FROM archive_outbox")
    with pytest.raises(DataError):
        prune_days(settings, today=TODAY)
    assert max(standing_days(database, CALLS)) > current_day()


def test_old_calls_route_to_the_late_partition(settings: Settings, database: Connection) -> None:
    """After a day is gone no batch makes its partition again; a call of it is late, and goes to the archive."""
    put(database, call("a"))
    archive_calls(settings, now=True)
    pruned(settings)
    days = standing_days(database, CALLS)
    put(database, call("recovered"), call("older", DAY - 400))
    assert standing_days(database, CALLS) == days
    assert database.execute("SELECT count(*) FROM call_cdr_late").fetchone() == (2,)
    archive_calls(settings, now=True)
    assert len(archived(settings)) == 3


# Legs. A call of its own leg, so many days ago, on a real batch.

SETTINGS = FoldSettings()
PRICER = Tariffs(decks={}).price


def leg(uid: str, day: int, *, ended: bool, parent: str = "", at_s: int = 0) -> Leg:
    """A leg that began at noon of a day, or seconds later; one that has ended took a minute."""
    start_us = noon_ms(day) * 1000 + at_s * US_PER_SECOND
    return factories.leg(uid, start_us=start_us, end_us=start_us + 60 * US_PER_SECOND if ended else None, parent=parent)


# With the day of this call the window moves on, past the days of the legs that are older.
LATER = leg("later", DAY, ended=True)


def write(url: str, *legs: Leg) -> None:
    with connect(url, name="listener") as connection:
        write_batch(connection, legs, SETTINGS, PRICER, Partitions())


def legs_kept(connection: Connection) -> set[str]:
    return {uid for (uid,) in connection.execute("SELECT uid FROM call_leg")}


def test_legs_go_two_days_after_their_calls(settings: Settings, database: Connection, database_url: str) -> None:
    write(database_url, *(leg(f"day {day - DAY}", day, ended=True) for day in range(DAY - 3, DAY + 2)))
    archive_calls(settings, now=True)
    pruned(settings)
    assert kept(database) == {"day 1"}
    assert legs_kept(database) == {"day -1", "day 0", "day 1"}
    assert read_window(database).leg_us == (DAY - 1) * MS_PER_DAY * 1000
    assert standing_days(database, LEGS)[0] == DAY - 1


def test_a_call_of_forty_days_ends_as_any_other(settings: Settings, database: Connection, database_url: str) -> None:
    """Its row and its legs outlived their days; the hangup, and a leg that is new, find them."""
    write(database_url, leg("root", DAY - 9, ended=False), leg("short", DAY - 9, ended=True), LATER)
    archive_calls(settings, now=True)
    pruned(settings)
    assert (kept(database), legs_kept(database)) == ({"root"}, {"root", "later"})
    write(database_url, leg("root", DAY - 9, ended=True), leg("child", TODAY, ended=True, parent="root"))
    row = database.execute(
        "SELECT call_id, end_ts - start_ts, revision FROM call_cdr WHERE end_ts IS NOT NULL"
    ).fetchone()
    assert row == ("root", 40 * MS_PER_DAY + 60_000, 1)  # the child was the last to end
    archive_calls(settings, now=True)
    assert sorted(str(row[0]) for row in archived(settings)) == ["later", "root", "short"]
    database.execute("UPDATE call_cdr_late SET updated_ts = start_ts")
    assert pruned(settings).late_deleted == 1
    assert legs_kept(database) == {"child", "later"}


def test_a_late_leg_of_a_call_whose_legs_are_there_corrects_the_archive(
    settings: Settings, database: Connection, database_url: str
) -> None:
    """The row is gone, its legs are not: the row is folded again from all of them, and replaces the archived one."""
    write(database_url, leg("root", DAY, ended=True))
    archive_calls(settings, now=True)
    pruned(settings)
    assert kept(database) == set()
    write(database_url, leg("child", DAY, ended=True, parent="root", at_s=90))
    archive_calls(settings, now=True)
    (row,) = archived(settings)
    assert (row[0], row[7]) == ("root", row[5] + 150_000)


def test_a_leg_of_a_frozen_call_is_refused_and_costs_only_itself(
    settings: Settings, database: Connection, database_url: str
) -> None:
    """Its call is archived whole; a row of this leg alone would take its place."""
    write(database_url, leg("root", DAY - 9, ended=True), LATER)
    archive_calls(settings, now=True)
    pruned(settings)
    late, fresh = leg("root", DAY - 9, ended=True), leg("fresh", TODAY, ended=True)
    with connect(database_url, name="listener") as connection:
        with pytest.raises(TooLate):
            write_batch(connection, [late], SETTINGS, PRICER, Partitions())
        _, refused = write_around_poison(connection, [late, fresh], SETTINGS, PRICER, Partitions())
    assert [(refusal.leg, refusal.late) for refusal in refused] == [(late, True)]
    assert kept(database) == {"fresh"}


def test_a_call_that_is_up_and_was_never_heard_of_is_taken_however_old(
    settings: Settings, database: Connection, database_url: str
) -> None:
    """`show channels` lists a channel that has been up for forty days: it is no late leg."""
    write(database_url, leg("other", DAY - 9, ended=True), LATER)
    archive_calls(settings, now=True)
    pruned(settings)
    write(database_url, leg("zombie", DAY - 9, ended=False))
    write(database_url, leg("zombie", DAY - 9, ended=True))
    assert kept(database) == {"zombie"}


# Locks. `make bench` measures how long an INSERT waits at most; these tests show what waits for what.


def test_a_reader_that_holds_the_day_stops_pruning_and_is_named(
    settings: Settings, database: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """INSERTs pass between the tries; when the reader is gone, the same day is pruned."""
    put(database, call("a"), call("new", TODAY))
    archive_calls(settings, now=True)
    with connect(database_url, name="report") as reader:
        reader.execute("SELECT count(*) FROM call_cdr").fetchone()
        begun, inserted = threading.Event(), list[float]()

        def insert() -> None:
            with connect(database_url, name="writer", autocommit=True) as writer:
                begun.wait(10)
                for number in range(20):
                    call_rows.upsert(writer, [call(f"n{number}", TODAY)])
                    inserted.append(time.monotonic())

        thread = threading.Thread(target=insert)
        thread.start()
        begun.set()
        with pytest.raises(StoreUnavailable, match=r"process \d+ \(tollbook report, idle in transaction\)"):
            store.drop_calls(database, DAY, most_moved=10, patience_s=1.0)
        thread.join(30)
        assert len(inserted) == 20
    assert "a" in kept(database)
    assert store.drop_calls(database, DAY, most_moved=10).moved == 0
    assert "a" not in kept(database)


def test_a_reader_that_ends_is_waited_for(settings: Settings, database: Connection, database_url: str) -> None:
    """Not at once: the first try fails, the reader ends, a later one drops the day."""
    put(database, call("a"))
    archive_calls(settings, now=True)
    with connect(database_url, name="report") as reader:
        reader.execute("SELECT count(*) FROM call_cdr").fetchone()
        with connect(database_url, name="pruner", autocommit=True) as pruner:
            done: list[store.Dropped] = []
            thread = threading.Thread(target=lambda: done.append(store.drop_calls(pruner, DAY, most_moved=10)))
            thread.start()
            waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'call_cdr'::regclass)"
            while not (database.execute(waits).fetchone() or (False,))[0]:
                assert thread.is_alive()
            reader.rollback()
            thread.join(30)
    assert [dropped.moved for dropped in done] == [0]


def test_a_day_that_changed_after_it_was_verified_loses_nothing(settings: Settings, database: Connection) -> None:
    """Between the look and the drop a call changed and another came: both outlive the day."""
    put(database, call("a"), call("b"))
    archive_calls(settings, now=True)
    put(database, call("b", billsec=61), call("c", **UP))
    assert store.drop_calls(database, DAY, most_moved=10).moved == 2
    assert kept(database) == {"b", "c"}


def test_a_later_day_never_goes_first(settings: Settings, database: Connection) -> None:
    put(database, call("a", DAY - 1), call("b", DAY))
    archive_calls(settings, now=True)
    with pytest.raises(store.DayChanged):
        store.drop_calls(database, DAY, most_moved=10)
    assert kept(database) == {"a", "b"}


def test_the_run_reports_what_it_did(settings: Settings, database: Connection) -> None:
    put(database, call("a", DAY - 1), call("b", DAY), call("c", **UP))
    archive_calls(settings, now=True)
    lines, steps = list[str](), list[tuple[int, int]]()
    report = prune_days(
        settings, today=TODAY, progress=lambda done, total: steps.append((done, total)), write_line=lines.append
    )
    assert lines == [
        f"{date_of(DAY - 1)}: 1 calls, verified in the archive, dropped; 0 are open or wait for the archive and moved",
        f"{date_of(DAY)}: 1 calls, verified in the archive, dropped; 1 are open or wait for the archive and moved",
    ]
    assert steps == [(0, 2), (1, 2), (2, 2)]
    assert str(report) == (
        "pruned: 2 days of calls (2 calls that the archive holds), 0 days of legs, 0 late calls;"
        " 1 moved, 1 late calls are left, 1 of them open"
    )
