"""What a query asks for: a selection of calls, or the changes since some moment. Pure: no database, no clock."""

from dataclasses import dataclass, fields
from typing import Final

from export_app.auth.identity import Identity
from export_app.calls import cursor as cursors
from export_app.calls.cursor import CallsCursor, ChangesCursor, Cursor, SyncCursor
from export_app.web.errors import Refusal
from export_app.web.parameters import CallsQuery
from tollbook.model.selection import Changes, Filters, Selection

_ANEW: Final = "leave it out to begin anew"
_FILTERS: Final = tuple(field.name for field in fields(Filters))


@dataclass(frozen=True, kw_only=True)
class Since:
    """The first page of changes: those of transactions that ended at `updated_since` (epoch ms) or later."""

    updated_since: int
    filters: Filters


@dataclass(frozen=True, kw_only=True)
class Walk:
    """A later page of changes, of a sync that began from `updated_since` (epoch ms)."""

    updated_since: int
    changes: Changes


def asked(query: CallsQuery, identity: Identity, now_ms: int) -> Selection | Since | Walk:
    """Say what a query asks for; raises Refusal for a cursor that is not ours, too old, or not of these filters."""
    account_id, every_account = identity.account_id, identity.is_operator
    if query.cursor is None:
        if query.updated_since is not None:
            return Since(updated_since=query.updated_since, filters=query.filters)
        return Selection(
            account_id=account_id,
            every_account=every_account,
            since=query.since,
            until=now_ms if query.until is None else query.until,
            order=query.order,
            filters=query.filters,
        )
    cursor = _cursor(query, identity.key_hash, now_ms)
    filters = cursors.filters_of(cursor.filters)
    match cursor:
        case CallsCursor():
            return Selection(
                account_id=account_id,
                every_account=every_account,
                since=cursor.since,
                until=cursor.until,
                order=cursor.order,
                after=(cursor.start_ts, cursor.call_id),
                filters=filters,
            )
        case ChangesCursor():
            after = (cursor.changed, cursor.start_ts, cursor.call_id)
            first, updated_since = cursor.changed, cursor.updated_since
        case SyncCursor():
            # Everything before its first transaction had ended when it was made.
            after, first, updated_since = None, cursor.first, cursor.made_s * 1000
    changes = Changes(account_id=account_id, every_account=every_account, first=first, after=after, filters=filters)
    return Walk(updated_since=updated_since, changes=changes)


def within_window(updated_since: int, window_start: int) -> None:
    """Refuse changes since a time of which PostgreSQL does not hold all calls any more; raises Refusal."""
    if updated_since < window_start:
        raise Refusal(
            400,
            "too_long_ago",
            f"changes are kept for calls that started at {window_start} or later: read what is older once with since"
            f" and until, then sync with updated_since={window_start} or later",
        )


def _cursor(query: CallsQuery, key_hash: bytes, now_ms: int) -> Cursor:
    assert query.cursor is not None
    cursor = cursors.decode(query.cursor, key_hash)
    if cursor is None:
        raise Refusal(
            400,
            "bad_cursor",
            f"this cursor was changed or belongs to another key: send it as it came, with the same key, or {_ANEW}",
        )
    # A sync cursor lasts as long as what it stands for: `within_window` sees to it.
    if not isinstance(cursor, SyncCursor) and now_ms // 1000 - cursor.made_s > cursors.MAX_AGE_S:
        raise Refusal(
            400, "expired_cursor", f"this cursor is more than {cursors.MAX_AGE_S // 86_400} days old: {_ANEW}"
        )
    held = _held(cursor)
    for name in ("since", "until", "order", "updated_since", *_FILTERS):
        if name in query.model_fields_set and getattr(query, name) != held.get(name):
            was = f"made with {name}={held[name]}" if held.get(name) is not None else f"made without {name}"
            raise Refusal(
                400, "cursor_mismatch", f"this cursor was {was}: send the same, or leave {name} out, or the cursor"
            )
    return cursor


def _held(cursor: Cursor) -> dict[str, object]:
    held: dict[str, object] = dict(zip(_FILTERS, cursor.filters, strict=True))
    match cursor:
        case CallsCursor():
            return held | {"since": cursor.since, "until": cursor.until, "order": cursor.order}
        case ChangesCursor():
            return held | {"updated_since": cursor.updated_since}
        case SyncCursor():
            return held
