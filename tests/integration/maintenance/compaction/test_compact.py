"""`tollbook archive compact` changes the archive's files, never its calls."""

import datetime as dt
import hashlib
import os
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner
from psycopg import sql
from pyiceberg.schema import Schema
from pyiceberg.types import NestedField, StringType

from maintenance.archive.batch import parse
from maintenance.archive.commit import commit
from maintenance.archive.storage import Storage
from maintenance.archive.table import ensure_table
from maintenance.archive_cli import archive
from maintenance.compaction.compact import compact_some
from maintenance.compaction.orphans import find_orphans
from maintenance.compaction.run import compact_archive
from tests.archiving import MONTH, archive_now, archived, claim, stored, waiting
from tests.databases import store
from tests.factories import START_MS, call
from tollbook.archive._pyarrow import parquet, read_table
from tollbook.archive.catalog import open_catalog
from tollbook.archive.schema import ARCHIVE_COLUMNS, SCHEMA
from tollbook.config import Settings
from tollbook.errors import ArchiveError, SchemaError
from tollbook.model.call_key import CallKey
from tollbook.store import outbox
from tollbook.store.calls import call_rows
from tollbook.store.database import Connection

SEPTEMBER = (2026 - 1970) * 12 + 8
LATER = dt.datetime(2026, 12, 20, tzinfo=dt.UTC)


def files_by_partition(settings: Settings) -> Counter[tuple[str, int]]:
    with open_catalog(settings) as catalog:
        files = ensure_table(catalog).inspect.files().to_pylist()
    return Counter((file["partition"]["account_id"], file["partition"]["start_ts_month"]) for file in files)


def fill(settings: Settings, database: Connection, runs: int = 4, accounts: int = 3) -> None:
    """Several files for each account in September, and one in October."""
    for run in range(runs):
        names = [(f"r{run}a{account}c{number}", account, number) for account in range(accounts) for number in range(5)]
        # Runs overlap in time: neither files nor rows come in order.
        store(database, *(call(name, f"a{account}", START_MS + 7 * number + run) for name, account, number in names))
        if run == 0:
            store(database, call("october", "a0", START_MS + MONTH))
        archive_now(settings)


def test_closed_months_become_one_sorted_file_an_account(settings: Settings, database: Connection) -> None:
    fill(settings, database)
    done = compact_archive(settings, now=LATER)
    assert (done.compacted.files_before, done.compacted.files_after, done.compacted.rows) == (12, 3, 60)
    assert set(files_by_partition(settings).values()) == {1}
    with open_catalog(settings) as catalog:
        rows = read_table(ensure_table(catalog)).to_pylist()
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
        before = ensure_table(catalog).metadata_location
        in_four_days = dt.datetime.now(dt.UTC) + dt.timedelta(days=4)
        done = compact_archive(settings, dry_run=True, remove_orphans=True, now=max(LATER, in_four_days))
        assert done.compacted.files_before == 12
        assert done.snapshots == 3
        assert ensure_table(catalog).metadata_location == before


def everything(settings: Settings, database: Connection) -> dict[str, object]:
    """Every file below the data directory with its modes and a digest, and the catalog's tables with their rows."""
    found: dict[str, object] = {
        str(path): (path.stat().st_mode, path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest())
        for path in settings.data_dir.rglob("*")
    }
    tables = database.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'iceberg%'").fetchall()
    for (table,) in tables:
        found[table] = database.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))).fetchall()
    return found


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
    with outbox.sole_archiver(database_url, name="archiver"):
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
        table = ensure_table(catalog)
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
        stale = ensure_table(catalog)
        store(database, call("r0a0c0", "a0", START_MS, cost_micros=99))
        archive_now(settings)
        with pytest.raises(ArchiveError, match="nothing is lost"):
            compact_some(stale, SEPTEMBER)
    assert archived(settings) == stored(database)


def test_snapshots_expire_after_three_days_but_not_while_a_batch_is_claimed(
    settings: Settings, database: Connection
) -> None:
    fill(settings, database)
    store(database, call("late", "a0", START_MS + 99))
    batch = claim(database)
    assert batch is not None
    with open_catalog(settings) as catalog:
        commit(ensure_table(catalog), batch.batch_id, parse(outbox.read_csv(database, batch)))
    now = dt.datetime.now(dt.UTC)
    assert compact_archive(settings, now=now + dt.timedelta(days=4)).snapshots is None
    assert archive_now(settings).endswith("1 batches found written by an earlier run")
    assert compact_archive(settings, now=now + dt.timedelta(days=2, hours=23)).snapshots == 0
    assert compact_archive(settings, now=now + dt.timedelta(days=4)).snapshots == 5
    assert archived(settings) == stored(database)


def test_orphans_are_removed_and_nothing_else(settings: Settings, database: Connection) -> None:
    fill(settings, database)
    in_four_days = dt.datetime.now(dt.UTC) + dt.timedelta(days=4)
    compact_archive(settings, now=max(LATER, in_four_days))
    with open_catalog(settings) as catalog:
        table = ensure_table(catalog)
        storage = Storage(table.io, table.location())
        for name in ("data/0000/left-by-a-kill.parquet", "metadata/left.avro", "data/a note.txt", "readme.parquet"):
            with table.io.new_output(f"{table.location()}/{name}").create() as out:
                out.write(b"x")
        with table.io.new_output(f"{table.location()}-of-another/data/x.parquet").create() as out:
            out.write(b"x")
        assert find_orphans(table).files == (), "nothing is old enough"
        before = {file.path for file in storage.files()}
        # rclone forgets the time of a file now and then; such a file is never an orphan.
        undated = {file.path for file in storage.files() if not file.written_s}
        live = {storage.path(file["file_path"]) for file in table.inspect.files().to_pylist()}
    done = compact_archive(settings, now=max(LATER, in_four_days))
    assert done.orphans is not None
    assert not done.orphans_removed
    orphans = {file.path for file in done.orphans.files}
    data = {path for path in before if "/data/" in path and path.endswith(".parquet")}
    assert len(data) == 12 + 4 + 1, "the files before the compaction, those after it, and the one that was left"
    assert {path for path in orphans if "/data/" in path} == data - live - undated
    assert {path for path in orphans | undated if path.endswith("/metadata/left.avro")}
    assert not {path for path in orphans if path.endswith(("note.txt", "readme.parquet", "-of-another/data/x.parquet"))}
    assert {file.path for file in storage.files()} == before, "without --remove-orphans they are listed"
    done = compact_archive(settings, now=max(LATER, in_four_days), remove_orphans=True)
    left = {file.path for file in storage.files() if "." in file.path}  # rclone lists an empty folder as a file
    assert left == before - orphans
    assert archived(settings) == stored(database)
    store(database, call("r0a0c0", "a0", START_MS, cost_micros=99))
    archive_now(settings)
    assert archived(settings) == stored(database), "it can be written as before"


def test_a_file_of_unknown_age_is_never_an_orphan(local_settings: Settings, database: Connection) -> None:
    """It may be a second old: a commit that is under way names it soon. A storage that knows no time says 1970."""
    store(database, call("a"))
    archive_now(local_settings)
    with open_catalog(local_settings) as catalog:
        table = ensure_table(catalog)
        for name in ("undated", "old"):
            with table.io.new_output(f"{table.location()}/data/{name}.parquet").create() as out:
                out.write(b"x")
        storage = Storage(table.io, table.location())
        paths = {Path(file.path).stem: Path(file.path) for file in storage.files("data")}
        os.utime(paths["undated"], (0, 0))
        os.utime(paths["old"], (1, 1))
        assert {Path(file.path).stem for file in find_orphans(table).files} == {"old"}


def test_months_beyond_the_retention_are_dropped_whole(settings: Settings, database: Connection) -> None:
    fill(settings, database)
    keeping = settings.model_copy(update={"archive_retention_months": 2})
    assert compact_archive(keeping, now=dt.datetime(2026, 11, 30, tzinfo=dt.UTC)).dropped_rows == 0
    assert compact_archive(keeping, now=LATER, dry_run=True).dropped_before == dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
    done = compact_archive(keeping, now=LATER)
    assert (done.dropped_rows, done.dropped_before) == (60, dt.datetime(2026, 10, 1, tzinfo=dt.UTC))
    assert [row[0] for row in archived(settings)] == ["october"]


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
        newer.setattr("tollbook.archive.schema.SCHEMA", more)
        assert compact_archive(settings, now=LATER).compacted.files_after == 3
        with open_catalog(settings) as catalog:
            assert set(read_table(ensure_table(catalog))["colour"].to_pylist()) == {None}
    assert archived(settings) == stored(database)
    with open_catalog(settings) as catalog, pytest.raises(SchemaError, match="newer Tollbook"):
        ensure_table(catalog)
