"""Which files the index of call ids has: what a night writes, and what goes with the data files."""

import datetime as dt

import pytest

from maintenance.archive.table import ensure_table
from maintenance.compaction import call_ids as writing
from maintenance.compaction.call_ids import forget_removed_files, index_some
from maintenance.compaction.run import compact_archive
from tests.archiving import archive_all
from tests.databases import store
from tests.factories import START_MS, Call
from tests.integration.maintenance.compaction.indexed import (
    AFTER_ALL,
    find_indexed,
    index_all,
    loaded,
    made,
)
from tollbook.archive.call_ids import list_index_files, open_index_file
from tollbook.archive.catalog import open_catalog
from tollbook.archive.live_files import LiveFiles
from tollbook.config import Settings
from tollbook.errors import ArchiveError
from tollbook.store.database import Connection


@pytest.mark.parametrize("file_calls", [1, 20, 100])
def test_a_night_writes_what_is_new(
    settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch, file_calls: int
) -> None:
    """Full index files stay, the others are written anew in one; after each night all calls are found, each once."""
    monkeypatch.setattr(writing, "FILE_CALLS", file_calls)
    rows: list[Call] = []
    kept: set[str] = set()
    for night in range(6):
        new = made(23, prefix=f"n{night}-")
        rows += new
        store(database, *new)
        archive_all(settings)
        with loaded(settings) as table:
            index_all(table)
            assert index_some(table) is None
            files = [open_index_file(table, location) for location in list_index_files(table)]
            assert all(files)
            small = [file for file in files if file and file.calls * 2 < file_calls]
            assert len(small) <= 1
            full = {file.location for file in files if file and file.calls * 2 >= file_calls}
            assert kept <= full
            kept = full
            assert sum(file.calls for file in files if file) == len(rows)
            for row, _ in rows[:: len(rows) // 10]:
                assert find_indexed(table, row.call_id) == [row.key]


def test_an_index_file_of_files_that_are_gone_goes(
    settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compaction of the data files makes index files anew, and leaves none of the old ones."""
    monkeypatch.setattr(writing, "FILE_CALLS", 40)
    rows = made(120)
    for first in range(0, 120, 30):
        store(database, *rows[first : first + 30])
        archive_all(settings)
        with loaded(settings) as table:
            index_all(table)
            before = set(list_index_files(table))
    compact_archive(settings, now=AFTER_ALL)
    with loaded(settings) as table:
        after = list_index_files(table)
        assert before.isdisjoint(after)
        live = {file.file_path for file in LiveFiles().of(table)}
        assert all((file := open_index_file(table, location)) and file.files <= live for location in after)
        for row, _ in rows[::11]:
            assert find_indexed(table, row.call_id) == [row.key]


def test_a_storage_that_loses_what_is_written_ends_it(
    settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index file that was just written cannot be read: the command says so, and does not write it for ever."""
    store(database, *made(20))
    archive_all(settings)
    with loaded(settings) as table:
        monkeypatch.setattr(writing, "HEADER_DIGEST", b"elsewhere")
        with pytest.raises(ArchiveError, match="was written, and cannot be read"):
            index_some(table)


def test_erasing_leaves_no_index_file_of_a_removed_data_file(settings: Settings, database: Connection) -> None:
    """Those that cover only what is still there stay."""
    store(database, *made(30))
    archive_all(settings)
    with loaded(settings) as table:
        index_all(table)
        forget_removed_files(table)
        assert len(list_index_files(table)) == 1
    compact_archive(settings, now=AFTER_ALL)
    with open_catalog(settings, writing=True) as catalog:
        table = ensure_table(catalog, database)
        removed = list(LiveFiles().of(table))[:1]
        with table.transaction() as change, change.update_snapshot().overwrite() as snapshot:
            for task in table.scan().plan_files():
                if task.file.file_path == removed[0].file_path:
                    snapshot.delete_data_file(task.file)
        forget_removed_files(ensure_table(catalog, database))
        assert list_index_files(table) == []


def test_months_that_are_dropped_leave_no_hash(settings_on_both: Settings, database: Connection) -> None:
    """The index file of old and kept months is made anew, without those of the old ones.

    Its folder is empty in between, of which a server of S3 may make a file.
    """
    rows = made(90)
    store(database, *rows)
    archive_all(settings_on_both)
    compact_archive(settings_on_both, now=AFTER_ALL)
    keeping = settings_on_both.model_copy(update={"archive_retention_months": 2})
    after_two = dt.datetime.fromtimestamp(START_MS / 1000, dt.UTC) + dt.timedelta(days=93)
    dropped = compact_archive(keeping, now=after_two).dropped_rows
    assert 0 < dropped < 90
    with loaded(settings_on_both) as table:
        (location,) = list_index_files(table)
        file = open_index_file(table, location)
        assert file
        assert file.calls == 90 - dropped
