"""A page of `/v1/calls`: the only way in which the API lists calls, and always those of the caller's account."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import cast

from export_app.archive import SharedArchive
from export_app.auth.identity import CDR, Identity
from export_app.calls import cursor as cursors
from export_app.calls.cursor import CallsCursor, ChangesCursor, SyncCursor
from export_app.calls.query import CallsQuery, SyncStart, SyncStep, check_window, resolve_query
from export_app.calls.two_tiers import read_page
from export_app.database import Database
from tollbook.model.record import Record
from tollbook.model.selection import Changes, Selection
from tollbook.model.tiers import key_of, read_columns
from tollbook.store.calls.changes import ChangedRows, first_transaction_since, read_changes
from tollbook.store.database import Connection
from tollbook.store.days.window import read_window


@dataclass(frozen=True, kw_only=True)
class Page:
    """Rows, and the cursor of the next page or of the next sync, if there is one. `until` is epoch ms.

    `columns` are those that are shown. `read` has what was read of each row: first `read_columns(columns)`.
    """

    columns: tuple[str, ...]
    read: Sequence[Record]
    until: int
    next_cursor: str | None = None
    sync_cursor: str | None = None

    def __len__(self) -> int:
        return len(self.read)

    def rows(self) -> Iterator[Record]:
        """Yield the columns that are shown of each row.

        One at a time: with 10,000 rows more in memory, the garbage collector made a page take a tenth longer.
        """
        places = list(map(read_columns(self.columns).index, self.columns))
        if places == list(range(places[0], places[0] + len(places))):
            return map(itemgetter(slice(places[0], places[0] + len(places))), self.read)
        return map(itemgetter(*places), self.read)


def read_calls(database: Database, archive: SharedArchive, identity: Identity, query: CallsQuery, now_ms: int) -> Page:
    """Read the page that a query asks for, whole, and return its connection to the pool.

    The account is the key's, whatever the query says. Raises ApiError, StoreUnavailable and ArchiveError.
    """
    identity.require(CDR)
    resolved = resolve_query(query, identity, now_ms)
    columns, limit = read_columns(query.columns), query.limit + 1  # one more row says whether there is a next page
    if isinstance(resolved, Selection):
        rows = read_page(database, archive, resolved, columns, limit)
        return page_of_calls(rows, resolved, query, identity.key_hash, now_ms)
    with database.searching(identity.accounts) as connection:
        check_window(resolved.updated_since, read_window(connection).start_ts)
        step = _first_step(resolved, identity, connection) if isinstance(resolved, SyncStart) else resolved
    with database.reading(identity.accounts) as connection:
        changed = read_changes(connection, step.changes, (*columns, "changed"), limit)
    return page_of_changes(changed, step, query, identity.key_hash, now_ms)


def _first_step(start: SyncStart, identity: Identity, connection: Connection) -> SyncStep:
    first = first_transaction_since(connection, start.updated_since)
    changes = Changes(accounts=identity.accounts, first=first, filters=start.filters)
    return SyncStep(updated_since=start.updated_since, changes=changes)


def page_of_calls(
    rows: Sequence[Record], selection: Selection, query: CallsQuery, key_hash: bytes, now_ms: int
) -> Page:
    """Make a page of the rows read for it, in the columns of `read_columns`: up to one more than its limit."""
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
    return Page(columns=query.columns, read=kept, until=selection.until, next_cursor=next_cursor)


def page_of_changes(changed: ChangedRows, step: SyncStep, query: CallsQuery, key_hash: bytes, now_ms: int) -> Page:
    """Make a page of changed rows, whose last column is `changed`. The last page has the cursor of the next sync."""
    kept, filters, made_s = changed.rows[: query.limit], step.changes.filters, now_ms // 1000
    next_cursor = sync_cursor = None
    if len(changed.rows) > query.limit:
        cursor = ChangesCursor(
            updated_since=step.updated_since,
            filters=filters,
            changed=cast("int", kept[-1][-1]),
            made_s=made_s,
            **key_of(kept[-1])._asdict(),
        )
        next_cursor = cursors.encode(cursor, key_hash)
    else:
        sync_cursor = cursors.encode(SyncCursor(first=changed.horizon, filters=filters, made_s=made_s), key_hash)
    return Page(columns=query.columns, read=kept, until=now_ms, next_cursor=next_cursor, sync_cursor=sync_cursor)
