"""Links that show the wallboard of one queue of one account, until they expire or the key that made them ends."""

import datetime as dt
import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, LiteralString

from psycopg.rows import class_row

from tollbook.store.database import Connection, scalar, store_errors

#: Of all operators' keys together: each may be watched by some screens.
MAX_LINKS: Final = 200
_TOKEN: Final = re.compile(r"wb_[A-Za-z0-9_-]{43}")
_LINKS_LOCK: Final = "LOCK TABLE wallboard_link IN SHARE ROW EXCLUSIVE MODE"
_COLUMNS: LiteralString = (
    "link_id, wallboard_link.account_id, queue_id, wallboard_link.created_at, wallboard_link.expires_at"
)
_FROM: LiteralString = """
    FROM wallboard_link JOIN api_key USING (key_id) JOIN account ON account.account_id = wallboard_link.account_id
    WHERE wallboard_link.expires_at > now() AND revoked_at IS NULL AND disabled_at IS NULL
      AND coalesce(api_key.expires_at > now(), true)
"""
_OPEN: LiteralString = f"""
    WITH open_key AS (
        SELECT key_id, key_hash FROM api_key LEFT JOIN account USING (account_id)
        WHERE revoked_at IS NULL AND disabled_at IS NULL AND coalesce(expires_at > now(), true)
    )
    SELECT key_hash FROM open_key WHERE key_hash = ANY (%(keys)s)
    UNION ALL SELECT token_hash FROM api_session JOIN open_key USING (key_id)
        WHERE token_hash = ANY (%(sessions)s) AND expires_at > now()
    UNION ALL SELECT token_hash {_FROM} AND token_hash = ANY (%(keys)s)
"""  # noqa: S608 - literals alone


@dataclass(frozen=True, kw_only=True, slots=True)
class WallboardLink:
    """A link, without its token."""

    link_id: int
    account_id: str
    queue_id: str
    created_at: dt.datetime
    expires_at: dt.datetime


def link_hash(token: str) -> bytes | None:
    """Return the hash under which a link is stored; None when `token` does not have the form of one."""
    return hashlib.sha256(token.encode("ascii")).digest() if _TOKEN.fullmatch(token) else None


def create(
    connection: Connection, *, key_id: int, account_id: str, queue_id: str, valid_s: float
) -> tuple[WallboardLink, str] | None:
    """Make a link; return it with its token, which is not stored. None: there are MAX_LINKS; raises DataError."""
    token = f"wb_{secrets.token_urlsafe(32)}"
    with store_errors(), connection.transaction():
        connection.execute(_LINKS_LOCK)
        connection.execute("DELETE FROM wallboard_link WHERE expires_at <= now()")
        count = scalar(connection, "SELECT count(*) FROM wallboard_link")
        if isinstance(count, int) and count >= MAX_LINKS:
            return None
        made = (
            connection.cursor(row_factory=class_row(WallboardLink))
            .execute(
                "INSERT INTO wallboard_link (token_hash, key_id, account_id, queue_id, expires_at)"
                " SELECT %s, %s, account_id, %s, now() + make_interval(secs => %s) FROM account WHERE account_id = %s"
                " RETURNING link_id, account_id, queue_id, created_at, expires_at",
                (link_hash(token), key_id, queue_id, valid_s, account_id),
            )
            .fetchone()
        )
    if made is None:
        raise LookupError(account_id)
    return made, token


def find(connection: Connection, hashed: bytes) -> WallboardLink | None:
    """Return the link with this hash; None: there is none that still shows anything."""
    with store_errors():
        return (
            connection.cursor(row_factory=class_row(WallboardLink))
            .execute(f"SELECT {_COLUMNS} {_FROM} AND token_hash = %s", (hashed,))
            .fetchone()
        )


def every(connection: Connection) -> Sequence[WallboardLink]:
    """List the links that show something, oldest first."""
    with store_errors():
        return (
            connection.cursor(row_factory=class_row(WallboardLink))
            .execute(f"SELECT {_COLUMNS} {_FROM} ORDER BY link_id")
            .fetchall()
        )


def delete(connection: Connection, link_id: int) -> bool:
    """Delete a link; return whether there was one."""
    with store_errors():
        return connection.execute("DELETE FROM wallboard_link WHERE link_id = %s", (link_id,)).rowcount > 0


def still_open(connection: Connection, keys: Sequence[bytes], sessions: Sequence[bytes]) -> set[bytes]:
    """Return which hashes of `keys` (of keys or links) and of `sessions` still open something."""
    with store_errors():
        rows = connection.execute(_OPEN, {"keys": list(keys), "sessions": list(sessions)}).fetchall()
    return {bytes(hashed) for (hashed,) in rows}
