"""`tollbook archive attach --no-archive` begins a new archive, and touches no file of another one."""

from pathlib import Path

import pytest

from maintenance.archive.attach import attach_archive
from maintenance.archive.begin_anew import begin_anew
from maintenance.archive.run import archive_calls
from maintenance.export.run import export_calls
from maintenance.prune.run import prune_days
from tests.archiving import archive_now, archived, stored, waiting
from tests.databases import store
from tests.factories import UP, call
from tests.integration.maintenance.conftest import PREFIX
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.storage import Storage
from tollbook.config import Settings
from tollbook.errors import ArchiveForked, ArchiveLost, UsageError
from tollbook.store.archive_commits import forget_commits
from tollbook.store.database import Connection
from tollbook.store.history import recognise
from tollbook.store.tariffs import tariffs


def copied(database: Connection) -> None:
    """Make a database look like a copy of another one."""
    database.execute("UPDATE database_history SET identity = '1/2/3'")


def files_of(settings: Settings) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in settings.data_dir.rglob("*") if path.is_file()}


def test_a_database_without_an_archive_is_accepted_explicitly(settings: Settings, database: Connection) -> None:
    """And never where there is an archive, whether the catalog knows it or not."""
    copied(database)
    assert recognise(database, settings.data_dir) is not None
    with pytest.raises(UsageError, match="no archive is at"):
        attach_archive(settings)
    begin_anew(settings)
    assert recognise(database, settings.data_dir) is None
    store(database, call("c1"))
    archive_now(settings)
    copied(database)
    for _ in range(2):
        with pytest.raises(UsageError, match="without --no-archive"):
            begin_anew(settings)
        database.execute("DROP TABLE IF EXISTS iceberg_tables, iceberg_namespace_properties")


def test_a_staging_copy_archives_all_that_it_has(
    local_settings: Settings,
    database: Connection,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Into a warehouse of its own, late calls too; production's files stay, byte by byte."""
    store(database, call("c1"), call("c2", "beta"), call("open", **UP))
    archive_now(local_settings)
    store(database, call("c3"))
    before = files_of(local_settings)
    copied(database)
    own = local_settings.model_copy(update={"data_dir": tmp_path_factory.mktemp("staging")})
    monkeypatch.setenv(f"{PREFIX}WAREHOUSE", f"file://{own.data_dir}/archive")
    with pytest.raises(UsageError, match=r"the warehouse of the settings is elsewhere.*--no-archive"):
        attach_archive(own)
    assert "2 archived calls wait for it; the archive at " in begin_anew(own)
    archive_now(own)
    assert archived(own) == [row for row in stored(database) if row[7] is not None]
    assert waiting(database) == 0
    assert files_of(local_settings) == before
    assert prune_days(own).calls == 3


def test_a_database_that_is_what_it_was_gives_nothing_up(
    settings: Settings, database: Connection, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(database, call("c1"))
    archive_now(settings)
    monkeypatch.setenv(f"{PREFIX}WAREHOUSE", f"file://{tmp_path_factory.mktemp('elsewhere')}")
    with pytest.raises(UsageError, match="nothing is to be given up"):
        begin_anew(settings)
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        assert table.scan().to_arrow().num_rows == 1


def test_a_catalog_of_several_installations_is_left_alone(
    local_settings: Settings, database: Connection, tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A copy that still has production's external catalog would take production's archive out of it."""
    monkeypatch.setenv(f"{PREFIX}URI", f"sqlite:///{local_settings.data_dir}/catalog.db")
    monkeypatch.setenv(f"{PREFIX}WAREHOUSE", f"file://{local_settings.data_dir}/archive")
    store(database, call("c1"))
    archive_now(local_settings)
    copied(database)
    monkeypatch.setenv(f"{PREFIX}WAREHOUSE", f"file://{tmp_path_factory.mktemp('staging')}")
    with pytest.raises(UsageError, match="a catalog of this database's own"):
        begin_anew(local_settings)
    with open_catalog(local_settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        assert table.scan().to_arrow().num_rows == 1
    monkeypatch.setenv(f"{PREFIX}URI", f"sqlite:///{local_settings.data_dir}/own.db")
    begin_anew(local_settings)
    archive_now(local_settings)
    assert archived(local_settings) == stored(database)


def lose_the_metadata(settings: Settings, database: Connection) -> set[str]:
    """Delete the archive's metadata, and what the catalog knows of it; return the paths of the data files."""
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        storage = Storage(table.io, table.location())
        for file in list(storage.files("metadata")):
            storage.delete(file.path)
    database.execute("DROP TABLE iceberg_tables, iceberg_namespace_properties")
    return {file.path for file in storage.files("data")}


def test_no_archive_is_begun_over_data_files_without_metadata(settings: Settings, database: Connection) -> None:
    """They may be the only copies of calls, and the next compaction would remove them as a new table's orphans."""
    store(database, call("c1"), call("c2", "beta"))
    archive_now(settings)
    files = lose_the_metadata(settings, database)
    match = rf"there are {len(files)} data files at .*, but no metadata.* copy its folder metadata/ back"
    with pytest.raises(UsageError, match=match):
        begin_anew(settings)
    with pytest.raises(ArchiveLost, match=match):
        attach_archive(settings)
    forget_commits(database)  # as a database that was set up anew
    store(database, call("c3"))
    with pytest.raises(ArchiveLost, match=match):
        archive_calls(settings, now=True)
    with open_catalog(settings) as catalog:
        assert load_calls(catalog) is None


def test_a_lost_warehouse_begins_anew(local_settings: Settings, database: Connection) -> None:
    """The catalog leads to a metadata file that does not exist, and the database is what it was."""
    store(database, call("c1"), call("c2"))
    archive_now(local_settings)
    for path in local_settings.data_dir.rglob("archive/**/*"):
        if path.is_file():
            path.unlink()
    assert "2 archived calls wait" in begin_anew(local_settings)
    archive_now(local_settings)
    assert archived(local_settings) == stored(database)


def test_a_copy_is_refused_also_when_nothing_is_due(settings: Settings, database: Connection) -> None:
    """The timer's run has nothing to archive on most days, and must not end well while the next one will be refused.

    Neither is a copy's account handed over: the archive may have calls that this database's catalog does not know.
    """
    tariffs.add_account(database, tariffs.Account(account_id="acme", name="Acme", plan_id=None))
    store(database, call("c1"))
    archive_now(settings)
    assert archive_calls(settings).committed.files == 0
    copied(database)
    database.execute("UPDATE archive_commit SET commit_id = gen_random_uuid()")
    with pytest.raises(ArchiveForked):
        archive_calls(settings)
    with pytest.raises(ArchiveForked, match="tollbook archive attach"):
        export_calls(settings, "acme", settings.data_dir / "out")
    assert not (settings.data_dir / "out").exists()
