"""The archiver never waits for a batch of the listener, and never acknowledges what a batch is changing."""

import datetime as dt
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import LiteralString
from uuid import uuid4

import psycopg
import pytest

from tests.archiving import claim
from tests.databases import on_server, store, upgrade_to
from tests.factories import call
from tests.waiting import wait_until
from tollbook.store import health, outbox
from tollbook.store.calls import call_rows
from tollbook.store.database import Connection, connect
from tollbook.store.outbox import ClaimedBatch
from tollbook.store.outbox_rows import read_csv
from tollbook.store.schema import upgrade


@pytest.fixture
def database(database_url: str) -> Generator[Connection]:
    """The archiver's connection: a statement that waits for another transaction fails after two seconds."""
    with connect(database_url, name="archiver", autocommit=True) as connection:
        connection.execute("SET lock_timeout = '2s'")
        yield connection


@pytest.fixture
def listener(database_url: str) -> Generator[Connection]:
    with connect(database_url, name="listener") as connection:
        yield connection


def waiting(connection: Connection) -> list[tuple[str, bool]]:
    """Return the calls in the outbox, and whether a batch has claimed them as they are."""
    return connection.execute(
        "SELECT call_id, EXISTS (SELECT FROM archive_batch, unnest(tids, xmins) AS claimed (place, version)"
        " WHERE place = waiting.ctid AND version = waiting.xmin) FROM archive_outbox AS waiting ORDER BY 1"
    ).fetchall()


def read(connection: Connection, batch: ClaimedBatch) -> list[str]:
    """Return the calls that are read of a batch."""
    return sorted(line.split(b",")[0].decode() for line in bytes(read_csv(connection, batch)).splitlines())


def test_a_claim_does_not_wait_for_a_batch_of_the_listener(database: Connection, listener: Connection) -> None:
    """It takes the row as it is, which falls out of the claim with the change; the next one takes it as it is then."""
    store(database, call("free"), call("held"))
    call_rows.upsert(listener, [call("held", billsec=61)])
    first = claim(database)
    assert first
    assert first.rows == 2
    listener.commit()
    assert waiting(database) == [("free", True), ("held", False)]
    assert read(database, first) == ["free"]
    second = claim(database)
    assert second
    assert second.rows == 1
    assert waiting(database) == [("free", True), ("held", True)]
    assert read(database, second) == ["held"]


def test_a_claim_leaves_what_an_earlier_one_still_has(database: Connection, listener: Connection) -> None:
    """The archive has the row that the listener held while it was acknowledged: it must not be archived again."""
    store(database, call("held"))
    batch = claim(database)
    assert batch
    call_rows.upsert(listener, [call("held", billsec=61)])
    assert outbox.acknowledge(database, batch.batch_id) == 0
    at = outbox.moment(database)
    assert outbox.claim(database, before=at, accounts=["acme"]) is None
    listener.rollback()
    assert outbox.claim(database, before=at, accounts=["acme"]) is None
    assert outbox.acknowledge(database, batch.batch_id) == 1
    assert (outbox.unfinished_batches(database), waiting(database)) == ([], [])


def test_another_row_in_the_place_of_a_claimed_one_is_not_of_its_batch(database: Connection) -> None:
    """A row that is gone leaves its place to the next one, which was not claimed."""
    store(database, call("gone"))
    batch = claim(database)
    assert batch
    (place,) = database.execute("SELECT ctid FROM archive_outbox").fetchall()
    database.execute("DELETE FROM archive_outbox")
    database.execute("VACUUM archive_outbox")
    store(database, call("next"))
    assert database.execute("SELECT ctid FROM archive_outbox").fetchall() == [place]
    assert read(database, batch) == []
    assert outbox.acknowledge(database, batch.batch_id) == 0
    assert waiting(database) == [("next", False)]


@pytest.mark.parametrize("elsewhere", [["VACUUM FULL archive_outbox"], ["UPDATE archive_batch SET outbox = 'another'"]])
def test_a_table_that_was_written_anew_is_distrusted(database: Connection, elsewhere: list[LiteralString]) -> None:
    """Its rows stand elsewhere: nothing is read or removed by their old places, and all may be archived already."""
    store(database, *(call(f"call-{number}") for number in range(9)))
    database.execute("DELETE FROM archive_outbox WHERE call_id < 'call-3'")
    batch = claim(database)
    assert batch
    for statement in elsewhere:
        database.execute(statement)
    assert read(database, batch) == []
    assert outbox.acknowledge(database, batch.batch_id) == 0
    assert outbox.unfinished_batches(database) == []
    assert database.execute("SELECT count(*) FROM archive_outbox WHERE deleted").fetchall() == [(6,)]


def test_what_changes_while_it_is_acknowledged_stays(database: Connection, listener: Connection) -> None:
    """The archive has the row as it was: its change takes it out of the batch, and it waits for the archive again."""
    store(database, call("same"), call("changed"))
    batch = claim(database)
    assert batch
    call_rows.upsert(listener, [call("changed", billsec=61)])
    assert outbox.acknowledge(database, batch.batch_id) == 1
    listener.commit()
    assert waiting(database) == [("changed", False)]
    assert [left.rows for left in outbox.unfinished_batches(database)] == [1]
    assert outbox.acknowledge(database, batch.batch_id) == 0
    assert outbox.unfinished_batches(database) == []
    assert waiting(database) == [("changed", False)]


def test_a_batch_that_is_taken_back_is_acknowledged_later(database: Connection, listener: Connection) -> None:
    """A row that the listener held and then left unchanged still belongs to the batch: the next run finds it there."""
    store(database, call("same"), call("held"))
    batch = claim(database)
    assert batch
    call_rows.upsert(listener, [call("held", billsec=61)])
    assert outbox.acknowledge(database, batch.batch_id) == 1
    listener.rollback()
    assert [left.batch_id for left in outbox.unfinished_batches(database)] == [batch.batch_id]
    assert outbox.acknowledge(database, batch.batch_id) == 1
    assert waiting(database) == []


def test_rows_with_an_estimated_end_are_freed_save_those_that_a_batch_holds(
    database: Connection, listener: Connection
) -> None:
    """`settle` does not wait for a batch either: a row that is changing gets a new time to wait until anyway."""
    store(database, call("free", estimated=True), call("held", estimated=True))
    call_rows.upsert(listener, [call("held", estimated=True, billsec=61)])
    outbox.settle(database)
    listener.commit()
    found = database.execute("SELECT call_id, since > now() FROM archive_outbox ORDER BY 1").fetchall()
    assert found == [("free", False), ("held", True)]


def test_the_oldest_of_all_accounts_is_found_without_counting_them(database: Connection) -> None:
    """Of any account, of none, and of a batch that is claimed; what waits is counted only so far."""
    assert health.waiting_for_archive(database, 10) == (0, 0)
    for number, account_id in enumerate(("acme", "beta", "beta", None, "zeta")):
        store(database, call(f"call-{number}", account_id=account_id))
    for oldest in range(5):
        database.execute("UPDATE archive_outbox SET since = now() - interval '5 minutes'")
        database.execute(
            "UPDATE archive_outbox SET since = now() - interval '1 hour' WHERE call_id = %s", (f"call-{oldest}",)
        )
        rows, oldest_s = health.waiting_for_archive(database, 3)
        assert (rows, round(oldest_s / 60)) == (3, 60)
    assert health.waiting_for_archive(database, 10)[0] == 5
    assert claim(database)
    assert round(health.waiting_for_archive(database, 10)[1] / 60) == 60


def test_a_batch_is_abandoned_once_no_archiver_is_connected(database: Connection, database_url: str) -> None:
    store(database, call("one"), call("two"), call("three"))
    assert health.abandoned_batches(database) == 0
    assert claim(database, limit=2)
    assert claim(database)
    with connect(database_url, name="archive"):
        assert health.abandoned_batches(database) == 0
    wait_until(lambda: health.abandoned_batches(database) == 2)


def test_a_table_that_is_written_anew_while_a_batch_is_acknowledged(
    database_url: str, database: Connection, listener: Connection
) -> None:
    """Whoever comes first, no row is removed by the place of another: all stay, and may be archived already."""
    store(database, *(call(f"0-{number}") for number in range(3)), *(call(f"1-{number}") for number in range(3)))
    held = [call(f"2-{number}", estimated=True) for number in range(3)]
    store(database, *held)
    database.execute("DELETE FROM archive_outbox WHERE call_id < '1'")
    batch = claim(database)
    assert batch
    listener.execute("LOCK TABLE archive_outbox IN ROW EXCLUSIVE MODE")  # as a batch does
    with (
        connect(database_url, name="operator", autocommit=True) as operator,
        connect(database_url, name="archiver", autocommit=True) as archiver,
        ThreadPoolExecutor(2) as others,
    ):

        def waits(count: int) -> Callable[[], bool]:
            return lambda: database.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() == (count,)

        written = others.submit(operator.execute, "VACUUM FULL archive_outbox")
        wait_until(waits(1), 10)
        acknowledged = others.submit(outbox.acknowledge, archiver, batch.batch_id)
        wait_until(waits(2), 10)
        listener.commit()
        written.result(10)
        assert acknowledged.result(10) == 0
    assert [name for name, _ in waiting(database)] == [f"{kind}-{number}" for kind in (1, 2) for number in range(3)]


def test_what_is_claimed_is_not_settled(database: Connection) -> None:
    """After a kill the archive may have it: it stays in its batch, although the server's clock was set back since."""
    store(database, call("claimed", account_id="acme"))
    database.execute("UPDATE archive_outbox SET since = now() + interval '5 seconds'")
    ahead = outbox.moment(database) + dt.timedelta(minutes=1)
    batch = outbox.claim(database, before=ahead, accounts=["acme"])
    assert batch
    outbox.settle(database)
    assert read(database, batch) == ["claimed"]
    assert outbox.accounts_waiting(database, at=ahead, before=ahead, rows=1, oldest_s=0) == []


def test_an_upgrade_moves_the_batches_that_were_claimed(postgres_url: str) -> None:
    """A batch of the version before, which the archive may have, is found again with its rows and no others."""
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute("CREATE DATABASE claimed_before")
    url = on_server(postgres_url, "claimed_before")
    upgrade_to(url, "0010")
    batch_id = uuid4()
    with psycopg.connect(url) as before:
        for call_id, claimed in (("free", None), ("claimed", batch_id)):
            before.execute(
                "INSERT INTO archive_outbox (start_ts, call_id, switch, account_id, batch_id)"
                " VALUES (1000, %s, 'fs', 'acme', %s)",
                (call_id, claimed),
            )
    upgrade(url)
    with connect(url, name="archiver", autocommit=True) as connection:
        (batch,) = outbox.unfinished_batches(connection)
        assert (batch.batch_id, batch.rows, batch.first_ts, batch.last_ts) == (batch_id, 1, 1000, 1000)
        assert outbox.acknowledge(connection, batch_id) == 1
        assert waiting(connection) == [("free", False)]
