"""Neither the listener nor a second archiver makes a run lose a row or write one twice."""

import threading

import pytest

from maintenance.archive.batch import parse
from maintenance.archive.commit import commit
from maintenance.archive.run import archive_calls
from maintenance.archive.table import ensure_table
from tests.archiving import archive_now, archived, claim, stored, waiting
from tests.databases import store
from tests.factories import START_MS, call
from tollbook.archive.catalog import open_catalog
from tollbook.config import Settings
from tollbook.errors import ArchiveError
from tollbook.store import outbox
from tollbook.store.calls import call_rows
from tollbook.store.database import Connection, connect


def test_a_row_that_changes_between_claim_and_acknowledge_stays(settings: Settings, database: Connection) -> None:
    store(database, call("c1"), call("c2"))
    batch = claim(database)
    assert batch is not None
    with open_catalog(settings, writing=True) as catalog:
        commit(ensure_table(catalog), batch.batch_id, parse(outbox.read_csv(database, batch)))
    store(database, call("c1", disposition="lost"))
    assert outbox.acknowledge(database, batch.batch_id) == 1
    assert waiting(database) == 1
    assert archive_now(settings).startswith("archived: 0 rows appended, 1 replaced")
    assert archived(settings) == stored(database)


def test_a_row_that_the_listener_holds_is_left_for_later(
    settings: Settings, database: Connection, database_url: str
) -> None:
    store(database, call("c1"), call("c2"))
    with connect(database_url, name="listener") as listener:
        call_rows.upsert(listener, [call("c1", disposition="lost")])
        assert archive_now(settings).startswith("archived: 1 rows appended")
        listener.commit()
    assert archive_now(settings).startswith("archived: 1 rows appended")
    assert archived(settings) == stored(database)


def test_a_second_archiver_gives_up_with_a_clear_message(database_url: str) -> None:
    with (
        outbox.sole_archiver(database_url, name="first"),
        pytest.raises(ArchiveError, match="another command is writing the archive"),
        outbox.sole_archiver(database_url, name="second", wait_s=0.1),
    ):
        pass


def test_the_lock_keeps_nothing_from_vacuum_and_its_loss_is_noticed(database: Connection, database_url: str) -> None:
    """Its transaction holds neither a snapshot nor an id. When somebody ends it, the next check says so."""
    with outbox.sole_archiver(database_url, name="archive") as check_alone:
        check_alone()
        session = "FROM pg_stat_activity WHERE application_name = 'tollbook archive' AND datname = current_database()"
        found = database.execute(f"SELECT state, backend_xmin, backend_xid {session}".encode()).fetchall()
        assert found == [("idle in transaction", None, None)]
        database.execute(f"SELECT pg_terminate_backend(pid) {session}".encode())
        with pytest.raises(ArchiveError, match="other commands from writing the archive was closed"):
            check_alone()
    with outbox.sole_archiver(database_url, name="archive", wait_s=0.1):
        pass


def test_two_archivers_at_once_archive_every_row_once(settings: Settings, database: Connection) -> None:
    store(database, *(call(f"c{number}", start_ts=START_MS + number) for number in range(200)))
    done: list[int] = []
    archivers = [
        threading.Thread(target=lambda: done.append(archive_calls(settings, now=True).committed.appended)) for _ in "12"
    ]
    for archiver in archivers:
        archiver.start()
    for archiver in archivers:
        archiver.join(60)
    assert sorted(done) == [0, 200]
    assert archived(settings) == stored(database)
