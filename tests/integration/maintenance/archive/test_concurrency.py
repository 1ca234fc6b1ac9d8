"""Neither the listener nor a second archiver makes a run lose a row or write one twice."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from maintenance.archive.batch import parse
from maintenance.archive.commit import commit
from maintenance.archive.table import ensure_table
from tests.archiving import archive_all, archive_now, archived, claim, stored, waiting
from tests.databases import store
from tests.factories import START_MS, call
from tollbook.archive.catalog import open_catalog
from tollbook.config import Settings
from tollbook.errors import ArchiveError
from tollbook.store import outbox
from tollbook.store.archiver import sole_archiver
from tollbook.store.calls import call_rows
from tollbook.store.database import Connection, connect
from tollbook.store.outbox_rows import read_csv


@pytest.fixture
def settings(settings_on_both: Settings) -> Settings:
    """On S3 in `make test` too."""
    return settings_on_both


def test_a_row_that_changes_between_claim_and_acknowledge_stays(settings: Settings, database: Connection) -> None:
    store(database, call("c1"), call("c2"))
    batch = claim(database)
    assert batch is not None
    with open_catalog(settings, writing=True) as catalog:
        commit(ensure_table(catalog, database), batch.batch_id, parse(read_csv(database, batch)))
    store(database, call("c1", disposition="lost"))
    assert outbox.acknowledge(database, batch.batch_id) == 1
    assert waiting(database) == 1
    assert archive_now(settings).startswith("archived: 0 rows appended, 1 replaced")
    assert archived(settings) == stored(database)


def test_a_row_that_the_listener_holds_is_archived_as_it_was_and_then_replaced(
    settings: Settings, database: Connection, database_url: str
) -> None:
    """It stays in the batch while it is held, so that it is not archived again, and leaves it with its change."""
    store(database, call("c1"), call("c2"))
    with connect(database_url, name="listener") as listener:
        call_rows.upsert(listener, [call("c1", disposition="lost")])
        assert archive_now(settings).startswith("archived: 2 rows appended")
        assert archive_now(settings).startswith("archived: 0 rows appended")
        listener.commit()
    assert archive_now(settings).startswith("archived: 0 rows appended, 1 replaced")
    assert archived(settings) == stored(database)


def test_a_second_archiver_gives_up_with_a_clear_message(database_url: str) -> None:
    with (
        sole_archiver(database_url, name="first"),
        pytest.raises(ArchiveError, match="another command is writing the archive"),
        sole_archiver(database_url, name="second", wait_s=0.1),
    ):
        pass


def test_the_lock_keeps_nothing_from_vacuum_and_its_loss_is_noticed(database: Connection, database_url: str) -> None:
    """Its transaction holds neither a snapshot nor an id. When somebody ends it, the next check says so."""
    with sole_archiver(database_url, name="archive") as check_alone:
        check_alone()
        session = "FROM pg_stat_activity WHERE application_name = 'tollbook archive' AND datname = current_database()"
        found = database.execute(f"SELECT state, backend_xmin, backend_xid {session}".encode()).fetchall()
        assert found == [("idle in transaction", None, None)]
        database.execute(f"SELECT pg_terminate_backend(pid, 10000) {session}".encode())
        with pytest.raises(ArchiveError, match="other commands from writing the archive was closed"):
            check_alone()
    with sole_archiver(database_url, name="archive", wait_s=0.1):
        pass


def test_two_archivers_at_once_archive_every_row_once(settings: Settings, database: Connection) -> None:
    store(database, *(call(f"c{number}", start_ts=START_MS + number) for number in range(200)))
    with ThreadPoolExecutor(2) as archivers:
        done = [report.committed.appended for report in archivers.map(archive_all, [settings] * 2)]
    assert sorted(done) == [0, 200]
    assert archived(settings) == stored(database)
