"""Every data file's length and SHA-256 are kept, and a file that differs from them is never copied into another one."""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pyiceberg.table import Table

from maintenance.archive.digests import CHUNK, Digests, hash_file, list_digests, read_digests, write_digests
from maintenance.archive.hashed_files import FileDigest
from maintenance.archive.run import archive_calls
from maintenance.compaction import digests as merging
from maintenance.compaction.run import compact_archive
from tests.archiving import MONTH, archive_as_before, archive_now, archived, stored, waiting
from tests.databases import store
from tests.factories import FOR_EVER_MS, START_MS, call
from tollbook.archive._pyarrow import plan_files
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.row_filter import started
from tollbook.archive.storage import Storage
from tollbook.config import Settings
from tollbook.errors import ArchiveDamaged
from tollbook.store.database import Connection

EVERYTHING = started(0, FOR_EVER_MS * 1000)


@pytest.fixture
def settings(settings_on_both: Settings) -> Settings:
    """On S3 in `make test` too."""
    return settings_on_both


@contextmanager
def loaded(settings: Settings) -> Iterator[Table]:
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        yield table


def proved(settings: Settings) -> list[bool]:
    """Of each data file: whether it has a digest; it is right, or this raises."""
    with loaded(settings) as table:
        digests = Digests(table)
        return [digests.check(task.file) for task in plan_files(table, EVERYTHING)]


def kept(settings: Settings) -> list[tuple[str | None, int]]:
    """The files of digests: the month of each, and how many digests it has."""
    with loaded(settings) as table:
        found = list_digests(Storage(table.io, table.location()))
        return sorted(
            ((file.month, len(read_digests(table.io, file.location) or ())) for file in found),
            key=lambda pair: (pair[0] or "", pair[1]),
        )


def test_every_way_to_write_a_file_keeps_its_digest(settings: Settings, database: Connection) -> None:
    """Appended, corrected and compacted files; the digests are merged by month, and those of files that are gone go."""
    store(database, call("a1"), call("b1", "beta"), call("a2", start_ts=START_MS - MONTH))
    archive_now(settings)
    store(database, call("a3"), call("a1", cost_micros=5))
    archive_now(settings)
    assert kept(settings) == [(None, 1), (None, 3)]
    assert proved(settings) == [True] * 3
    compact_archive(settings)
    # The snapshots of the last three days are kept: their files have digests too.
    assert kept(settings) == [("2026-08", 1), ("2026-09", 3)]
    store(database, call("a4"))
    archive_now(settings)
    compact_archive(settings)
    assert kept(settings) == [("2026-08", 1), ("2026-09", 5)]
    assert proved(settings) == [True] * 3
    assert archived(settings) == stored(database)


def test_what_is_hashed_is_what_the_storage_has(settings: Settings, database: Connection) -> None:
    store(database, *(call(f"c{number}", start_ts=START_MS + number) for number in range(2_000)))
    archive_now(settings)
    with loaded(settings) as table:
        (task,) = plan_files(table, EVERYTHING)
        with table.io.new_input(task.file.file_path).open() as stream:
            content = stream.read()
        expected = FileDigest(task.file.file_path, len(content), hashlib.sha256(content).hexdigest())
        assert Digests(table).of(task.file) == hash_file(table.io, task.file.file_path) == expected


def test_no_damage_is_copied_into_a_sound_file(local_settings: Settings, database: Connection) -> None:
    """A footer's flip that Parquet does not notice: a correction and a compaction refuse it, and change nothing."""
    store(database, call("a1"), call("a2"))
    archive_now(local_settings)
    store(database, call("b1", "beta"))
    archive_now(local_settings)
    store(database, call("b2", "beta"))
    archive_now(local_settings)
    before, dice = archived(local_settings), random.Random(20261129)
    with loaded(local_settings) as table:
        paths = {
            task.file.partition[0]: Path(task.file.file_path.removeprefix("file://"))
            for task in plan_files(table, EVERYTHING)
        }
    for account, path in paths.items():
        content = path.read_bytes()
        store(database, call("a1" if account == "acme" else "b1", account, cost_micros=99))
        footer = range(len(content) - 8 - int.from_bytes(content[-8:-4], "little"), len(content) - 8)
        unnoticed = 0
        while not unnoticed:
            flipped = bytearray(content)
            flipped[dice.choice(footer)] ^= 1 << dice.randrange(8)
            path.write_bytes(flipped)
            try:
                unnoticed = archived(local_settings) == before
            except Exception:  # noqa: BLE001 - what pyarrow makes of it is not the question here
                continue
        with pytest.raises(ArchiveDamaged, match=path.name):
            archive_calls(local_settings, now=True)
        if account == "beta":
            with pytest.raises(ArchiveDamaged, match=path.name):
                compact_archive(local_settings)
        assert archived(local_settings) == before
        assert waiting(database) == 1
        path.write_bytes(content)
        archive_now(local_settings)
        before = archived(local_settings)
    assert before == stored(database)


def test_digests_of_a_killed_commit_are_dropped_and_a_torn_file_is_as_none(
    local_settings: Settings, database: Connection
) -> None:
    store(database, call("a1"))
    archive_now(local_settings)
    with loaded(local_settings) as table:
        write_digests(table, [FileDigest("file:///never/committed.parquet", 1, "00")])
        write_digests(table, [])
    folder = next(local_settings.data_dir.rglob("digests"))
    (folder / "01234567-89ab-cdef-0123-456789abcdef.json").write_bytes(b'{"files": [["file:///torn')
    (folder / "notes.txt").write_text("not ours")
    assert proved(local_settings) == [True]
    compact_archive(local_settings)
    assert kept(local_settings) == [("2026-09", 1)]
    assert proved(local_settings) == [True]
    (merged,) = folder.glob("2026-09-*")
    content = bytearray(merged.read_bytes())
    content[content.index(b"sha256") - 20] ^= 1
    merged.write_bytes(content)
    assert proved(local_settings) == [False]


def test_files_from_before_digests_are_unproved_and_still_written_again(
    local_settings: Settings, database: Connection
) -> None:
    store(database, call("a1"), call("a2"))
    archive_as_before(local_settings, database, "currency")
    assert proved(local_settings) == [False]
    store(database, call("a1", cost_micros=5))
    archive_now(local_settings)
    assert proved(local_settings) == [True]
    assert archived(local_settings) == stored(database)


def test_full_files_of_digests_are_left_as_they_are(
    local_settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A night rewrites the last file of a month, which is not half full, and no other."""
    assert CHUNK == merging.CHUNK
    monkeypatch.setattr(merging, "CHUNK", 4)
    monkeypatch.setattr("maintenance.archive.digests.CHUNK", 4)
    names = list[set[str]]()
    for night in range(5):
        store(database, *(call(f"c{night}-{number}", f"{night}-{number}") for number in range(3)))
        archive_now(local_settings)
        compact_archive(local_settings)
        names.append({path.name for path in local_settings.data_dir.rglob("digests/2026-09-*")})
    assert names[0] <= names[-1]  # three of four: as full as it needs to be
    assert sum(count for _, count in kept(local_settings)) == 15
    assert proved(local_settings) == [True] * 15
