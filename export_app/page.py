"""A page of calls: the one way in which calls are read, for the caller's account and no other."""

from collections.abc import Sequence
from dataclasses import dataclass

from export_app import cursor as cursors
from export_app.cursor import Cursor
from export_app.database import Database
from export_app.identity import CDR, Identity
from export_app.parameters import CallsQuery
from export_app.refusal import Refusal
from tollbook.lake.reader import Archive
from tollbook.model import tiers
from tollbook.model.row import COLUMNS
from tollbook.model.selection import Selection
from tollbook.store import calls
from tollbook.store.database import Connection
from tollbook.store.window import hot

_START_TS = COLUMNS.index("start_ts")
_CALL_ID = COLUMNS.index("call_id")


@dataclass(frozen=True, kw_only=True)
class Window:
    """What a page is taken from: [since, until) in epoch ms, newest first, below `before` (start_ts, call_id)."""

    since: int
    until: int
    before: tuple[int, str] | None
    limit: int


@dataclass(frozen=True, kw_only=True)
class Page:
    """Rows in the columns' public order, and the cursor of the next page if there is one."""

    rows: Sequence[calls.Record]
    until: int
    next_cursor: str | None


def window(query: CallsQuery, key_hash: bytes, now_ms: int) -> Window:
    """Say what a query asks for; raises Refusal for a cursor that is not ours or not of these filters."""
    if query.cursor is None:
        until = now_ms if query.until is None else query.until
        return Window(since=query.since, until=until, before=None, limit=query.limit)
    cursor = cursors.decode(query.cursor, key_hash)
    if cursor is None:
        raise Refusal(
            400,
            "bad_cursor",
            "this cursor was changed or belongs to another key: send next_cursor as it came, with the same key,"
            " or leave it out to begin anew",
        )
    for name in ("since", "until"):
        if name in query.model_fields_set and getattr(query, name) != getattr(cursor, name):
            raise Refusal(
                400,
                "cursor_mismatch",
                f"this cursor was made with {name}={getattr(cursor, name)}: send the same, or leave {name} out",
            )
    return Window(since=cursor.since, until=cursor.until, before=(cursor.start_ts, cursor.call_id), limit=query.limit)


def read(database: Database, archive: Archive, identity: Identity, query: CallsQuery, now_ms: int) -> Page:
    """Read a page whole and give its connection back; raises Refusal, StoreUnavailable and ArchiveError.

    Every read of calls comes through here: the account is the key's, whatever the query says.
    """
    identity.require(CDR)
    wanted = window(query, identity.key_hash, now_ms)
    selection = Selection(
        account_id=identity.account_id,
        every_account=identity.account_id is None,
        since=wanted.since,
        until=wanted.until,
        after=wanted.before,
    )
    limit = wanted.limit + 1  # one more tells whether there is a next page

    def newest(connection: Connection) -> Sequence[tiers.Record]:
        return calls.page(
            connection,
            account_id=selection.account_id,
            since=selection.since,
            until=selection.until,
            before=selection.after,
            limit=limit,
        )

    with database.connection() as connection:
        kept = hot(connection, selection, newest)
    return page(tiers.page(selection, limit, kept, archive.page), wanted, identity.key_hash)


def page(rows: Sequence[calls.Record], wanted: Window, key_hash: bytes) -> Page:
    """Make a page of what was read for it: up to one row more than its limit."""
    kept = rows[: wanted.limit]
    next_cursor = None
    if len(rows) > wanted.limit:
        start_ts, call_id = kept[-1][_START_TS], kept[-1][_CALL_ID]
        assert isinstance(start_ts, int)
        assert isinstance(call_id, str)
        next_cursor = cursors.encode(
            Cursor(since=wanted.since, until=wanted.until, start_ts=start_ts, call_id=call_id), key_hash
        )
    return Page(rows=kept, until=wanted.until, next_cursor=next_cursor)
