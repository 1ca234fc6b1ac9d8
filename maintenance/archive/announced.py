"""The one way to commit to the archive's table: each commit is announced in PostgreSQL before it is made.

A kill between the metadata file and the catalog's pointer leaves a file that the storage alone cannot tell from the
newest state of a database that was since restored from a backup. The announcement tells them apart (guard.py).
"""

import time
from typing import Any

from pyiceberg.catalog import Catalog
from pyiceberg.io import FileIO
from pyiceberg.table import CommitTableResponse, Table
from pyiceberg.table.update import (
    AddSchemaUpdate,
    AddSnapshotUpdate,
    AssertTableUUID,
    RemoveSnapshotsUpdate,
    SetPropertiesUpdate,
    TableRequirement,
    TableUpdate,
)

from maintenance.archive.head import Head, write_head
from maintenance.archive.metadata_files import COMMIT_PROPERTY, OWNER_PROPERTY, number_of
from tollbook.archive._pyarrow import untyped
from tollbook.store.archive_commits import Announcements, announce, finish
from tollbook.store.database import Connection


class AnnouncingCatalog:
    """A catalog whose commits to a table are announced, and carry their ids. All else is the catalog's own."""

    def __init__(self, catalog: Catalog, connection: Connection, known: Announcements) -> None:
        self._catalog, self._connection, self._owner = catalog, connection, known.owner

    def __getattr__(self, name: str) -> Any:
        """Return the catalog's own."""
        return getattr(self._catalog, name)

    def commit_table(
        self, table: Table, requirements: tuple[TableRequirement, ...], updates: tuple[TableUpdate, ...]
    ) -> CommitTableResponse:
        """Announce, write the head, commit, finish. An error leaves the announcement open."""
        number = number_of(table.metadata_location) + 1
        commit_id = announce(self._connection, _kind(updates), base=table.metadata_location, number=number)
        self._write_head(table.io, table.location(), commit_id, number)
        named = SetPropertiesUpdate(updates=self._properties(commit_id))
        response = self._catalog.commit_table(table, requirements, (*updates, named))
        finish(self._connection, commit_id)
        return response

    def create(self, io: FileIO | None, location: str | None, properties: dict[str, str], **table: Any) -> Table:
        """Create a table in the same way; without a location, as of a REST catalog, no head is written before it."""
        commit_id = announce(self._connection, "create", base=None, number=0)
        if io is not None and location is not None:
            self._write_head(io, location, commit_id, 0)
        created = untyped(self._catalog).create_table(**table, properties={**properties, **self._properties(commit_id)})
        finish(self._connection, commit_id)
        return created

    def _properties(self, commit_id: str) -> dict[str, str]:
        return {COMMIT_PROPERTY: commit_id, OWNER_PROPERTY: self._owner}

    def _write_head(self, io: FileIO, location: str, commit_id: str, number: int) -> None:
        head = Head(id=commit_id, number=number, time=int(time.time() * 1000), owner=self._owner)
        write_head(io, location, head)


def announcing(table: Table, connection: Connection, known: Announcements) -> Table:
    """Return the same table, whose commits are announced."""
    return Table(
        identifier=table.name(),
        metadata=table.metadata,
        metadata_location=table.metadata_location,
        io=table.io,
        catalog=untyped(AnnouncingCatalog(table.catalog, connection, known)),
        config=table.config,
    )


def take_over(table: Table) -> None:
    """Commit only a new id and this owner to a table that announces its commits; raise what pyiceberg raises."""
    table.catalog.commit_table(table, (AssertTableUUID(uuid=table.metadata.table_uuid),), ())


def _kind(updates: tuple[TableUpdate, ...]) -> str:
    for update in updates:
        if isinstance(update, AddSnapshotUpdate):
            return update.snapshot.summary.operation.value if update.snapshot.summary else "snapshot"
        if isinstance(update, AddSchemaUpdate):
            return "schema"
        if isinstance(update, RemoveSnapshotsUpdate):
            return "expire"
    return "properties"
