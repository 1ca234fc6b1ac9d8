"""The archive outlives its catalog: `tollbook archive attach` finds it again; nothing is lost or duplicated."""

from collections.abc import Callable
from functools import partial

import pytest
from click.testing import CliRunner

from maintenance.archive.attach import attach_archive
from maintenance.archive.batch import parse
from maintenance.archive.commit import commit
from maintenance.archive.query import archived_calls
from maintenance.archive.run import archive_calls
from maintenance.archive.table import ensure_table
from maintenance.archive_cli import archive
from maintenance.compaction.run import compact_archive
from maintenance.erase.preview import EraseRequest, preview
from maintenance.verify.run import VerifyRequest, verify_archive
from tests.archiving import archive_now, archived, claim, stored, waiting
from tests.databases import store
from tests.factories import FOR_EVER_MS, START_MS, call
from tests.integration.maintenance.archive.guarded import lose_the_catalog, three_states
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.reader import Archive
from tollbook.archive.storage import Storage
from tollbook.config import Settings
from tollbook.errors import ArchiveDamaged, ArchiveLost, UsageError
from tollbook.model.accounts import EveryAccount
from tollbook.model.selection import Selection
from tollbook.store.archive_commits import archive_begun
from tollbook.store.database import Connection
from tollbook.store.history import recognise
from tollbook.store.outbox_rows import read_csv
from tollbook.store.tariffs import tariffs


def test_attach_finds_the_newest_state(settings: Settings, database: Connection) -> None:
    store(database, call("c1"), call("c2", "beta"))
    archive_now(settings)
    store(database, call("c1", cost_micros=99), call("c3"))
    archive_now(settings)
    lose_the_catalog(database)
    assert str(attach_archive(settings)).startswith("attached: 3 calls, by ")
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


def test_a_lost_archive_is_never_taken_for_an_empty_one(settings: Settings, database: Connection) -> None:
    """Whoever reads it says so, and names what helps; before the first archive there is simply none."""
    everything = Selection(accounts=EveryAccount(), since=0, until=FOR_EVER_MS)
    erasure = EraseRequest(account_id="acme", number=None, until_ts=FOR_EVER_MS, by_whom="me", reason="asked for")
    begun = partial(archive_begun, settings.require_database_url())
    readers: list[Callable[[], object]] = [
        lambda: list(archived_calls(settings, everything)),
        lambda: Archive(settings, begun).read_page(everything, 10, frozenset()),
        lambda: verify_archive(settings, VerifyRequest()),
        lambda: preview(settings, erasure),
    ]
    tariffs.add_account(database, tariffs.Account(account_id="acme", name="Acme", plan_id=None))
    for read in readers:
        read()
    store(database, call("c1"))
    archive_now(settings)
    lose_the_catalog(database)
    for read in readers:
        with pytest.raises(ArchiveLost, match="`tollbook archive attach` finds the archive again"):
            read()
    attach_archive(settings)
    for read in readers:
        read()


def test_attach_refuses_when_the_catalog_knows_an_archive(settings: Settings, database: Connection) -> None:
    store(database, call("c1"))
    archive_now(settings)
    with pytest.raises(UsageError, match="nothing to attach"):
        attach_archive(settings)


def test_a_database_that_went_back_gets_the_newest_state(settings: Settings, database: Connection) -> None:
    """Its catalog, which was in its dump, knows an older state; attaching accepts the database."""
    store(database, call("c1"))
    archive_now(settings)
    database.execute("CREATE TABLE backup AS TABLE iceberg_tables")
    store(database, call("c2"))
    archive_now(settings)
    database.execute("UPDATE iceberg_tables SET metadata_location = backup.metadata_location FROM backup")
    database.execute("UPDATE database_history SET identity = '1/2/3'")
    assert str(attach_archive(settings)).startswith("attached: 2 calls")
    assert archived(settings) == stored(database)
    assert recognise(database, settings.data_dir) is None
    with pytest.raises(UsageError, match="nothing to attach"):
        attach_archive(settings)


def test_attach_says_where_it_looked_in_vain(settings: Settings) -> None:
    with pytest.raises(UsageError, match=r"no archive is at .*tollbook/calls"):
        attach_archive(settings)


def test_rows_waiting_in_an_older_database_are_in_the_archive_once(settings: Settings, database: Connection) -> None:
    """A database restored from a backup has rows in its outbox that were archived since; one has changed again."""
    store(database, call("c1"), call("c2", "beta"), call("new"))
    database.execute("CREATE TABLE backup AS TABLE archive_outbox")
    archive_now(settings)
    lose_the_catalog(database)
    database.execute("INSERT INTO archive_outbox TABLE backup")
    database.execute("UPDATE call_cdr SET account_id = 'gamma', revision = 2 WHERE call_id = 'c2'")
    attach_archive(settings)
    assert waiting(database) == 1
    assert archive_now(settings).startswith("archived: 0 rows appended, 1 replaced, 0 deleted")
    assert archived(settings) == stored(database)


def test_a_claimed_batch_is_found_in_the_attached_archive(settings: Settings, database: Connection) -> None:
    store(database, call("c1"))
    archive_now(settings)
    store(database, call("c2"))
    batch = claim(database)
    assert batch is not None
    with open_catalog(settings) as catalog:
        commit(ensure_table(catalog, database), batch.batch_id, parse(read_csv(database, batch)))
    lose_the_catalog(database)
    attach_archive(settings)
    archive_now(settings)
    assert waiting(database) == 0
    assert archived(settings) == stored(database)


def test_a_metadata_file_whose_manifests_are_gone_is_skipped(settings: Settings, database: Connection) -> None:
    """A commit that was refused leaves one."""
    store(database, call("c1"))
    archive_now(settings)
    store(database, call("c2"))
    archive_now(settings)
    with open_catalog(settings) as catalog:
        table = ensure_table(catalog, database)
        snapshot = table.current_snapshot()
        assert snapshot is not None
        storage = Storage(table.io, table.location())
        storage.delete(storage.path(snapshot.manifest_list))
    lose_the_catalog(database)
    assert str(attach_archive(settings)).startswith("attached: 1 calls")


@pytest.mark.parametrize("lost", ["a manifest of an older state", "the list of a state that added no snapshot", "half"])
def test_a_damaged_newer_state_is_not_skipped(settings: Settings, database: Connection, lost: str) -> None:
    """Its calls would be left behind, and their files removed as orphans; the operator may still name an older one."""
    first, *_ = three_states(settings, database)
    with open_catalog(settings) as catalog:
        table = ensure_table(catalog, database)
        if lost.startswith("the list"):
            with table.transaction() as transaction:
                transaction.set_properties({"any": "thing"})
        snapshot = table.current_snapshot()
        assert snapshot is not None
        location = snapshot.manifest_list
        if lost.startswith("a manifest"):
            (location,) = (
                manifest.manifest_path
                for manifest in snapshot.manifests(table.io)
                if manifest.added_snapshot_id == snapshot.parent_snapshot_id
            )
        with table.io.new_input(location).open() as stream:
            content = stream.read()
        table.io.delete(location)
        if lost == "half":
            with table.io.new_output(location).create() as out:
                out.write(content[: len(content) // 2])
    lose_the_catalog(database)
    with pytest.raises(ArchiveDamaged, match=rf"{location} is (missing|damaged).*`tollbook archive attach FILE`"):
        attach_archive(settings)
    assert str(attach_archive(settings, first)).startswith(f"attached: 1 calls, by {first}")


def test_an_address_of_no_known_storage_is_refused(settings: Settings) -> None:
    with pytest.raises(UsageError, match=r"ftp://x/metadata/00001-a\.metadata\.json is no address"):
        attach_archive(settings, "ftp://x/metadata/00001-a.metadata.json")


def test_a_named_file_is_never_ignored(settings: Settings, database: Connection) -> None:
    """After a restore of which the archive shows nothing, there is no going back from what the catalog knows."""
    older, _, newest = three_states(settings, database)
    database.execute("UPDATE database_history SET identity = '1/2/3'")
    with pytest.raises(UsageError, match=f"by {newest}, and nothing goes back to {older}"):
        attach_archive(settings, older)
    assert str(attach_archive(settings, newest)).startswith(f"attached: 3 calls, by {newest}")


def test_an_archive_is_attached_after_compaction_and_by_name(
    settings: Settings, database: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        store(database, call(f"c{number}", start_ts=START_MS + number))
        archive_now(settings)
    compact_archive(settings)
    with open_catalog(settings) as catalog:
        newest = ensure_table(catalog, database).metadata_location
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
        ensure_table(catalog, database)
    database.execute("UPDATE archive_commit SET finished_at = NULL")
    lose_the_catalog(database)
    store(database, call("c1"))
    archive_now(settings)
    assert archived(settings) == stored(database)
