"""Locks: each is held at the place that it guards, and the other side is seen waiting for it."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

import pytest

from rating.engine import Tariffs
from tests import factories
from tests.waiting import wait_until
from tollbook.model.charge import Price
from tollbook.model.fold import FoldSettings
from tollbook.model.leg import Leg
from tollbook.model.record import Row
from tollbook.store.calls.batch import write_batch
from tollbook.store.database import Connection, connect
from tollbook.store.days import late
from tollbook.store.days.partitions import CALLS, LEGS, Partitions, standing_days
from tollbook.store.days.prune import DayChanged, drop_calls, drop_legs
from tollbook.store.days.window import read_window
from tollbook.store.locks import PARTITION_LOCK
from tollbook.times import MS_PER_DAY, US_PER_SECOND, current_day

DAY = 20_749  # 2026-10-23
UNRATED = Tariffs(decks={}).price


def leg(uid: str, *, day: int = DAY, parent: str = "", at_s: int = 0) -> Leg:
    """Return a leg that ended after a minute, at noon of a day."""
    start_us = (day * MS_PER_DAY + MS_PER_DAY // 2) * 1000 + at_s * US_PER_SECOND
    end_us = start_us + 60 * US_PER_SECOND
    return factories.leg(uid, start_us=start_us, end_us=end_us, parent=parent, answered_us=start_us)


def write(connection: Connection, *legs: Leg, price: Callable[[Row], Price] = UNRATED) -> None:
    write_batch(connection, legs, FoldSettings(), price, Partitions())


@pytest.fixture
def database(database_url: str) -> Generator[Connection]:
    with connect(database_url, name="test", autocommit=True) as connection:
        yield connection


class Attempt:
    """Runs something in its own thread, on its own `autocommit` connection, and keeps how it ended."""

    def __init__(self, url: str, work: Callable[[Connection], object]) -> None:
        self.pid = 0
        self.result: object = None
        self.error: BaseException | None = None

        def run() -> None:
            try:
                with connect(url, name="attempt", autocommit=True) as connection:
                    self.pid = connection.info.backend_pid
                    self.result = work(connection)
            except BaseException as error:  # noqa: BLE001 - raised again by `end`
                self.error = error

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def seen_waiting(self, watcher: Connection) -> None:
        """Wait until PostgreSQL shows it waiting, which must be for an advisory lock; fail if it ends without."""

        def waits_for() -> str | None:
            assert self._thread.is_alive(), f"it did not wait: {self.error or self.result!r}"
            found = "SELECT locktype FROM pg_locks WHERE pid = %s AND NOT granted"
            return (watcher.execute(found, (self.pid,)).fetchone() or (None,))[0]

        assert wait_until(waits_for, every_s=0.002) == "advisory"

    def end(self) -> object:
        """Wait for the end, and raise what it raised."""
        self._thread.join(30)
        assert not self._thread.is_alive()
        if self.error:
            raise self.error
        return self.result


def legs_kept(connection: Connection) -> set[str]:
    return {uid for (uid,) in connection.execute("SELECT uid FROM call_leg")}


def test_a_day_is_not_dropped_while_a_partition_is_being_made(database: Connection, database_url: str) -> None:
    """An older day that another process is making will be the oldest once it exists: this one must not go before it.

    Dropped in between, this day would move the window past the day being made, whose partition could not be attached.
    """
    Partitions().ensure(database, call_days=[DAY], leg_days=())
    with connect(database_url, name="maker") as maker:
        maker.execute("SELECT pg_advisory_xact_lock(%s)", (PARTITION_LOCK,))
        dropping = Attempt(database_url, lambda connection: drop_calls(connection, DAY, most_moved=10))
        dropping.seen_waiting(database)
        Partitions().ensure(maker, call_days=[DAY - 1], leg_days=())
        maker.commit()
    with pytest.raises(DayChanged):
        dropping.end()
    assert standing_days(database, CALLS) == [DAY - 1, DAY]
    assert read_window(database).start_ts == 0


def test_a_partition_is_not_made_while_a_day_is_being_dropped(database: Connection, database_url: str) -> None:
    """A writer that wants a day being dropped finds it before the window start, and does not make it."""
    Partitions().ensure(database, call_days=[DAY], leg_days=())
    with connect(database_url, name="dropper") as dropper:
        dropper.execute("SELECT pg_advisory_xact_lock(%s)", (PARTITION_LOCK,))
        making = Attempt(
            database_url, lambda connection: Partitions().ensure(connection, call_days=[DAY - 1], leg_days=())
        )
        making.seen_waiting(database)
        with dropper.transaction():
            drop_calls(dropper, DAY, most_moved=10)
        dropper.commit()
    making.end()
    assert standing_days(database, CALLS) == []
    assert read_window(database).start_ts == (DAY + 1) * MS_PER_DAY


def in_one_transaction(connection: Connection, *legs: Leg, price: Callable[[Row], Price] = UNRATED) -> None:
    connection.autocommit = False
    write(connection, *legs, price=price)


@contextmanager
def batch_held_while_it_prices(url: str, *legs: Leg) -> Generator[Callable[[], object]]:
    """Hold a batch in the middle of its transaction: it has read the stored legs and has not written yet.

    Yield a function that lets it go on and waits for its end.
    """
    reached, go_on = threading.Event(), threading.Event()

    def price(row: Row) -> Price:
        reached.set()
        assert go_on.wait(60)
        return UNRATED(row)

    writing = Attempt(url, lambda connection: in_one_transaction(connection, *legs, price=price))
    try:
        assert reached.wait(30), writing.error

        def end() -> object:
            go_on.set()
            return writing.end()

        yield end
    finally:
        go_on.set()
        writing.end()


def test_legs_are_not_dropped_between_a_batchs_look_and_its_rows(database: Connection, database_url: str) -> None:
    """A pruned call gets one more leg: it becomes a late call again, and all of its legs outlive their day with it."""
    with connect(database_url, name="listener") as listener:
        write(listener, leg("root"))
    assert drop_calls(database, DAY, most_moved=1).moved == 1  # it waits for the archive
    database.execute("DELETE FROM call_cdr_late")  # as happens once it is archived and has not changed for a while
    with batch_held_while_it_prices(database_url, leg("child", parent="root", at_s=9)) as finish_the_batch:
        dropping = Attempt(database_url, lambda connection: drop_legs(connection, DAY))
        dropping.seen_waiting(database)
        finish_the_batch()
    dropping.end()
    assert standing_days(database, LEGS) == []
    assert legs_kept(database) == {"root", "child"}
    with connect(database_url, name="listener") as listener:
        write(listener, leg("grandchild", parent="child", at_s=300))
    assert database.execute("SELECT call_id, duration_sec FROM call_cdr").fetchall() == [("root", 360)]


def test_a_late_call_is_not_deleted_between_a_batchs_look_and_its_rows(database: Connection, database_url: str) -> None:
    """Unchanged for a while, it is due to be deleted, but a new leg changes it: it stays, with all of its legs.

    Deleted in between, it would leave only the new leg, and the next one would make a row of these two alone.
    """
    with connect(database_url, name="listener") as listener:
        write(listener, leg("root"))
    drop_calls(database, DAY, most_moved=1)
    drop_legs(database, DAY)
    database.execute("DELETE FROM archive_outbox")
    database.execute("UPDATE call_cdr_late SET updated_ts = start_ts")
    rested = late.settled(database, limit=10)
    assert [key.call_id for key in rested] == ["root"]
    with batch_held_while_it_prices(database_url, leg("child", parent="root", at_s=9)) as finish_the_batch:
        deleting = Attempt(database_url, lambda connection: late.delete(connection, rested))
        deleting.seen_waiting(database)
        finish_the_batch()
    assert deleting.end() == 0
    assert legs_kept(database) == {"root", "child"}
    assert database.execute("SELECT call_id, duration_sec FROM call_cdr").fetchall() == [("root", 69)]


def test_batches_of_one_switch_follow_each_other(database: Connection, database_url: str) -> None:
    """Two listeners on a switch, or `recover` beside one: the second reads what the first wrote, and folds it all."""
    root, child = leg("root", day=current_day()), leg("child", day=current_day(), parent="root", at_s=9)
    with batch_held_while_it_prices(database_url, root) as finish_the_batch:
        second = Attempt(database_url, lambda connection: in_one_transaction(connection, child))
        second.seen_waiting(database)
        finish_the_batch()
    second.end()
    assert database.execute("SELECT call_id, duration_sec FROM call_cdr").fetchall() == [("root", 69)]
