"""Pruning drops a day that the archive has, the oldest first; open and unarchived calls of it stay."""

import pytest

from maintenance.archive.run import archive_calls
from maintenance.prune.plan import MAX_MOVED
from maintenance.prune.report import PruneReport
from maintenance.prune.run import prune_days, requeue_day
from tests.factories import UP
from tests.integration.maintenance.prune.days import DAY, TODAY, archived, call, kept, pruned, put
from tollbook.config import Settings
from tollbook.errors import ArchiveError, DataError
from tollbook.store.database import Connection
from tollbook.store.days.partitions import CALLS, standing_days
from tollbook.store.days.window import read_window
from tollbook.times import MS_PER_DAY, current_day, date_of


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
