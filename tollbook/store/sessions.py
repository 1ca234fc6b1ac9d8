"""Sessions: who signed in with a key, in a browser that keeps a token in its place.

A token is as random as a key and stored as its hash alone, for the same reasons (`tollbook.store.keys`). A session has
no rights: it names its key, which is found with it at each request, so that it ends with the key.
"""

import datetime as dt
import hashlib
import re
import secrets
from typing import Final

from tollbook.store.database import Connection, store_errors

#: Of one key. The next one ends the oldest: nobody is kept out by browsers that were left open.
MAX_SESSIONS: Final = 50

_TOKEN: Final = re.compile(r"ts_[A-Za-z0-9_-]{43}")
# One sign-in with a key at a time, so that the bound holds. Looking the key up does not wait for this lock.
_LOCK: Final = "SELECT FROM api_key WHERE key_id = %s FOR NO KEY UPDATE"
_START: Final = """
    INSERT INTO api_session (token_hash, key_id, expires_at)
    VALUES (%s, %s, clock_timestamp() + make_interval(secs => %s)) RETURNING expires_at
"""
# Those of other keys, too, when they have ended: nothing else removes them.
_SWEEP: Final = """
    DELETE FROM api_session WHERE expires_at <= now() OR token_hash IN (
        SELECT token_hash FROM api_session WHERE key_id = %s ORDER BY created_at DESC, expires_at DESC OFFSET %s
    )
"""


_VALID: Final = """
    WITH valid AS (
        SELECT key_id, key_hash FROM api_key LEFT JOIN account USING (account_id)
        WHERE revoked_at IS NULL AND disabled_at IS NULL AND coalesce(expires_at > now(), true)
    )
    SELECT token_hash, key_hash FROM api_session JOIN valid USING (key_id) WHERE expires_at > now()
    UNION ALL SELECT token_hash, token_hash FROM wallboard_link JOIN valid USING (key_id) WHERE expires_at > now()
"""


def token_hash(token: str) -> bytes | None:
    """Return the hash under which a session is stored; None when `token` does not have the form of one."""
    return hashlib.sha256(token.encode("ascii")).digest() if _TOKEN.fullmatch(token) else None


def start(connection: Connection, key_id: int, *, valid_s: float) -> tuple[str, dt.datetime]:
    """Start a session of a key; return its token, which is not stored, and when it ends."""
    token = f"ts_{secrets.token_urlsafe(32)}"
    with store_errors(), connection.transaction():
        connection.execute(_LOCK, (key_id,))
        connection.execute(_SWEEP, (key_id, MAX_SESSIONS - 1))
        row = connection.execute(_START, (token_hash(token), key_id, valid_s)).fetchone()
        assert row is not None  # an INSERT without ON CONFLICT returns its row or raises
    return token, row[0]


def valid_tokens(connection: Connection) -> dict[bytes, bytes]:
    """Return the hash of the key by that of the token, of all valid sessions; of a link to a wallboard its own.

    Raises StoreUnavailable.
    """
    with store_errors():
        return {bytes(token): bytes(key) for token, key in connection.execute(_VALID)}


def end(connection: Connection, hashed: bytes) -> bool:
    """End a session, effective from its next request; return whether there was one."""
    with store_errors():
        return connection.execute("DELETE FROM api_session WHERE token_hash = %s", (hashed,)).rowcount > 0


def end_all(connection: Connection, key_id: int) -> int:
    """End every session of a key; return how many there were."""
    with store_errors():
        return connection.execute("DELETE FROM api_session WHERE key_id = %s", (key_id,)).rowcount
