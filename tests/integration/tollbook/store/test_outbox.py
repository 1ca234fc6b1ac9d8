"""The archiver never waits for a batch of the listener, and never acknowledges what a batch is changing."""

from collections.abc import Generator

import pytest

from tests.archiving import claim
from tests.databases import store
from tests.factories import call
from tollbook.store import outbox
from tollbook.store.calls import call_rows
from tollbook.store.database import Connection, connect


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
    """Return the calls in the outbox, and whether a batch has claimed them."""
    return connection.execute("SELECT call_id, batch_id IS NOT NULL FROM archive_outbox ORDER BY 1").fetchall()


def test_a_claim_leaves_what_a_batch_of_the_listener_holds(database: Connection, listener: Connection) -> None:
    """A claim takes the rest at once; the next claim takes the row that was changing."""
    store(database, call("free"), call("held"))
    call_rows.upsert(listener, [call("held", billsec=61)])
    first = claim(database)
    assert first
    assert first.rows == 1
    assert waiting(database) == [("free", True), ("held", False)]
    listener.commit()
    second = claim(database)
    assert second
    assert second.rows == 1
    assert waiting(database) == [("free", True), ("held", True)]


def test_what_changes_while_it_is_acknowledged_stays(database: Connection, listener: Connection) -> None:
    """The archive has the row as it was: its change takes it out of the batch, and it waits for the archive again."""
    store(database, call("same"), call("changed"))
    batch = claim(database)
    assert batch
    call_rows.upsert(listener, [call("changed", billsec=61)])
    assert outbox.acknowledge(database, batch.batch_id) == 1
    listener.commit()
    assert waiting(database) == [("changed", False)]
    assert outbox.acknowledge(database, batch.batch_id) == 0
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
