"""Pruning drops a day that the archive has, the oldest first; open and unarchived calls of it stay."""

import re
from typing import Any

import pytest
from pyiceberg.table import FileScanTask

from maintenance.archive.run import archive_calls
from maintenance.prune.plan import MAX_MOVED
from maintenance.prune.report import PruneReport
from maintenance.prune.run import prune_days, requeue_day
from maintenance.restore.run import restore_days
from tests import factories
from tests.factories import UP
from tests.integration.maintenance.prune.days import DAY, TODAY, archived, call, kept, noon_ms, pruned, put
from tollbook.archive._pyarrow import plan_files
from tollbook.archive.schema import ARCHIVE_COLUMNS
from tollbook.config import Settings
from tollbook.errors import ArchiveError, ArchiveLost, DataError
from tollbook.model.call_key import CallKey
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
    database.execute("UPDATE call_cdr_late SET updated_ts = %s", ((DAY + 1) * MS_PER_DAY,))
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
    database.execute("UPDATE call_cdr SET updated_ts = start_ts, billsec = 99")
    done = pruned(settings)
    assert (done.late_deleted, done.late_requeued, done.late_left) == (0, 1, 1)
    archive_calls(settings, now=True)
    assert [row[9] for row in archived(settings)] == [99]
    assert pruned(settings).late_deleted == 1


#: Another value for each column of the archive that is no part of a call's key.
OTHER_VALUES = {
    "account_id": "NULL", "direction": "'inbound'", "from_num": "'1'", "to_num": "'1'", "answer_ts": "answer_ts + 1",
    "end_ts": "end_ts + 1", "duration_sec": "duration_sec + 1", "billsec": "billsec + 1",
    "answered": "0, answer_ts = NULL, billsec = 0", "disposition": "'busy'", "hangup_cause": "'USER_BUSY'",
    "queue_id": "'sales'", "agent_id": "'7'", "cost_micros": "cost_micros + 1", "parts": "'[]'",
    "revision": "revision + 1", "estimated": "true", "currency": "'USD'",
    "hung_up_by": "'caller'", "pdd_ms": "1", "ring_ms": "1", "wait_ms": "1", "talk_ms": "1", "hold_ms": "1",
    "rx_mos": "4.1", "codec": "'PCMA'", "sip_call_id": "'x@y'", "source_ip": "'192.0.2.1'", "gateway": "'carrier'",
    "sip_status": "486", "destination": "'Germany'", "recordings": "'[\"a.wav\"]'", "voicemail": "true",
    "vars": "'{\"a\": \"b\"}'", "trunk_root": "true", "imported": "'cdr_csv Master.csv'",
}  # fmt: skip


def test_every_column_is_compared() -> None:
    assert OTHER_VALUES.keys() | set(CallKey._fields) == set(ARCHIVE_COLUMNS)


@pytest.mark.parametrize("column", OTHER_VALUES)
def test_a_day_that_differs_in_one_column_is_kept_and_every_later_one(
    settings: Settings, database: Connection, column: str
) -> None:
    """The first day goes; the second differs in one column of one call; the third is not looked at.

    Before, only the sums of calls, seconds and micros of each account were compared.
    """
    put(database, call("a", DAY - 2), call("b", DAY - 1, "other"), call("c", DAY - 1), call("d", DAY))
    archive_calls(settings, now=True)
    database.execute(f"UPDATE call_cdr SET {column} = {OTHER_VALUES[column]} WHERE call_id = 'b'")  # not queued
    with pytest.raises(DataError, match=f"{date_of(DAY - 1)} is not dropped, nor any later day") as refused:
        pruned(settings)
    named = f"call b of {date_of(DAY - 1)}T12:00:00Z on fs1 differs in "
    (line,) = [line.strip() for line in str(refused.value).splitlines() if line.strip().startswith("call ")]
    assert line.startswith(named)
    assert column in line.removeprefix(named).split(", ")
    assert kept(database) == {"b", "c", "d"}
    assert read_window(database).start_ts == (DAY - 1) * MS_PER_DAY
    with pytest.raises(DataError):
        pruned(settings, dry_run=True)
    assert requeue_day(settings, DAY - 1) == 1
    archive_calls(settings, now=True)
    assert pruned(settings).days == 2


def test_a_call_that_one_tier_lacks_or_has_twice_keeps_its_day(settings: Settings, database: Connection) -> None:
    """Each is named with what is wrong; sending the day again repairs what PostgreSQL has."""
    put(database, *(call(name) for name in ("fine", "gone", "missing", "twice")))
    database.execute("DELETE FROM archive_outbox WHERE call_id = 'missing'")
    archive_calls(settings, now=True)
    queue = "INSERT INTO archive_outbox (start_ts, call_id, switch, account_id) SELECT start_ts, call_id, switch"
    database.execute(f"{queue}, account_id FROM call_cdr WHERE call_id = 'twice'")  # as if it had never been archived
    archive_calls(settings, now=True)
    database.execute("DELETE FROM call_cdr WHERE call_id = 'gone'")
    with pytest.raises(DataError) as refused:
        pruned(settings)
    where = f"of {date_of(DAY)}T12:00:00Z on fs1"
    assert [line.strip() for line in str(refused.value).splitlines()[1:-1]] == [
        f"call gone {where} is only in the archive",
        f"call missing {where} is not in the archive",
        f"call twice {where} is in the archive 2 times",
    ]
    assert f"`tollbook archive restore {date_of(DAY)}`" in str(refused.value)
    assert "--send-again" not in str(refused.value)
    assert requeue_day(settings, DAY) == 2
    archive_calls(settings, now=True)
    with pytest.raises(DataError) as refused:
        pruned(settings)
    assert "call gone" in str(refused.value)
    assert "missing" not in str(refused.value)
    assert "twice" not in str(refused.value)
    assert sorted(row[0] for row in archived(settings)) == ["fine", "gone", "missing", "twice"]
    assert restore_days(settings, [DAY]).restored.rows == 1
    assert pruned(settings).calls == 4


def test_a_lost_catalog_is_no_empty_archive(settings: Settings, database: Connection) -> None:
    """Neither is the day sent again as a whole, nor a late call, nor does the operator look for what differs."""
    put(database, call("late"))
    pruned(settings)
    put(database, call("a", DAY + 1))
    archive_calls(settings, now=True)
    database.execute("UPDATE call_cdr_late SET updated_ts = start_ts")
    database.execute("DROP TABLE iceberg_tables, iceberg_namespace_properties")
    for today in (TODAY, TODAY + 1):  # a late call alone, and a day too
        with pytest.raises(ArchiveLost, match="tollbook archive attach"):
            pruned(settings, today=today)
    with pytest.raises(ArchiveLost, match="tollbook archive attach"):
        requeue_day(settings, DAY + 1)
    assert kept(database) == {"late", "a"}
    assert database.execute("SELECT count(*) FROM archive_outbox").fetchone() == (0,)


def test_no_transaction_is_open_while_the_archive_is_read(
    settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL ends one that is idle for a minute, and the archive's part of a large day takes longer to read."""
    put(database, call("a"), call("b"))
    archive_calls(settings, now=True)
    database.execute("UPDATE call_cdr SET billsec = 59 WHERE call_id = 'b'")
    readers: list[int] = []

    def plan(*arguments: Any) -> list[FileScanTask]:
        (count,) = database.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_inherits ON relation = inhrelid"
            " WHERE inhparent = 'call_cdr'::regclass AND pid <> pg_backend_pid()"
        ).fetchone()
        readers.append(count)
        return plan_files(*arguments)

    monkeypatch.setattr("maintenance.prune.verify.plan_files", plan)
    with pytest.raises(DataError, match=r"call b of .* differs in billsec"):
        pruned(settings)
    assert requeue_day(settings, DAY) == 1
    assert readers == [0, 0, 0, 0]


def test_ten_calls_are_named_at_most(settings: Settings, database: Connection) -> None:
    put(database, *(call(f"c{number:02}") for number in range(12)))
    archive_calls(settings, now=True)
    database.execute("UPDATE call_cdr SET agent_id = '7'")
    with pytest.raises(DataError) as refused:
        pruned(settings)
    assert re.findall(r"call (c\d\d) of", str(refused.value)) == [f"c{number:02}" for number in range(10)]
    assert requeue_day(settings, DAY) == 12


def test_spans_that_differ_are_read_a_few_calls_at_a_time(
    settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever spans the calls that differ are read in, each is sent again once."""
    monkeypatch.setattr("maintenance.prune.verify._SPAN_ROWS", 3)
    minutes = (0, 0, 1, 2, 2, 2, 2, 5, 719, 719)
    starts = [noon_ms(DAY) + minute * 60_000 + place for place, minute in enumerate(minutes)]
    put(database, *(factories.call(f"c{place}", start_ts=start) for place, start in enumerate(starts)))
    archive_calls(settings, now=True)
    database.execute("UPDATE call_cdr SET queue_id = 'sales' WHERE call_id NOT IN ('c1', 'c5')")
    assert requeue_day(settings, DAY) == 8
    archive_calls(settings, now=True)
    assert pruned(settings).calls == 10


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
        f"{date_of(day)}: 1 calls, verified in the archive, dropped;"
        f" {moved} moved: open, not archived or changed lately"
        for day, moved in ((DAY - 1, 0), (DAY, 1))
    ]
    assert steps == [(0, 2), (1, 2), (2, 2)]
    assert str(report) == (
        "pruned: 2 days of calls (2 calls that the archive holds), 0 days of legs, 0 late calls;"
        " 1 moved, 1 late calls are left, 1 of them open"
    )
