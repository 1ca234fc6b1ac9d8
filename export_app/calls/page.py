"""A page of `/v1/calls`: the only way in which the API lists calls, and always those of the caller's account."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Final

from export_app.archive import SharedArchive
from export_app.auth.identity import Identity
from export_app.calls import cursor as cursors
from export_app.calls.cursor import CallsCursor, ChangesCursor, SyncCursor
from export_app.calls.query import CallsQuery, SyncStart, SyncStep, check_step, first_step, resolve_query
from export_app.calls.spelling import speller
from export_app.calls.two_tiers import read_page
from export_app.database import Database
from tollbook.model.call_key import CallKey
from tollbook.model.presentation import Presentation
from tollbook.model.record import Record
from tollbook.model.recordings import RecordingPaths
from tollbook.model.scopes import CDR
from tollbook.model.selection import Selection
from tollbook.model.tiers import key_of, read_columns
from tollbook.store.calls.changes import ChangedRows, read_changes
from tollbook.store.database import Connection
from tollbook.store.days.sync_window import first_transaction_since, horizon, read_sync_window
from tollbook.store.history import read_epoch

_CURRENCY: Final = "currency"


@dataclass(frozen=True, kw_only=True)
class Page:
    """Rows, and the cursor of the next page or the next sync, if there is one. Asked for was [since, until), epoch ms.

    `columns` are those that are shown. `read` has what was read of each row: first `read_columns(columns)`. `deleted`:
    on a page of changes, the calls that its reader no longer has. `account_id`: whose calls were asked for, by this
    request or by that of the first page.
    """

    columns: tuple[str, ...]
    read: Sequence[Record]
    since: int
    until: int
    deleted: Sequence[CallKey] | None = None
    next_cursor: str | None = None
    sync_cursor: str | None = None
    is_first: bool = True
    account_id: str | None = None

    def __len__(self) -> int:
        return len(self.read)

    @property
    def currencies(self) -> list[str] | None:
        """The currencies of the amounts on the page; None where no column is one. Calls without a plan have none."""
        if not has_amounts(self.columns):
            return None
        place = read_columns(_with_currency(self.columns)).index(_CURRENCY)
        return sorted({str(currency) for row in self.read if (currency := row[place]) is not None})

    def span(self) -> tuple[int, int]:
        """Return the times, epoch ms, that this page spans: those asked for, or of a part of them its calls'."""
        if self.next_cursor is None and self.is_first:
            return self.since, self.until
        starts = [key_of(row).start_ts for row in self.read]
        return (min(starts), max(starts)) if starts else (self.since, self.until)

    def rows(self, columns: tuple[str, ...] | None = None) -> Iterator[Record]:
        """Yield the columns that are shown of each row, or others that were read.

        One at a time: with 10,000 rows more in memory, the garbage collector made a page take a tenth longer.
        """
        shown = self.columns if columns is None else columns
        places = list(map(read_columns(_with_currency(self.columns)).index, shown))
        if places == list(range(places[0], places[0] + len(places))):
            return map(itemgetter(slice(places[0], places[0] + len(places))), self.read)
        return map(itemgetter(*places), self.read)


def has_amounts(columns: Sequence[str]) -> bool:
    """Whether one of the columns is an amount of money, or holds some."""
    return "cost_micros" in columns or "parts" in columns


def _with_currency(columns: Sequence[str]) -> Sequence[str]:
    """Return the columns to read: an amount is read with its currency, whether that is shown or not."""
    return (*columns, _CURRENCY) if has_amounts(columns) else columns


def read_calls(
    database: Database,
    archive: SharedArchive,
    identity: Identity,
    query: CallsQuery,
    now_ms: int,
    recordings: RecordingPaths,
) -> Page:
    """Read the page that a query asks for, whole, and return its connection to the pool.

    The account is the key's, whatever the query says. Raises ApiError, StoreUnavailable and ArchiveError.
    """
    identity.require(CDR)
    resolved = resolve_query(query, identity, now_ms, speller(database, identity))
    # Those of the cursor, too: a client can sign any.
    identity.require_visible((*query.columns, *resolved.filters.names()))
    shown = Presentation(
        hides_carriers=not identity.sees_carriers, whole_paths=identity.is_operator, recordings=recordings
    )
    columns = shown.columns_to_read(read_columns(_with_currency(query.columns)))
    if isinstance(resolved, Selection):
        # One more row says whether there is a next page.
        rows = read_page(database, archive, resolved, columns, query.limit + 1)
        return page_of_calls(shown.present(rows, columns), resolved, query, identity.key_hash, now_ms)
    first = None
    accounts = identity.accounts_of(resolved.filters.account)
    if isinstance(resolved, SyncStart):
        with database.searching(accounts) as connection:
            first = first_transaction_since(connection, resolved.updated_since)
    with database.reading(accounts) as connection:
        step = _step(resolved, first, identity, connection)
        changed = read_changes(connection, step.changes, columns, query.limit)
    changed = replace(changed, rows=shown.present(changed.rows, columns))
    return page_of_changes(changed, step, query, identity.key_hash, now_ms)


def _step(resolved: SyncStart | SyncStep, first: int | None, identity: Identity, connection: Connection) -> SyncStep:
    """Return the page to read, if the snapshot that reads it can have all its changes; raises ApiError."""
    epoch, window = read_epoch(connection), read_sync_window(connection)
    if isinstance(resolved, SyncStart):
        assert first is not None
        return first_step(resolved, identity, window, epoch=epoch, first=first)
    check_step(resolved, window, epoch=epoch, horizon=horizon(connection))
    return resolved


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
            filters=selection.filters.without_spellings(),
            made_s=now_ms // 1000,
            **key_of(kept[-1])._asdict(),
        )
        next_cursor = cursors.encode(cursor, key_hash)
    return Page(
        columns=query.columns,
        read=kept,
        since=selection.since,
        until=selection.until,
        next_cursor=next_cursor,
        is_first=query.cursor is None,
        account_id=selection.filters.account,
    )


def page_of_changes(changed: ChangedRows, step: SyncStep, query: CallsQuery, key_hash: bytes, now_ms: int) -> Page:
    """Make a page of changes. The last one has the cursor of the next sync."""
    filters, made_s = step.changes.filters.without_spellings(), now_ms // 1000
    next_cursor, sync_cursor = None, None
    if changed.last is not None:
        cursor = ChangesCursor(
            updated_since=step.updated_since,
            epoch=step.epoch,
            filters=filters,
            changed=changed.last.changed,
            made_s=made_s,
            **changed.last.key._asdict(),
        )
        next_cursor = cursors.encode(cursor, key_hash)
    else:
        ended = SyncCursor(first=changed.horizon, epoch=step.epoch, filters=filters, made_s=made_s)
        sync_cursor = cursors.encode(ended, key_hash)
    return Page(
        columns=query.columns,
        read=changed.rows,
        deleted=changed.gone,
        since=step.updated_since,
        until=now_ms,
        is_first=query.cursor is None,
        next_cursor=next_cursor,
        sync_cursor=sync_cursor,
        account_id=filters.account,
    )
