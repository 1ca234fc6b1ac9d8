"""`tollbook archive compact` changes the archive's files, never its calls."""

import datetime as dt

import pytest
from click.testing import CliRunner
from pyiceberg.schema import Schema
from pyiceberg.types import NestedField, StringType

from maintenance.archive.files import data_files
from maintenance.archive.table import ensure_table
from maintenance.archive_cli import archive
from maintenance.compaction.compact import compact_some
from maintenance.compaction.run import compact_archive
from tests.archiving import archive_now, archived, claim, stored, waiting
from tests.databases import store
from tests.factories import START_MS, call
from tests.integration.maintenance.compaction.months import LATER, SEPTEMBER, everything, files_by_partition, fill
from tollbook.archive._pyarrow import parquet, read_table
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.schema import ARCHIVE_COLUMNS, SCHEMA
from tollbook.config import Settings
from tollbook.errors import ArchiveDamaged, ArchiveError, SchemaError
from tollbook.model.call_key import CallKey
from tollbook.store.archiver import sole_archiver
from tollbook.store.calls import call_rows
from tollbook.store.database import Connection


def test_closed_months_become_one_sorted_file_an_account(settings: Settings, database: Connection) -> None:
    fill(settings, database)
    done = compact_archive(settings, now=LATER)
    assert (done.compacted.files_before, done.compacted.files_after, done.compacted.rows) == (12, 3, 60)
    assert set(files_by_partition(settings).values()) == {1}
    with open_catalog(settings) as catalog:
        rows = read_table(ensure_table(catalog, database)).to_pylist()
    for account in ("a0", "a1", "a2"):
        keys = [(row["start_ts"], row["call_id"]) for row in rows if row["account_id"] == account]
        assert keys == sorted(keys)
        assert archived(settings, account) == stored(database, account)
    assert archived(settings) == stored(database)
    assert compact_archive(settings, now=LATER).compacted.files_before == 0, "a second time there is nothing to do"


def test_the_current_month_is_left_alone_until_three_days_after_its_end(
    settings: Settings, database: Connection
) -> None:
    fill(settings, database)
    before = files_by_partition(settings)
    for day in (dt.datetime(2026, 9, 30, 23, tzinfo=dt.UTC), dt.datetime(2026, 10, 3, 23, tzinfo=dt.UTC)):
        assert compact_archive(settings, now=day).compacted.files_before == 0
    assert files_by_partition(settings) == before
    assert compact_archive(settings, now=dt.datetime(2026, 10, 4, tzinfo=dt.UTC)).compacted.files_before == 12


def test_a_dry_run_changes_nothing(settings: Settings, database: Connection) -> None:
    fill(settings, database)
    with open_catalog(settings) as catalog:
        before = ensure_table(catalog, database).metadata_location
        in_four_days = dt.datetime.now(dt.UTC) + dt.timedelta(days=4)
        done = compact_archive(settings, dry_run=True, remove_orphans=True, now=max(LATER, in_four_days))
        assert done.compacted.files_before == 12
        assert done.snapshots == 3
        assert ensure_table(catalog, database).metadata_location == before


def test_a_dry_run_writes_nothing(
    local_settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file and no row of the catalog: neither before there is an archive, nor in one that lacks a newer column."""
    in_four_days = dt.datetime.now(dt.UTC) + dt.timedelta(days=4)
    nothing = everything(local_settings, database)
    compact_archive(local_settings, dry_run=True)
    assert everything(local_settings, database) == nothing == {}
    fill(local_settings, database)
    more = Schema(
        *SCHEMA.fields,
        NestedField(len(ARCHIVE_COLUMNS) + 1, "colour", StringType(), required=False),
        identifier_field_ids=SCHEMA.identifier_field_ids,
    )
    monkeypatch.setattr("maintenance.archive.table.SCHEMA", more)
    before = everything(local_settings, database)
    assert any(name.endswith(".parquet") for name in before)
    done = compact_archive(local_settings, dry_run=True, remove_orphans=True, now=max(LATER, in_four_days))
    assert (done.compacted.files_before, done.snapshots) == (12, 3)
    assert everything(local_settings, database) == before


def test_a_dry_run_does_not_wait_for_the_archiver(
    local_settings: Settings, database: Connection, database_url: str
) -> None:
    """It writes nothing, so it needs no lock."""
    fill(local_settings, database, runs=1)
    with sole_archiver(database_url, name="archiver"):
        assert compact_archive(local_settings, dry_run=True).compacted.files_before == 0


def test_large_months_are_merged_in_rounds_and_row_groups(
    local_settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More files than are merged at once, more rows than a commit takes, and a start_ts that fills a row group."""
    monkeypatch.setattr("maintenance.compaction.plan.MERGE_FILES", 3)
    monkeypatch.setattr("maintenance.compaction.plan.COMMIT_ROWS", 40)
    monkeypatch.setattr("maintenance.compaction.plan.SMALL_ROWS", 20)
    monkeypatch.setattr("maintenance.compaction.merge.ROW_GROUP", 4)
    fill(local_settings, database, runs=8, accounts=1)
    store(database, *(call(f"same{number}", "a0", START_MS + 7) for number in range(9)))
    archive_now(local_settings)
    compact_archive(local_settings, now=LATER)
    assert set(files_by_partition(local_settings).values()) == {1}
    assert archived(local_settings) == stored(database)
    with open_catalog(local_settings) as catalog:
        table = ensure_table(catalog, database)
        (path,) = [file["file_path"] for file in table.inspect.files().to_pylist() if file["record_count"] == 49]
        rows = parquet.ParquetFile(table.io.new_input(path).open())
    assert {rows.metadata.row_group(group).num_rows for group in range(12)} == {4}


def test_waiting_corrections_are_applied_after_a_compaction(settings: Settings, database: Connection) -> None:
    fill(settings, database)
    store(database, call("r0a0c0", "a0", START_MS, cost_micros=99), call("r1a1c1", "other", START_MS + 8))
    call_rows.delete(database, [CallKey(START_MS + 16, "r2a2c2", "fs1")])
    assert claim(database) is not None  # and the archiver was killed
    compact_archive(settings, now=LATER)
    assert waiting(database) == 3
    assert archive_now(settings).startswith("archived: 0 rows appended, 2 replaced, 1 deleted")
    assert archived(settings) == stored(database)


def test_a_compaction_on_a_stale_load_is_refused(settings: Settings, database: Connection) -> None:
    fill(settings, database)
    with open_catalog(settings) as catalog:
        stale = ensure_table(catalog, database)
        store(database, call("r0a0c0", "a0", START_MS, cost_micros=99))
        archive_now(settings)
        with pytest.raises(ArchiveError, match="nothing is lost"):
            compact_some(stale, SEPTEMBER)
    assert archived(settings) == stored(database)


def test_an_archive_that_was_never_written_is_compacted_to_nothing(settings: Settings, database: Connection) -> None:
    assert compact_archive(settings).compacted.files_before == 0
    assert database.execute("SELECT to_regclass('iceberg_tables')").fetchone() == (None,)


def test_the_command_says_what_it_did(
    settings: Settings, database: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(settings, database)
    monkeypatch.setenv("TOLLBOOK_DATABASE_URL", database_url)
    monkeypatch.setenv("TOLLBOOK_DATA_DIR", str(settings.data_dir))
    dry = CliRunner().invoke(archive, ["compact", "--dry-run"], catch_exceptions=False).output
    done = CliRunner().invoke(archive, ["compact", "--remove-orphans"], catch_exceptions=False).output
    assert "would compact: 12 files" in dry
    assert "compacted: 12 files into 3, 60 rows" in done
    assert "expired: 0 snapshots" in done
    assert "orphans removed: 0 files" in done


def test_a_damaged_file_is_left_alone_and_the_others_are_merged(settings: Settings, database: Connection) -> None:
    """Nothing is removed then: an old file may have the calls of the damaged one."""
    store(database, *(call(f"x{number}", account) for number, account in enumerate(("acme", "beta", "gamma"))))
    archive_now(settings)
    store(database, *(call(f"y{number}", account) for number, account in enumerate(("acme", "beta", "gamma"))))
    archive_now(settings)
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        before = {file.file_path: file.partition[0] for file in data_files(table)}
        lost = next(path for path, account in before.items() if account == "beta")
        table.io.delete(lost)
        with pytest.raises(ArchiveDamaged, match="1 damaged files were left as they are") as caught:
            compact_archive(settings, now=LATER, remove_orphans=True)
        assert caught.value.location == lost
        after = load_calls(catalog)
        assert after is not None
        left = [file.file_path for file in data_files(after)]
        assert sorted(path for path in before if path in left) == sorted(
            path for path, account in before.items() if account == "beta"
        )
        assert len(left) == 4
        assert len(after.metadata.snapshots) == 3


def test_a_newer_version_adds_its_column_and_an_older_one_then_keeps_away(
    settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files from before the column read as NULL there, also when they are merged."""
    fill(settings, database)
    with monkeypatch.context() as newer:
        more = Schema(
            *SCHEMA.fields,
            NestedField(len(ARCHIVE_COLUMNS) + 1, "colour", StringType(), required=False),
            identifier_field_ids=SCHEMA.identifier_field_ids,
        )
        newer.setattr("maintenance.archive.table.SCHEMA", more)
        newer.setattr("tollbook.archive.older_table.SCHEMA", more)
        newer.setattr("tollbook.archive.schema.SCHEMA", more)
        assert compact_archive(settings, now=LATER).compacted.files_after == 3
        with open_catalog(settings) as catalog:
            assert set(read_table(ensure_table(catalog, database))["colour"].to_pylist()) == {None}
    assert archived(settings) == stored(database)
    with open_catalog(settings) as catalog, pytest.raises(SchemaError, match="newer Tollbook"):
        ensure_table(catalog, database)
