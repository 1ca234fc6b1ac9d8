"""The index of call ids: made of the data files, and never trusted."""

import random

import pytest

from maintenance.compaction import call_ids as writing
from maintenance.compaction.run import compact_archive
from tests.archiving import archive_all, archive_as_before
from tests.databases import store
from tests.integration.maintenance.compaction.indexed import (
    AFTER_ALL,
    EVERY,
    find,
    find_indexed,
    index_all,
    loaded,
    made,
)
from tollbook.archive.by_id import KnownFiles, SearchTooLong, find_by_id
from tollbook.archive.call_ids import FOLDER, CallIds, hash_of, list_index_files
from tollbook.archive.live_files import LiveFiles
from tollbook.archive.storage import Storage
from tollbook.config import Settings
from tollbook.errors import ArchiveDamaged
from tollbook.model.accounts import OneAccount
from tollbook.model.wanted_calls import WantedCalls
from tollbook.store.database import Connection


def test_every_call_is_found_by_the_index_alone(settings_on_both: Settings, database: Connection) -> None:
    """Of any account and any month, whole; what is not there is not; twice the same gives the same, on S3 too."""
    rows = made(300)
    store(database, *rows)
    archive_all(settings_on_both)
    compact_archive(settings_on_both, now=AFTER_ALL)
    with loaded(settings_on_both) as table:
        known = KnownFiles()
        for row, price in rows[::30]:
            assert find_indexed(table, row.call_id) == [row.key]
            found = find(table, row.call_id, known=known)[row.key]
            assert price
            assert (found["to_num"], found["cost_micros"]) == (row.to_num, price.cost_micros)
            theirs = find(table, row.call_id, OneAccount(row.account_id or ""), known=known)
            nobody = find(table, row.call_id, OneAccount("nobody"), known=known)
            assert (list(theirs), nobody) == ([row.key], {})
        assert find_indexed(table, "nothing") == []
        row = rows[0][0]
        for first, end, there in (
            (0, row.start_ts, 0),
            (row.start_ts, row.start_ts + 1, 1),
            (row.start_ts + 1, 2**60, 0),
        ):
            assert len(find(table, row.call_id, first_ms=first, end_ms=end)) == there
        assert find(table, row.call_id, excluded={row.key}) == {}


def test_few_calls_are_searched_without_the_index(
    settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the calls that the files have which may have it: those of an account, or of a time."""
    monkeypatch.setattr("tollbook.archive.by_id.FEW_CALLS", 30)
    rows = made(60)
    store(database, *rows)
    archive_all(settings)
    row = rows[5][0]
    with loaded(settings) as table:
        index_all(table)
        assert find_indexed(table, row.call_id) == [row.key]
        wanted = WantedCalls(call_id=row.call_id, accounts=EVERY, first_ms=row.start_ts, end_ms=row.start_ts + 1)
        with pytest.raises(SearchTooLong):
            find_by_id(table, wanted, KnownFiles(), within_s=0)
        assert list(find_by_id(table, wanted, KnownFiles(), within_s=60)) == [row.key]


def test_what_was_archived_before_there_was_an_index(settings: Settings, database: Connection) -> None:
    """By a version that had fewer columns, too: found without the index, and by it after the next compaction."""
    rows = made(60)
    store(database, *rows)
    archive_as_before(settings, database, "hung_up_by")
    row = rows[7][0]
    with loaded(settings) as table:
        assert list_index_files(table) == []
        assert find(table, row.call_id)[row.key]["hung_up_by"] is None
        with pytest.raises(SearchTooLong):
            find_indexed(table, row.call_id)
    compact_archive(settings, now=AFTER_ALL)
    with loaded(settings) as table:
        assert find_indexed(table, row.call_id) == [row.key]


def test_a_damaged_index_file_counts_as_none(local_settings: Settings, database: Connection) -> None:
    """Whichever bit flips, wherever it is cut off: a call that is there is found, and the next night mends it."""
    rows = made(400)
    store(database, *rows)
    archive_all(local_settings)
    dice = random.Random(5)
    row = rows[3][0]
    with loaded(local_settings) as table:
        index_all(table)
        (location,) = list_index_files(table)
        path = local_settings.data_dir / "archive" / "tollbook" / "calls" / FOLDER / location.rpartition("/")[2]
        sound = path.read_bytes()
        for _ in range(150):
            damaged = bytearray(sound)
            damaged[dice.randrange(len(sound))] ^= 1 << dice.randrange(8)
            path.write_bytes(damaged)
            assert list(find(table, row.call_id)) == [row.key]
        for length in (0, 1, len(sound) // 2, len(sound) - 1):
            path.write_bytes(sound[:length])
            assert list(find(table, row.call_id)) == [row.key]
        index_all(table)
        assert location not in list_index_files(table)
        assert find_indexed(table, row.call_id) == [row.key]


def test_index_files_that_vanish_or_come_twice(settings: Settings, database: Connection) -> None:
    """A kill between writing and deleting leaves a call covered twice: it is found once. Without any it is searched."""
    rows = made(50)
    store(database, *rows)
    archive_all(settings)
    row = rows[9][0]
    with loaded(settings) as table:
        known = KnownFiles(ids=CallIds())
        index_all(table)
        storage = Storage(table.io, table.location())
        (location,) = list_index_files(table)
        with table.io.new_input(location).open() as stream:
            content = stream.read()
        with table.io.new_output(location.replace(".parquet", "-twice.parquet")).create() as copy:
            copy.write(content)
        assert list(find(table, row.call_id, known=known)) == [row.key]
        for left in list_index_files(table):
            storage.delete(storage.path(left))
        assert list(find(table, row.call_id, known=known)) == [row.key]


def test_an_older_state_is_searched_as_it_is(settings: Settings, database: Connection) -> None:
    """One that `attach` goes on from, or that a reader has: with the index of a newer one it has its own calls."""
    old, new = made(40, prefix="old"), made(40, prefix="new")
    store(database, *old)
    archive_all(settings)
    with loaded(settings) as older:
        index_all(older)
        store(database, *new)
        archive_all(settings)
        compact_archive(settings, now=AFTER_ALL)
        for row, _ in old[::7]:
            assert list(find(older, row.call_id)) == [row.key]
        assert find(older, new[0][0].call_id) == {}
        with loaded(settings) as newer:
            assert find_indexed(newer, new[0][0].call_id) == [new[0][0].key]


def test_another_call_of_the_same_hash(
    settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hit is compared with the id itself: all calls have one hash here, and each is found alone."""
    monkeypatch.setattr(writing, "hash_of", lambda call_id: hash_of("one"))
    monkeypatch.setattr("tollbook.archive.call_ids.hash_of", lambda call_id: hash_of("one"))
    rows = made(80)
    store(database, *rows)
    archive_all(settings)
    with loaded(settings) as table:
        index_all(table)
        for row, _ in rows[::9]:
            assert find_indexed(table, row.call_id) == [row.key]
        assert find_indexed(table, "none of them") == []


def test_a_damaged_data_file_is_left_out_and_named(local_settings: Settings, database: Connection) -> None:
    """All others are indexed; whoever looks for a call that is in none of them learns that a file is damaged."""
    rows = made(60)
    store(database, *rows)
    archive_all(local_settings)
    with loaded(local_settings) as table:
        broken = next(iter(LiveFiles().of(table)))
    path = local_settings.data_dir / broken.file_path.partition(f"{local_settings.data_dir}/")[2]
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ArchiveDamaged, match="1 damaged files were left as they are"):
        compact_archive(local_settings, now=AFTER_ALL)
    with loaded(local_settings) as table:
        assert list_index_files(table)
        with pytest.raises(ArchiveDamaged):
            find(table, "nothing")
