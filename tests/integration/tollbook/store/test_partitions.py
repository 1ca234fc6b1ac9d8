"""Daily partitions: made on demand for any day an event brings, by any number of writers at once."""

import datetime as dt
import threading

import pytest

from tests.factories import UP, call
from tollbook.errors import DataError, StoreUnavailable
from tollbook.store.calls import call_rows
from tollbook.store.database import Connection, connect, store_errors
from tollbook.store.days.partitions import DAYS_AHEAD, Partitions, make_ready, partition_name
from tollbook.times import MS_PER_DAY, current_day


def partitions_of(connection: Connection, table: str) -> list[str]:
    rows = connection.execute(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass ORDER BY 1", (table,)
    ).fetchall()
    connection.rollback()
    return [name for (name,) in rows]


def day_of(date: str) -> int:
    return (dt.date.fromisoformat(date) - dt.date(1970, 1, 1)).days


def put(connection: Connection, start_ts: int) -> None:
    with store_errors():
        try:
            call_rows.upsert(connection, [call(start_ts=start_ts, **UP)])
            connection.commit()
        except BaseException:
            connection.rollback()
            raise


@pytest.mark.parametrize(
    ("date", "name"),
    [("1970-01-01", "call_cdr_19700101"), ("2000-02-29", "call_cdr_20000229"), ("2099-12-31", "call_cdr_20991231")],
)
def test_a_partition_is_named_after_its_day(date: str, name: str) -> None:
    assert partition_name("call_cdr", day_of(date)) == name


@pytest.mark.parametrize("date", ["2001-01-01", "2026-11-23", "2099-12-31"])
def test_any_day_gets_its_partitions_on_demand(database: Connection, date: str) -> None:
    """The day's first and last millisecond have a partition; the days beside it have none until asked for."""
    day = day_of(date)
    Partitions().ensure(database, call_days=[day], leg_days=[day])
    assert partition_name("call_cdr", day) in partitions_of(database, "call_cdr")
    assert partition_name("call_leg", day) in partitions_of(database, "call_leg")
    put(database, day * MS_PER_DAY)
    put(database, (day + 1) * MS_PER_DAY - 1)
    for outside in (day * MS_PER_DAY - 1, (day + 1) * MS_PER_DAY):
        with pytest.raises(DataError, match="no partition"):
            put(database, outside)
    # There is no DEFAULT partition that could hide an error: every row is in its day's.
    found = database.execute("SELECT DISTINCT tableoid::regclass::text FROM call_cdr").fetchall()
    assert found == [(partition_name("call_cdr", day),)]


def test_a_partition_has_the_indexes_and_checks_of_its_parent(database: Connection) -> None:
    Partitions().ensure(database, call_days=[20_000], leg_days=[20_000])
    for table in ("call_cdr", "call_leg"):
        counts = [
            database.execute(
                "SELECT (SELECT count(*) FROM pg_index WHERE indrelid = name::regclass),"
                " (SELECT count(*) FROM pg_constraint WHERE conrelid = name::regclass AND contype IN ('c', 'p'))"
                " FROM (VALUES (%s)) AS one (name)",
                (name,),
            ).fetchone()
            for name in (table, partition_name(table, 20_000))
        ]
        assert counts[0] == counts[1]
    invalid = database.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid").fetchone()
    assert invalid == (0,)


def test_days_that_stand_ready_are_not_asked_for_again(database: Connection) -> None:
    partitions = Partitions()
    partitions.ensure(database, call_days=[20_000], leg_days=[])
    database.execute("DROP TABLE call_cdr_20241004")
    database.commit()
    partitions.ensure(database, call_days=[20_000], leg_days=[])
    assert "call_cdr_20241004" not in partitions_of(database, "call_cdr")
    partitions.forget()
    partitions.ensure(database, call_days=[20_000], leg_days=[])
    assert "call_cdr_20241004" in partitions_of(database, "call_cdr")


def test_a_week_ahead_stands_ready(database: Connection) -> None:
    make_ready(database)
    today = current_day()
    for table in ("call_cdr", "call_leg"):
        days = {partition_name(table, day) for day in range(today, today + DAYS_AHEAD + 1)}
        assert days <= set(partitions_of(database, table))


def test_two_writers_may_want_the_same_days_at_once(database_url: str, database: Connection) -> None:
    """Two connections, the same 20 new days, at the same moment, in opposite orders: each day is made once."""
    ready, failures = threading.Barrier(2, timeout=10), list[BaseException]()
    days = range(12_000, 12_020)

    def maker(wanted: list[int]) -> None:
        try:
            with connect(database_url, name="maker") as connection:
                ready.wait()
                for day in wanted:
                    Partitions().ensure(connection, call_days=[day], leg_days=[day])
        except BaseException as error:  # noqa: BLE001 - shown below
            failures.append(error)

    threads = [threading.Thread(target=maker, args=(wanted,), daemon=True) for wanted in (list(days), list(days)[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert failures == []
    assert {partition_name("call_cdr", day) for day in days} <= set(partitions_of(database, "call_cdr"))


def test_an_open_reader_keeps_no_writer_waiting(database_url: str, database: Connection) -> None:
    """While a report has been reading for an hour, a new day is made and written to."""
    Partitions().ensure(database, call_days=[20_000], leg_days=[])
    with connect(database_url, name="reader") as reader:
        reader.execute("SELECT count(*) FROM call_cdr").fetchone()
        database.execute("SET lock_timeout = '3s'")
        database.commit()
        Partitions().ensure(database, call_days=[20_001], leg_days=[])
        put(database, 20_001 * MS_PER_DAY)


def test_a_making_that_fails_leaves_nothing_half_made(database_url: str, database: Connection) -> None:
    """The parent is locked: making the partition is given up, and leaves no table without a parent."""
    with connect(database_url, name="locker") as locker:
        locker.execute("LOCK TABLE call_cdr IN ACCESS EXCLUSIVE MODE")
        database.execute("SET lock_timeout = '100ms'")
        database.commit()
        with pytest.raises(StoreUnavailable):
            Partitions().ensure(database, call_days=[20_002], leg_days=[])
    found = database.execute("SELECT to_regclass(%s)", (partition_name("call_cdr", 20_002),)).fetchone()
    assert found == (None,)
    database.rollback()
    Partitions().ensure(database, call_days=[20_002], leg_days=[])
    assert partition_name("call_cdr", 20_002) in partitions_of(database, "call_cdr")


def test_of_days_without_partitions_the_newest_few_come_first(database: Connection) -> None:
    """Days that are ready are never held back; of the others each turn takes so many, until all are ready."""
    partitions = Partitions()
    partitions.ensure(database, call_days=[20_000, 20_001], leg_days=[20_000])
    assert partitions.first_new([20_000, 20_001, 20_002, 20_003], 2) == {20_000, 20_003, 20_002}
    partitions.ensure(database, call_days=[20_002, 20_003], leg_days=[20_002, 20_003])
    assert partitions.first_new([20_000, 20_001, 20_002, 20_003], 2) == {20_000, 20_001, 20_002, 20_003}
