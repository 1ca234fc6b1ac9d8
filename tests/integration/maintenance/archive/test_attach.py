"""The archive outlives its catalog: `tollbook archive attach` finds it again; nothing is lost or duplicated."""

import pytest
from click.testing import CliRunner

from maintenance.archive.attach import attach_archive
from maintenance.archive.batch import parse
from maintenance.archive.commit import commit
from maintenance.archive.run import archive_calls
from maintenance.archive.storage import Storage
from maintenance.archive.table import ensure_table
from maintenance.archive_cli import archive
from maintenance.compaction.run import compact_archive
from tests.archiving import archive_now, archived, claim, stored, waiting
from tests.databases import store
from tests.factories import START_MS, call
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.errors import ArchiveLost, UsageError
from tollbook.store import outbox
from tollbook.store.database import Connection


def lose_the_catalog(database: Connection) -> None:
    database.execute("DROP TABLE iceberg_tables, iceberg_namespace_properties")


def test_attach_finds_the_newest_state(settings: Settings, database: Connection) -> None:
    store(database, call("c1"), call("c2", "beta"))
    archive_now(settings)
    store(database, call("c1", cost_micros=99), call("c3"))
    archive_now(settings)
    lose_the_catalog(database)
    assert attach_archive(settings).startswith("attached: 3 calls, by ")
    assert archived(settings) == stored(database)
    store(database, call("c4"), call("c2", "gamma"))
    archive_now(settings)
    assert archived(settings) == stored(database)


def test_no_new_archive_is_started_beside_a_lost_one(settings: Settings, database: Connection) -> None:
    store(database, call("c1"))
    archive_now(settings)
    lose_the_catalog(database)
    store(database, call("c2"))
    with pytest.raises(ArchiveLost, match="tollbook archive attach"):
        archive_calls(settings, now=True)
    with open_catalog(settings) as catalog:
        assert load_calls(catalog) is None
    attach_archive(settings)
    archive_now(settings)
    assert archived(settings) == stored(database)
    assert waiting(database) == 0


def test_attach_refuses_when_the_catalog_knows_an_archive(settings: Settings, database: Connection) -> None:
    store(database, call("c1"))
    archive_now(settings)
    with pytest.raises(UsageError, match="nothing to attach"):
        attach_archive(settings)


def test_attach_says_where_it_looked_in_vain(settings: Settings) -> None:
    with pytest.raises(UsageError, match=r"no archive is at .*tollbook/calls"):
        attach_archive(settings)


def test_rows_waiting_in_an_older_database_replace_archived_ones(settings: Settings, database: Connection) -> None:
    """A database restored from a backup has rows in its outbox that were archived since."""
    store(database, call("c1"), call("c2", "beta"), call("new"))
    database.execute("CREATE TABLE backup AS TABLE archive_outbox")
    database.execute("DELETE FROM archive_outbox WHERE call_id = 'new'")
    archive_now(settings)
    lose_the_catalog(database)
    database.execute("INSERT INTO archive_outbox TABLE backup")
    database.execute("UPDATE call_cdr SET account_id = 'gamma' WHERE call_id = 'c2'")
    assert "3 waiting rows" in attach_archive(settings)
    assert archive_now(settings).startswith("archived: 1 rows appended, 2 replaced, 0 deleted")
    assert archived(settings) == stored(database)


def test_a_claimed_batch_is_found_in_the_attached_archive(settings: Settings, database: Connection) -> None:
    store(database, call("c1"))
    archive_now(settings)
    store(database, call("c2"))
    batch = claim(database)
    assert batch is not None
    with open_catalog(settings) as catalog:
        commit(ensure_table(catalog), batch.batch_id, parse(outbox.read_csv(database, batch)))
    lose_the_catalog(database)
    attach_archive(settings)
    assert archive_now(settings).endswith("1 batches found written by an earlier run")
    assert archived(settings) == stored(database)


def test_a_metadata_file_whose_manifests_are_gone_is_skipped(settings: Settings, database: Connection) -> None:
    """A commit that was refused leaves one."""
    store(database, call("c1"))
    archive_now(settings)
    store(database, call("c2"))
    archive_now(settings)
    with open_catalog(settings) as catalog:
        table = ensure_table(catalog)
        snapshot = table.current_snapshot()
        assert snapshot is not None
        storage = Storage(table.io, table.location())
        storage.delete(storage.path(snapshot.manifest_list))
    lose_the_catalog(database)
    assert attach_archive(settings).startswith("attached: 1 calls")


def test_an_archive_is_attached_after_compaction_and_by_name(
    settings: Settings, database: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        store(database, call(f"c{number}", start_ts=START_MS + number))
        archive_now(settings)
    compact_archive(settings)
    with open_catalog(settings) as catalog:
        newest = ensure_table(catalog).metadata_location
    lose_the_catalog(database)
    monkeypatch.setenv("TOLLBOOK_DATABASE_URL", database_url)
    monkeypatch.setenv("TOLLBOOK_DATA_DIR", str(settings.data_dir))
    output = CliRunner().invoke(archive, ["attach", newest], catch_exceptions=False).output
    assert output.startswith(f"attached: 3 calls, by {newest}")
    assert archived(settings) == stored(database)


def test_a_run_killed_while_it_created_the_table_leaves_nothing_to_attach(
    settings: Settings, database: Connection
) -> None:
    """Only the first metadata file exists then: the next run creates the table."""
    with open_catalog(settings, writing=True) as catalog:
        ensure_table(catalog)
    lose_the_catalog(database)
    store(database, call("c1"))
    archive_now(settings)
    assert archived(settings) == stored(database)
