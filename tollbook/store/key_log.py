"""The log of keys: who made, rotated and revoked each, and on which days it was used."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from psycopg.rows import class_row

from tollbook.store.database import Connection, scalar, store_errors

#: `used` is noted once a day (UTC) and key, at the first use: the log grows by the keys there are, not by requests.
KeyEvent: TypeAlias = Literal["created", "used", "rotated", "revoked"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggedEvent:
    """What happened to a key. `by_whom` None: a client used it, or it is not known."""

    key_id: int
    hint: str
    account_id: str | None
    event: KeyEvent
    happened_at: dt.datetime
    by_whom: str | None
    note: str


def note_key_event(
    connection: Connection, key_id: int, event: KeyEvent, *, by_whom: str | None, note: str = ""
) -> None:
    """Note what happened to a key, in the caller's transaction."""
    connection.execute(
        "INSERT INTO key_event (key_id, event, by_whom, note) VALUES (%s, %s, %s, %s)", (key_id, event, by_whom, note)
    )


def rotation_of(connection: Connection, key_id: int) -> str | None:
    """Return the note of a key's rotation, which says what replaced it; None: it was not rotated."""
    found = scalar(connection, "SELECT max(note) FROM key_event WHERE key_id = %s AND event = 'rotated'", key_id)
    return None if found is None else str(found)


def read_log(connection: Connection, key_id: int | None, *, days: int, limit: int) -> Sequence[LoggedEvent]:
    """Read the newest `limit` events of the last days, of one key or of all, newest first; raises StoreUnavailable."""
    with store_errors():
        return (
            connection.cursor(row_factory=class_row(LoggedEvent))
            .execute(
                "SELECT key_id, hint, account_id, event, happened_at, by_whom, note"
                " FROM key_event JOIN api_key USING (key_id)"
                " WHERE (%(key)s::bigint IS NULL OR key_id = %(key)s)"
                " AND happened_at >= now() - make_interval(days => %(days)s)"
                " ORDER BY happened_at DESC, event_id DESC LIMIT %(limit)s",
                {"key": key_id, "days": days, "limit": limit},
            )
            .fetchall()
        )
