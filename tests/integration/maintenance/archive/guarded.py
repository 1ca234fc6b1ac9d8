"""What the tests of the guard share: archived calls, what is there of them, and a database that went back."""

import datetime as dt
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from pyiceberg.io import FileIO

from maintenance.archive.run import archive_calls
from maintenance.compaction.run import compact_archive
from tests.archiving import archive_now, archived
from tests.databases import store
from tests.factories import START_MS, call
from tollbook.archive.catalog import load_archive, load_calls, open_catalog
from tollbook.archive.storage import Storage
from tollbook.config import Settings
from tollbook.errors import ArchiveForked
from tollbook.model.record import COLUMNS
from tollbook.store.database import Connection
from tollbook.times import MS_PER_DAY

IN_FOUR_DAYS = dt.timedelta(days=4)


def archive_calls_named(settings: Settings, database: Connection, *names: str) -> None:
    store(database, *(call(name, start_ts=START_MS - 100 * MS_PER_DAY) for name in names))
    archive_now(settings)


def names(settings: Settings) -> list[str]:
    """The names of all archived calls: one that is there twice is in the list twice."""
    return sorted(str(record[COLUMNS.index("call_id")]) for record in archived(settings))


def files(settings: Settings) -> set[str]:
    """All files of the archive."""
    with open_catalog(settings) as catalog:
        table = load_archive(catalog)
        assert table is not None
        return {file.path for file in Storage(table.io, table.location()).files()}


def compact_late(settings: Settings) -> None:
    """Compact as in four days, when all that no snapshot names is old enough to be removed."""
    compact_archive(settings, remove_orphans=True, now=dt.datetime.now(dt.UTC) + IN_FOUR_DAYS)


def assert_refused(settings: Settings, database: Connection, error: type[Exception], match: str) -> None:
    """Neither a run, for which a call waits, nor a compaction writes or removes anything."""
    store(database, call("waits"))
    before = files(settings) if error is ArchiveForked else None
    with pytest.raises(error, match=match):
        archive_calls(settings, now=True)
    with pytest.raises(error, match=match):
        compact_late(settings)
    assert before is None or files(settings) == before


@contextmanager
def going_back(database: Connection) -> Generator[None]:
    """At the end, what the database knows is again as it was: as after a recovery to that point in time."""
    tables = ("archive_commit", "archive_outbox", "iceberg_tables")
    for table in tables:
        database.execute(f"CREATE TABLE before_{table} AS TABLE {table}")
    yield
    for table in tables:
        database.execute(f"DELETE FROM {table}")
        database.execute(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE before_{table}")
        database.execute(f"DROP TABLE before_{table}")


def read(io: FileIO, location: str) -> bytes:
    with io.new_input(location).open() as stream:
        return stream.read()


def write(io: FileIO, location: str, content: bytes) -> None:
    with io.new_output(location).create(overwrite=True) as stream:
        stream.write(content)


def lose_the_catalog(database: Connection) -> None:
    database.execute("DROP TABLE iceberg_tables, iceberg_namespace_properties")


def three_states(settings: Settings, database: Connection) -> list[str]:
    """Archive three calls, each in a commit of its own; return the metadata files of these."""
    found: list[str] = []
    for number in range(3):
        store(database, call(f"c{number}"))
        archive_now(settings)
        with open_catalog(settings) as catalog:
            table = load_calls(catalog)
            assert table is not None
            found.append(table.metadata_location)
    return found
