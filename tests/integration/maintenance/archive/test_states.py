"""Which state of the archive a database goes on with: the newest that can be read, or the one that is named."""

import pytest
from pyiceberg.table import Table

from maintenance.archive.attach import attach_archive
from maintenance.archive.run import archive_calls
from maintenance.archive.table import ensure_table
from tests.archiving import archive_now, archived, stored
from tests.databases import store
from tests.factories import call
from tests.integration.maintenance.archive.guarded import (
    archive_calls_named,
    assert_refused,
    compact_late,
    going_back,
    names,
    read,
    write,
)
from tollbook.archive.catalog import load_archive, open_catalog
from tollbook.config import Settings
from tollbook.errors import ArchiveForked, ArchiveLost, UsageError
from tollbook.store.database import Connection


def lead_to_the_previous(settings: Settings, database: Connection) -> None:
    database.execute("UPDATE iceberg_tables SET metadata_location = previous_metadata_location")


def test_a_catalog_that_went_back_is_attached_to_the_newest_state(settings: Settings, database: Connection) -> None:
    """As when the catalog alone was restored from a backup."""
    archive_calls_named(settings, database, "c1")
    archive_calls_named(settings, database, "c2")
    lead_to_the_previous(settings, database)
    assert_refused(settings, database, ArchiveForked, "newer states than the one to which its catalog leads")
    assert str(attach_archive(settings)).startswith("attached: 2 calls, by ")
    archive_calls_named(settings, database, "c3")
    assert archived(settings) == stored(database)


def damage(settings: Settings, kept: float) -> str:
    """Leave a part of the metadata file to which the catalog leads, or none of it, and return its location."""
    with open_catalog(settings) as catalog:
        table = load_archive(catalog)
        assert table is not None
        content = read(table.io, table.metadata_location)
        table.io.delete(table.metadata_location)
        if kept:
            write(table.io, table.metadata_location, content[: int(len(content) * kept)])
        return table.metadata_location


@pytest.mark.parametrize(("kept", "word"), [(0, "is missing"), (0.5, "is torn or damaged")])
def test_a_metadata_file_that_cannot_be_read_is_named_and_the_one_before_it_attached(
    settings: Settings, database: Connection, kept: float, word: str
) -> None:
    archive_calls_named(settings, database, "c1")
    archive_calls_named(settings, database, "c2")
    lost = damage(settings, kept)
    assert_refused(settings, database, ArchiveLost, f"{word}; {lost}; .*tollbook archive attach")
    report = str(attach_archive(settings))
    assert report.startswith("attached: 1 calls, by ")
    assert f"its newer state {lost} cannot be read: of the calls of that commit, the archive lacks" in report
    archive_calls_named(settings, database, "c3")
    assert names(settings) == ["c1", "c2", "c3", "waits"]
    with pytest.raises(UsageError, match="nothing to attach"):
        attach_archive(settings)


def test_an_archive_without_a_readable_state_is_refused_with_the_file(settings: Settings, database: Connection) -> None:
    """And begun anew only when the operator says that nothing was in it."""
    with open_catalog(settings, writing=True) as catalog:
        ensure_table(catalog, database)
    torn = damage(settings, 0.5)
    database.execute("DELETE FROM archive_commit")
    database.execute("DELETE FROM iceberg_tables")
    store(database, call("c1"))
    with pytest.raises(ArchiveLost, match="tollbook archive attach"):
        archive_calls(settings, now=True)
    with pytest.raises(ArchiveLost, match=f"the highest is {torn}.*--disown FILE"):
        attach_archive(settings)
    with pytest.raises(UsageError, match="no archive is at"):
        attach_archive(settings, disown=[torn])
    archive_now(settings)
    assert archived(settings) == stored(database)


def fork(settings: Settings, database: Connection) -> tuple[str, str]:
    """Make two commits on one state, as of a physical copy that raced production; return ours and the other one."""
    archive_calls_named(settings, database, "common")
    with open_catalog(settings) as catalog:
        with going_back(database):
            archive_calls_named(settings, database, "theirs")
            table = load_archive(catalog)
            assert table is not None
            theirs, head = table.metadata_location, f"{table.location()}/metadata/tollbook-head.json"
            written = {location: read(table.io, location) for location in (theirs, head)}
            for location in written:
                table.io.delete(location)
        archive_calls_named(settings, database, "ours")
        for location, content in written.items():
            write(table.io, location, content)
        ours = load_archive(catalog)
        assert ours is not None
        return ours.metadata_location, theirs


def test_two_histories_are_the_operators_to_judge(settings: Settings, database: Connection) -> None:
    """Each has a call that the other lacks: no one is adopted in silence. What PostgreSQL has is archived again."""
    ours, theirs = fork(settings, database)
    assert_refused(settings, database, ArchiveForked, "a state that this database did not write")
    with pytest.raises(ArchiveForked, match=r"two histories.*(00002-).*(00002-)"):
        attach_archive(settings)
    with pytest.raises(UsageError, match="is no metadata file of this archive"):
        attach_archive(settings, disown=[f"{theirs}x"])
    assert str(attach_archive(settings, disown=[theirs])).startswith(f"attached: 2 calls, by {ours}")
    archive_calls_named(settings, database, "later")
    compact_late(settings)
    assert names(settings) == ["common", "later", "ours", "theirs", "waits"]


def test_the_operator_may_name_the_history_that_goes_on(settings: Settings, database: Connection) -> None:
    _, theirs = fork(settings, database)
    assert str(attach_archive(settings, theirs)).startswith(f"attached: 2 calls, by {theirs}")
    archive_calls_named(settings, database, "later")
    assert names(settings) == ["common", "later", "ours", "theirs"]


def test_a_file_of_another_engine_is_not_taken_for_an_orphan_of_ours(settings: Settings, database: Connection) -> None:
    """An engine that knows nothing of ids keeps the one that it finds."""
    archive_calls_named(settings, database, "c1")
    with open_catalog(settings) as catalog:
        table = load_archive(catalog)
        assert table is not None
        pointer = database.execute("SELECT metadata_location FROM iceberg_tables").fetchone()
        table.transaction().set_properties({"engine": "another"}).commit_transaction()
        database.execute("UPDATE iceberg_tables SET metadata_location = %s", pointer)
    with pytest.raises(ArchiveForked, match=r"a state that this database did not write; the newest state is .*00002-"):
        compact_late(settings)


def end(_: Table) -> None:
    raise KeyboardInterrupt


def test_an_attach_that_was_killed_is_done_again(
    settings: Settings, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The catalog leads to the newest state already, which is not this database's yet."""
    archive_calls_named(settings, database, "c1")
    with going_back(database):
        archive_calls_named(settings, database, "c2")
    with monkeypatch.context() as killed:
        killed.setattr("maintenance.archive.adopt.take_over", end)
        with pytest.raises(KeyboardInterrupt):
            attach_archive(settings)
    assert_refused(settings, database, ArchiveForked, "a state that this database did not write")
    assert str(attach_archive(settings)).startswith("attached: 2 calls")
    archive_calls_named(settings, database, "c3")
    assert names(settings) == ["c1", "c2", "c3", "waits"]
