"""What a compaction removes: old snapshots, files that none of them names, months beyond the retention."""

import datetime as dt
import os
from pathlib import Path

import pytest
from pyiceberg.table import Table

from maintenance.archive.batch import parse
from maintenance.archive.commit import BATCH_PROPERTY, commit, exchange_files
from maintenance.archive.data_files import write_files
from maintenance.archive.table import ensure_table
from maintenance.compaction import run as compaction_run
from maintenance.compaction.orphans import Orphans, find_orphans
from maintenance.compaction.run import compact_archive
from tests.archiving import archive_now, archived, claim, stored
from tests.databases import store
from tests.factories import START_MS, call
from tests.integration.maintenance.compaction.months import LATER, fill
from tollbook.archive.catalog import open_catalog
from tollbook.archive.storage import Storage
from tollbook.config import Settings
from tollbook.store.database import Connection
from tollbook.store.outbox_rows import read_csv


def test_snapshots_expire_after_three_days_but_not_while_a_batch_is_claimed(
    settings: Settings, database: Connection
) -> None:
    fill(settings, database)
    store(database, call("late", "a0", START_MS + 99))
    batch = claim(database)
    assert batch is not None
    with open_catalog(settings) as catalog:
        commit(ensure_table(catalog, database), batch.batch_id, parse(read_csv(database, batch)))
    now = dt.datetime.now(dt.UTC)
    assert compact_archive(settings, now=now + dt.timedelta(days=4)).snapshots is None
    assert archive_now(settings).endswith("1 batches found written by an earlier run")
    assert compact_archive(settings, now=now + dt.timedelta(days=2, hours=23)).snapshots == 0
    assert compact_archive(settings, now=now + dt.timedelta(days=4)).snapshots == 5
    assert archived(settings) == stored(database)


def test_orphans_are_removed_and_nothing_else(settings_on_both: Settings, database: Connection) -> None:
    fill(settings_on_both, database)
    in_four_days = dt.datetime.now(dt.UTC) + dt.timedelta(days=4)
    compact_archive(settings_on_both, now=max(LATER, in_four_days))
    with open_catalog(settings_on_both) as catalog:
        table = ensure_table(catalog, database)
        storage = Storage(table.io, table.location())
        cut = ("data/0000/cut.parquet.part", "call_ids/cut.parquet.part")
        for name in (
            *cut,
            "data/0000/left-by-a-kill.parquet",
            "metadata/left.avro",
            "data/a note.txt",
            "readme.parquet",
        ):
            with table.io.new_output(f"{table.location()}/{name}").create() as out:
                out.write(b"x")
        with table.io.new_output(f"{table.location()}-of-another/data/x.parquet").create() as out:
            out.write(b"x")
        assert find_orphans(table).files == (), "nothing is old enough"
        before = {file.path for file in storage.files()}
        # rclone forgets the time of a file now and then; such a file is never an orphan.
        undated = {file.path for file in storage.files() if not file.written_s}
        live = {storage.path(file["file_path"]) for file in table.inspect.files().to_pylist()}
    done = compact_archive(settings_on_both, now=max(LATER, in_four_days))
    assert done.orphans is not None
    assert not done.orphans_removed
    orphans = {file.path for file in done.orphans.files}
    data = {path for path in before if "/data/" in path and path.endswith(".parquet")}
    assert len(data) == 12 + 4 + 1, "the files before the compaction, those after it, and the one that was left"
    assert {path for path in orphans if "/data/" in path and not path.endswith(".part")} == data - live - undated
    assert {path for path in orphans | undated if path.endswith(cut)} == {path for path in before if path.endswith(cut)}
    assert {path for path in orphans | undated if path.endswith("/metadata/left.avro")}
    assert not {path for path in orphans if path.endswith(("note.txt", "readme.parquet", "-of-another/data/x.parquet"))}
    assert {file.path for file in storage.files()} == before, "without --remove-orphans they are listed"
    done = compact_archive(settings_on_both, now=max(LATER, in_four_days), remove_orphans=True)
    left = {file.path for file in storage.files() if "." in file.path}  # rclone lists an empty folder as a file
    assert left == before - orphans
    assert archived(settings_on_both) == stored(database)
    store(database, call("r0a0c0", "a0", START_MS, cost_micros=99))
    archive_now(settings_on_both)
    assert archived(settings_on_both) == stored(database), "it can be written as before"


def test_what_became_part_of_the_archive_after_the_listing_is_no_orphan(
    local_settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listing is made beside other commands: one of them commits a file that was an orphan until then.

    On a disk: rclone's S3 server forgets the time of a file now and then, and such a file is never an orphan.
    """
    store(database, call("a"))
    archive_now(local_settings)
    store(database, call("b"))
    batch = claim(database)
    assert batch is not None
    listed: list[str] = []

    def find_and_commit(table: Table, *, now_s: float) -> Orphans:
        with open_catalog(local_settings) as catalog:
            current = ensure_table(catalog, database)
            rows = parse(read_csv(database, batch)).rows
            written = write_files(current, rows)
            orphans = find_orphans(table, now_s=now_s)
            listed.extend(file.path for file in orphans.files if "/data/" in file.path)
            exchange_files(current, [], written, {BATCH_PROPERTY: str(batch.batch_id)})
        return orphans

    monkeypatch.setattr(compaction_run, "find_orphans", find_and_commit)
    in_four_days = dt.datetime.now(dt.UTC) + dt.timedelta(days=4)
    compact_archive(local_settings, now=in_four_days, remove_orphans=True)
    assert listed
    archive_now(local_settings)
    assert archived(local_settings) == stored(database)


def test_a_file_of_unknown_age_is_never_an_orphan(local_settings: Settings, database: Connection) -> None:
    """It may be a second old: a commit that is under way names it soon. A storage that knows no time says 1970."""
    store(database, call("a"))
    archive_now(local_settings)
    with open_catalog(local_settings) as catalog:
        table = ensure_table(catalog, database)
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
