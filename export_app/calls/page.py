"""A page of calls: the one way in which calls are read, for the caller's account and no other."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import cast

from export_app.auth.identity import CDR, Identity
from export_app.calls import cursor as cursors
from export_app.calls import two_tiers
from export_app.calls.cursor import CallsCursor, ChangesCursor, SyncCursor
from export_app.calls.query import CallsQuery, Since, Walk, asked, within_window
from export_app.database import Database
from tollbook.archive.reader import Archive
from tollbook.model.record import Record
from tollbook.model.selection import Changes, Selection
from tollbook.model.tiers import key_of, read_columns
from tollbook.store.calls import changes as changed_calls
from tollbook.store.database import Connection
from tollbook.store.days.window import read_window


@dataclass(frozen=True, kw_only=True)
class Page:
    """Rows of `columns`, and the cursor of the next page if there is one, or of the next sync. `until` is epoch ms."""

    columns: tuple[str, ...]
    rows: Sequence[Record]
    until: int
    next_cursor: str | None = None
    sync_cursor: str | None = None


def read(database: Database, archive: Archive, identity: Identity, query: CallsQuery, now_ms: int) -> Page:
    """Read a page whole and give its connection back; raises ApiError, StoreUnavailable and ArchiveError.

    Every read of calls comes through here: the account is the key's, whatever the query says.
    """
    identity.require(CDR)
    wanted = asked(query, identity, now_ms)
    columns = read_columns(query.columns)
    if isinstance(wanted, Selection):
        # One more tells whether there is a next page.
        rows = two_tiers.read_page(database, archive, wanted, columns, query.limit + 1)
        return calls_page(rows, wanted, query, identity.key_hash, now_ms)
    with database.connection() as connection:
        within_window(wanted.updated_since, read_window(connection).start_ts)
        walk = _from_the_first(wanted, identity, connection) if isinstance(wanted, Since) else wanted
    with database.reading(identity.accounts) as connection:
        found = changed_calls.read_changes(connection, walk.changes, (*columns, "changed"), query.limit + 1)
    return changes_page(found, walk, query, identity.key_hash, now_ms)


def _from_the_first(wanted: Since, identity: Identity, connection: Connection) -> Walk:
    first = changed_calls.first_since(connection, wanted.updated_since)
    changes = Changes(accounts=identity.accounts, first=first, filters=wanted.filters)
    return Walk(updated_since=wanted.updated_since, changes=changes)


def calls_page(rows: Sequence[Record], selection: Selection, query: CallsQuery, key_hash: bytes, now_ms: int) -> Page:
    """Make a page of the rows that were read for it: up to one more than its limit, in `read_columns`."""
    kept, next_cursor = rows[: query.limit], None
    if len(rows) > query.limit:
        cursor = CallsCursor(
            since=selection.since,
            until=selection.until,
            order=selection.order,
            filters=selection.filters,
            made_s=now_ms // 1000,
            **key_of(kept[-1])._asdict(),
        )
        next_cursor = cursors.encode(cursor, key_hash)
    return Page(columns=query.columns, rows=_shown(kept, query.columns), until=selection.until, next_cursor=next_cursor)


def changes_page(found: changed_calls.ChangedPage, walk: Walk, query: CallsQuery, key_hash: bytes, now_ms: int) -> Page:
    """The same for changes, with `changed` as the last column. The last page has a cursor too, for the next sync."""
    kept, filters, made_s = found.rows[: query.limit], walk.changes.filters, now_ms // 1000
    next_cursor = sync_cursor = None
    if len(found.rows) > query.limit:
        cursor = ChangesCursor(
            updated_since=walk.updated_since,
            filters=filters,
            changed=cast("int", kept[-1][-1]),
            made_s=made_s,
            **key_of(kept[-1])._asdict(),
        )
        next_cursor = cursors.encode(cursor, key_hash)
    else:
        sync_cursor = cursors.encode(SyncCursor(first=found.horizon, filters=filters, made_s=made_s), key_hash)
    return Page(
        columns=query.columns,
        rows=_shown(kept, query.columns),
        until=now_ms,
        next_cursor=next_cursor,
        sync_cursor=sync_cursor,
    )


def _shown(rows: Sequence[Record], columns: tuple[str, ...]) -> Sequence[Record]:
    """Take the columns that are shown out of rows of `read_columns`."""
    places = list(map(read_columns(columns).index, columns))
    if len(places) == 1:
        return [(row[places[0]],) for row in rows]
    return list(map(itemgetter(*places), rows))
