"""`tollbook archive attach` names the calls that the state which it attaches lacks."""

import pytest
from pyiceberg.io import FileIO, load_file_io
from pyiceberg.serializers import FromInputFile

from maintenance.archive.attach import attach_archive
from maintenance.archive.unnamed import NOTHING_LEFT
from tests.archiving import archive_now, archived, stored
from tests.databases import store
from tests.factories import START_MS, call
from tests.integration.maintenance.archive.guarded import lose_the_catalog, three_states
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.storage import Storage
from tollbook.config import Settings
from tollbook.model.call_key import CallKey
from tollbook.store.calls import call_rows
from tollbook.store.database import Connection
from tollbook.times import MS_PER_DAY


def lose_newer_metadata(settings: Settings, database: Connection, older: str) -> None:
    """Lose the catalog and all of the metadata but one older state's file and what that names."""
    lose_the_catalog(database)
    with open_catalog(settings, writing=True) as catalog:
        io = load_file_io(catalog.properties, older)
        storage = Storage(io, older.rpartition("/metadata/")[0])
        snapshot = FromInputFile.table_metadata(io.new_input(older)).current_snapshot()
        assert snapshot is not None
        lists = [snapshot.manifest_list, *(manifest.manifest_path for manifest in snapshot.manifests(io))]
        kept = {storage.path(location) for location in (older, *lists)}
        for file in list(storage.files("metadata")):
            if file.path not in kept:
                storage.delete(file.path)


def write_a_part(io: FileIO, location: str) -> None:
    with io.new_output(location).create() as out:
        out.write(b"PAR1")
        raise KeyboardInterrupt


def killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("kill", [True, False])
def test_calls_in_data_files_that_no_metadata_names_are_named(
    settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch, kill: bool
) -> None:
    """PostgreSQL has one of them, the next run archives it again; of the other a file is all that is left.

    Also when the first try was killed, after it had written newer metadata.
    """
    first, *_ = three_states(settings, database)
    call_rows.delete(database, [CallKey(START_MS, "c2", "fs1")])
    database.execute("DELETE FROM archive_outbox")
    lose_newer_metadata(settings, database, first)
    if kill:
        with monkeypatch.context() as patched:
            patched.setattr("maintenance.archive.attach.restore_window", killed)
            with pytest.raises(KeyboardInterrupt):
                attach_archive(settings)
        monkeypatch.setattr("maintenance.archive.unnamed._SKEW_S", 0)
    attached = attach_archive(settings)
    (file,) = attached.left_behind.files
    assert "/calls/data/" in file
    assert "LEFT BEHIND: 1 calls, begun 2026-09-21 to 2026-09-21, are in 1 data files" in str(attached)
    assert attached.left_behind.unreadable == ()
    archive_now(settings)
    assert archived(settings) == stored(database)
    assert len(archived(settings)) == 2


def test_a_file_that_is_cut_off_and_deleted_calls_are_told_apart(settings: Settings, database: Connection) -> None:
    """A damaged file may hold anything; calls that were deleted or erased since are not missing."""
    first, _, newest = three_states(settings, database)
    call_rows.delete(database, [CallKey(START_MS, "c1", "fs1"), CallKey(START_MS, "c2", "fs1")])
    archive_now(settings)
    with open_catalog(settings) as catalog:
        io = load_file_io(catalog.properties, newest)
        location = newest.rpartition("/metadata/")[0] + "/data/cut.parquet"
        with io.new_output(location).create() as out:
            out.write(b"PAR1")
    lose_newer_metadata(settings, database, first)
    left = attach_archive(settings).left_behind
    assert (left.files, left.calls, left.unreadable) == ((), 0, (location,))


def test_what_a_killed_run_was_writing_is_not_left_behind(local_settings: Settings, database: Connection) -> None:
    """A data file has its name once it is whole. On S3 it is so by nature: a killed upload is no object."""
    *_, newest = three_states(local_settings, database)
    with open_catalog(local_settings) as catalog:
        io = load_file_io(catalog.properties, newest)
        location = f"{newest.rpartition('/metadata/')[0]}/data/killed.parquet"
        with pytest.raises(KeyboardInterrupt):
            write_a_part(io, location)
    lose_the_catalog(database)
    assert attach_archive(local_settings).left_behind == NOTHING_LEFT


def test_a_finished_state_whose_own_list_is_lost_is_named(settings: Settings, database: Connection) -> None:
    """What a refused commit leaves looks the same; the operator knows which file to look for, and what it holds."""
    _, middle, newest = three_states(settings, database)
    call_rows.delete(database, [CallKey(START_MS, "c2", "fs1")])
    database.execute("DELETE FROM archive_outbox")
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        snapshot = table.current_snapshot()
        assert snapshot is not None
        table.io.delete(snapshot.manifest_list)
    lose_the_catalog(database)
    attached = str(attach_archive(settings))
    assert attached.startswith(f"attached: 2 calls, by {middle}")
    assert f"{newest} stays aside because {snapshot.manifest_list} is missing" in attached
    assert "LEFT BEHIND: 1 calls" in attached


def test_days_that_an_older_archive_lacks_and_postgresql_has_dropped_are_named(
    settings: Settings, database: Connection
) -> None:
    day = START_MS // MS_PER_DAY
    store(database, call("c1"))
    archive_now(settings)
    database.execute("UPDATE hot_window SET window_start = %s", ((day + 3) * MS_PER_DAY,))
    database.execute("UPDATE database_history SET identity = '1/2/3'")
    assert "GAP: it has no call of 2026-09-22 to 2026-09-23" in str(attach_archive(settings))
