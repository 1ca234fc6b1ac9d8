"""A database that was restored, or is a copy, neither forks the archive nor removes anything of it."""

import os
import shutil
import tempfile
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from maintenance.archive.attach import attach_archive
from maintenance.archive.begin_anew import begin_anew
from maintenance.archive.head import read_head
from maintenance.archive.run import archive_calls
from maintenance.archive.table import ensure_table
from tests.archiving import archive_as_before, archive_now, archived, stored
from tests.databases import NewDatabase, dump, on_server, restore, store
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
from tests.integration.maintenance.conftest import PREFIX
from tollbook.archive.catalog import load_archive, open_catalog
from tollbook.config import Settings
from tollbook.embedded import embedded_postgres
from tollbook.errors import ArchiveForked, ArchiveLost, UsageError
from tollbook.store.database import Connection, connect
from tollbook.store.schema import upgrade


def restore_in_place(database: Connection, url: str, path: Path) -> None:
    database.execute("DROP SCHEMA public CASCADE")
    database.execute("CREATE SCHEMA public")
    restore(url, path)


@pytest.fixture(params=["catalog inside", "external catalog"])
def catalogs(
    request: pytest.FixtureRequest, new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The catalog in Tollbook's own database, and in another one."""
    if request.param == "catalog inside":
        yield
        return
    with new_database() as url:
        monkeypatch.setenv(f"{PREFIX}URI", url.replace("postgresql://", "postgresql+psycopg://"))
        yield


@pytest.mark.usefixtures("catalogs")
def test_a_restored_dump_writes_nothing_until_it_is_attached(
    settings: Settings, database: Connection, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Yesterday's dump: the archive keeps the calls that were archived since, and goes on with each call once."""
    if f"{PREFIX}WAREHOUSE" not in os.environ:  # an external catalog needs it to be named
        monkeypatch.setenv(f"{PREFIX}WAREHOUSE", f"file://{settings.data_dir}/archive")
    archive_calls_named(settings, database, "yesterday")
    dump(database_url, tmp_path / "dump")
    archive_calls_named(settings, database, "today")
    restore_in_place(database, database_url, tmp_path / "dump")
    assert_refused(settings, database, ArchiveForked, "tollbook archive attach")
    assert str(attach_archive(settings)).startswith("attached: 2 calls, by ")
    archive_calls_named(settings, database, "tomorrow")
    compact_late(settings)
    assert names(settings) == ["today", "tomorrow", "waits", "yesterday"]


def test_a_database_that_went_back_is_refused_by_the_head(settings: Settings, database: Connection) -> None:
    """As after a physical restore: its owner and its pointer are right, and only the head is not of its doing."""
    archive_calls_named(settings, database, "yesterday")
    with going_back(database):
        archive_calls_named(settings, database, "today")
    assert_refused(
        settings, database, ArchiveForked, "a state that this database did not write; the newest state is .*00002-"
    )
    assert str(attach_archive(settings)).startswith("attached: 2 calls, by ")
    archive_now(settings)
    assert names(settings) == ["today", "waits", "yesterday"]


def test_a_missing_head_is_no_way_past_the_guard(settings: Settings, database: Connection) -> None:
    """Without it the folder is listed; and where nothing else is found, the run goes on and writes it again."""
    archive_calls_named(settings, database, "yesterday")
    with open_catalog(settings) as catalog:
        table = load_archive(catalog)
        assert table is not None
        table.io.delete(f"{table.location()}/metadata/tollbook-head.json")
        archive_calls_named(settings, database, "one")
        assert read_head(table.io, table.location()) is not None
        with going_back(database):
            archive_calls_named(settings, database, "today")
        table.io.delete(f"{table.location()}/metadata/tollbook-head.json")
    assert_refused(settings, database, ArchiveForked, "a state that this database did not write")


def test_a_damaged_head_is_as_a_missing_one(settings: Settings, database: Connection) -> None:
    """A flipped bit, which makes it no UTF-8: the folder is listed, and the next commit writes it again."""
    archive_calls_named(settings, database, "c1")
    with open_catalog(settings) as catalog:
        table = load_archive(catalog)
        assert table is not None
        location = f"{table.location()}/metadata/tollbook-head.json"
        content = bytearray(read(table.io, location))
        content[content.index(b'"owner":"') + len(b'"owner":"')] |= 0x80
        write(table.io, location, bytes(content))
        compact_late(settings)
        write(table.io, location, bytes(content))
        with pytest.raises(UsageError, match="nothing to attach"):
            attach_archive(settings)
        archive_calls_named(settings, database, "c2")
        assert read_head(table.io, table.location()) is not None
    assert archived(settings) == stored(database)


@pytest.fixture
def production_url(new_database: NewDatabase) -> Iterator[str]:
    """A database of which a template copy can be made, because nobody is connected to it."""
    with new_database() as url:
        yield url


@contextmanager
def template_copy(url: str, server_url: str) -> Generator[str]:
    """Make a copy of a database as `createdb --template` does, and yield its URL."""
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE staging TEMPLATE {conninfo_to_dict(url)['dbname']}".encode())
    try:
        yield on_server(server_url, "staging")
    finally:
        with psycopg.connect(server_url, autocommit=True) as server:
            server.execute("DROP DATABASE staging WITH (FORCE)")


def test_a_staging_copy_with_productions_warehouse_is_refused(
    settings: Settings, production_url: str, postgres_url: str
) -> None:
    """A template copy: its run and its compaction are refused, and production goes on as if nothing had been."""
    production = settings.model_copy(update={"database_url": SecretStr(production_url)})
    with connect(production_url, name="test", autocommit=True) as database:
        archive_calls_named(production, database, "c1")
    with template_copy(production_url, postgres_url) as url:
        staging = settings.model_copy(update={"database_url": SecretStr(url)})
        with (
            connect(production_url, name="test", autocommit=True) as database,
            connect(url, name="test", autocommit=True) as copied,
        ):
            assert_refused(staging, copied, ArchiveForked, "belongs to another database")
            archive_calls_named(production, database, "c2")
            assert_refused(staging, copied, ArchiveForked, "belongs to another database")
            compact_late(production)
            archive_calls_named(production, database, "c3")
            assert archived(production) == stored(database)


def copy_cluster(source: Path, target: Path) -> None:
    """Copy the files of a server that is stopped, with their owners."""
    shutil.copytree(source, target)
    for path in (target, *target.rglob("*")):
        owner = (source / path.relative_to(target)).stat()
        shutil.chown(path, owner.st_uid, owner.st_gid)


@pytest.fixture
def physical_copies(tmp_path: Path) -> Iterator[tuple[Settings, Settings]]:
    """Two servers, the second from the files of the first, where one call is archived already."""

    def served(url: str) -> Settings:
        return Settings(database_url=SecretStr(url), data_dir=tmp_path)

    with tempfile.TemporaryDirectory(prefix="tollbook-tests-") as folder:
        production, copy = Path(folder, "production"), Path(folder, "copy")
        with embedded_postgres(production, fsync=False) as url:
            upgrade(url)
            with connect(url, name="test", autocommit=True) as database:
                archive_calls_named(served(url), database, "c1")
        copy_cluster(production, copy)
        with embedded_postgres(production, fsync=False) as url, embedded_postgres(copy, fsync=False) as copy_url:
            yield served(url), served(copy_url)


def connected(settings: Settings) -> Connection:
    return connect(settings.require_database_url(), name="test", autocommit=True)


def test_a_physical_copy_is_refused_once_production_has_committed(physical_copies: tuple[Settings, Settings]) -> None:
    """The same identity, the same announcements: only what production has announced since gives the copy away."""
    production, copy = physical_copies
    with connected(production) as database, connected(copy) as copied:
        archive_calls_named(production, database, "c2")
        assert_refused(copy, copied, ArchiveForked, "tollbook archive attach")
        archive_calls_named(production, database, "c3")
        compact_late(production)
        assert archived(production) == stored(database)


def test_of_two_physical_copies_that_race_one_goes_on(physical_copies: tuple[Settings, Settings]) -> None:
    """Both may commit once, on the same state. Then the head is that of one of them, and the other is refused."""
    refused = list[Settings]()

    def run(settings: Settings) -> None:
        try:
            archive_calls(settings, now=True)
        except ArchiveForked:
            refused.append(settings)

    with connected(physical_copies[0]) as first, connected(physical_copies[1]) as second:
        for number in range(3):
            refused.clear()
            store(first, call(f"first {number}"))
            store(second, call(f"second {number}"))
            runs = [threading.Thread(target=run, args=(settings,)) for settings in physical_copies]
            for thread in runs:
                thread.start()
            for thread in runs:
                thread.join(60)
        assert len(refused) == 1, "after the first race, one of them goes on and the other does not"
        going_on, database = (
            (physical_copies[1], second) if refused[0] is physical_copies[0] else (physical_copies[0], first)
        )
        compact_late(going_on)
        assert archived(going_on) == stored(database)


def test_no_second_archive_is_begun_with_other_settings(
    settings: Settings, database: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another warehouse and its empty catalog are a mistake, until the operator says that they are not."""
    archive_calls_named(settings, database, "c1")
    monkeypatch.setenv(f"{PREFIX}URI", f"sqlite:///{tmp_path}/catalog.db")
    monkeypatch.setenv(f"{PREFIX}WAREHOUSE", f"file://{tmp_path}/other")
    assert_refused(settings, database, ArchiveLost, "the catalog knows no archive, and this database has written one")
    with pytest.raises(UsageError, match=f"no archive is at file://{tmp_path}/other"):
        attach_archive(settings)
    assert begin_anew(settings).startswith(f"a new archive begins at file://{tmp_path}/other")
    archive_now(settings)
    assert names(settings) == ["c1", "waits"]


def test_an_archive_from_before_the_guard_becomes_ours_with_the_first_commit(
    settings: Settings, database: Connection
) -> None:
    store(database, call("c1"))
    archive_as_before(settings, database)
    archive_calls_named(settings, database, "c2")
    assert archived(settings) == stored(database)
    with going_back(database):
        archive_calls_named(settings, database, "c3")
    assert_refused(settings, database, ArchiveForked, "tollbook archive attach")


def test_old_announcements_are_forgotten(local_settings: Settings, database: Connection) -> None:
    """A hundred finished commits are remembered, and all that is newer than they are."""
    archive_calls_named(local_settings, database, "c1")
    database.execute(
        "INSERT INTO archive_commit (commit_id, kind, number, finished_at) SELECT gen_random_uuid(), 'append', 1, now()"
        " FROM generate_series(1, 300)"
    )
    database.execute("DELETE FROM archive_commit WHERE sequence <= 2")
    with open_catalog(local_settings) as catalog, pytest.raises(ArchiveForked):
        ensure_table(catalog, database)
    attach_archive(local_settings)
    assert database.execute("SELECT count(*) FROM archive_commit").fetchone() == (102,)
