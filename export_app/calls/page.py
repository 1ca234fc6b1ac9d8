"""A page of calls: the one way in which calls are read, for the caller's account and no other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from export_app.auth.identity import CDR, Identity
from export_app.calls import cursor as cursors
from export_app.calls import two_tiers
from export_app.calls.cursor import CallsCursor, ChangesCursor, SyncCursor
from export_app.calls.query import CallsQuery, Since, Walk, asked, within_window
from export_app.database import Database
from tollbook.archive.reader import Archive
from tollbook.model.selection import Changes, Selection
from tollbook.store.calls import changes as changed_calls
from tollbook.store.calls.pages import Record
from tollbook.store.database import Connection

# Read with the columns that are shown, behind them if need be: where the next page begins.
_KEY: Final = ("start_ts", "call_id")
_CHANGE_KEY: Final = ("changed", *_KEY)


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
    if isinstance(wanted, Selection):
        # One more tells whether there is a next page.
        rows = two_tiers.read_page(database, archive, wanted, _read_columns(query.columns, _KEY), query.limit + 1)
        return calls_page(rows, wanted, query, identity.key_hash, now_ms)
    with database.connection() as connection:
        within_window(wanted.updated_since, changed_calls.window_start(connection))
        walk = _from_the_first(wanted, identity, connection) if isinstance(wanted, Since) else wanted
    with database.reading(identity.accounts) as connection:
        found = changed_calls.read_changes(
            connection, walk.changes, _read_columns(query.columns, _CHANGE_KEY), query.limit + 1
        )
    return changes_page(found, walk, query, identity.key_hash, now_ms)


def _from_the_first(wanted: Since, identity: Identity, connection: Connection) -> Walk:
    first = changed_calls.first_since(connection, wanted.updated_since)
    changes = Changes(accounts=identity.accounts, first=first, filters=wanted.filters)
    return Walk(updated_since=wanted.updated_since, changes=changes)


def _read_columns(columns: tuple[str, ...], key: tuple[str, ...]) -> tuple[str, ...]:
    return (*columns, *(name for name in key if name not in columns))


def _key_of(row: Record, columns: tuple[str, ...], key: tuple[str, ...]) -> Record:
    read = _read_columns(columns, key)
    return tuple(row[read.index(name)] for name in key)


def calls_page(rows: Sequence[Record], selection: Selection, query: CallsQuery, key_hash: bytes, now_ms: int) -> Page:
    """Make a page of what was read for it: up to one row more than its limit, each with its key."""
    kept, next_cursor = rows[: query.limit], None
    if len(rows) > query.limit:
        start_ts, call_id = cast("tuple[int, str]", _key_of(kept[-1], query.columns, _KEY))
        cursor = CallsCursor(
            since=selection.since,
            until=selection.until,
            order=selection.order,
            filters=selection.filters,
            start_ts=start_ts,
            call_id=call_id,
            made_s=now_ms // 1000,
        )
        next_cursor = cursors.encode(cursor, key_hash)
    return _page(kept, query, until=selection.until, next_cursor=next_cursor)


def changes_page(found: changed_calls.ChangedPage, walk: Walk, query: CallsQuery, key_hash: bytes, now_ms: int) -> Page:
    """The same for changes. The last page has a cursor too, from which the next sync goes on."""
    kept, filters = found.rows[: query.limit], walk.changes.filters
    if len(found.rows) > query.limit:
        changed, start_ts, call_id = cast("tuple[int, int, str]", _key_of(kept[-1], query.columns, _CHANGE_KEY))
        cursor = ChangesCursor(
            updated_since=walk.updated_since,
            filters=filters,
            changed=changed,
            start_ts=start_ts,
            call_id=call_id,
            made_s=now_ms // 1000,
        )
        return _page(kept, query, until=now_ms, next_cursor=cursors.encode(cursor, key_hash))
    sync = SyncCursor(first=found.horizon, filters=filters, made_s=now_ms // 1000)
    return _page(kept, query, until=now_ms, sync_cursor=cursors.encode(sync, key_hash))


def _page(
    rows: Sequence[Record],
    query: CallsQuery,
    *,
    until: int,
    next_cursor: str | None = None,
    sync_cursor: str | None = None,
) -> Page:
    width = len(query.columns)
    shown = rows if not rows or len(rows[0]) == width else [row[:width] for row in rows]
    return Page(columns=query.columns, rows=shown, until=until, next_cursor=next_cursor, sync_cursor=sync_cursor)
