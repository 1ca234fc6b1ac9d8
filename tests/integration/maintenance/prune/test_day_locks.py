"""A day is dropped whole or not at all, whatever reads or changes it meanwhile.

`make bench` measures how long an INSERT waits at most; these tests show what waits for what.
"""

import threading
import time

import pytest

from maintenance.archive.run import archive_calls
from tests.factories import UP
from tests.integration.maintenance.prune.days import DAY, TODAY, call, kept, put
from tollbook.config import Settings
from tollbook.errors import StoreUnavailable
from tollbook.store.calls import call_rows
from tollbook.store.database import Connection, connect
from tollbook.store.days import prune as store


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
