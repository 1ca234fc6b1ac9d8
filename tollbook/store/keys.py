"""API keys: stored as hashes, found by hash, revoked at once.

A key is `sk_` and 32 random bytes in URL-safe base64. Nobody can guess 256 random bits, so plain SHA-256 is enough:
slow and salted hashes protect passwords, which can be guessed. The comparison is safe for the same reason: the hash is
looked up in an index, and the time that takes reveals nothing to an attacker who cannot choose what a key hashes to.
"""

import datetime as dt
import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import TypeAlias

from tollbook.errors import UsageError
from tollbook.store.database import Connection, scalar, store_errors

_RANDOM_BYTES = 32
_HINT_LENGTH = 8  # `sk_` and 30 bits: enough to tell keys apart, no help in guessing one
_SECRET = re.compile(r"sk_[A-Za-z0-9_-]{43}")

_INSERT = """
    INSERT INTO api_key (key_hash, hint, account_id, scopes, networks) VALUES (%s, %s, %s, %s, %s::cidr[])
    RETURNING key_id, hint, account_id, scopes, networks, created_at, last_used_at, revoked_at
"""
_FIND = """
    SELECT key_id, hint, account_id, scopes, networks, created_at, last_used_at, revoked_at,
           coalesce(last_used_at < now() - interval '1 minute', true)
    FROM api_key WHERE key_hash = %s AND revoked_at IS NULL AND NOT EXISTS (
        SELECT FROM account WHERE account.account_id = api_key.account_id AND disabled_at IS NOT NULL
    )
"""
_VALID = """
    SELECT key_hash FROM api_key WHERE revoked_at IS NULL AND NOT EXISTS (
        SELECT FROM account WHERE account.account_id = api_key.account_id AND disabled_at IS NOT NULL
    )
"""
# At most once a minute: otherwise a busy key writes a row version for each request. The condition is repeated here,
# under the row's lock, so that only one of many concurrent requests writes. None waits for that lock, whoever holds it:
# a few that wait would hold all connections for keys.
_NOTE_USE = """
    UPDATE api_key SET last_used_at = now()
    WHERE key_id = (SELECT key_id FROM api_key WHERE key_id = %s FOR NO KEY UPDATE SKIP LOCKED)
      AND coalesce(last_used_at < now() - interval '1 minute', true)
"""
_EVERY = """
    SELECT key_id, hint, account_id, scopes, networks, created_at, last_used_at, revoked_at FROM api_key ORDER BY key_id
"""
_REVOKE = """
    UPDATE api_key SET revoked_at = coalesce(revoked_at, now()) WHERE key_id = %s
    RETURNING key_id, hint, account_id, scopes, networks, created_at, last_used_at, revoked_at
"""


Network: TypeAlias = IPv4Network | IPv6Network


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiKey:
    """A stored key. `account_id` None: every account. `hint`: the first characters of the key.

    `networks`: where it may be used from; None: anywhere.
    """

    key_id: int
    hint: str
    account_id: str | None
    scopes: tuple[str, ...]
    networks: tuple[Network, ...] | None
    created_at: dt.datetime
    last_used_at: dt.datetime | None
    revoked_at: dt.datetime | None


def key_hash(secret: str) -> bytes | None:
    """Return the hash under which a key is stored; None when `secret` does not have the form of a key."""
    return hashlib.sha256(secret.encode("ascii")).digest() if _SECRET.fullmatch(secret) else None


def create(
    connection: Connection, *, account_id: str | None, scopes: Sequence[str], networks: Sequence[Network] | None = None
) -> tuple[ApiKey, str]:
    """Create a key; return it with its secret, which is not stored. Raises UsageError for an unknown account."""
    secret = f"sk_{secrets.token_urlsafe(_RANDOM_BYTES)}"
    with store_errors(), connection.transaction():
        if account_id is not None and not scalar(
            connection, "SELECT EXISTS (SELECT FROM account WHERE account_id = %s)", account_id
        ):
            raise UsageError(f"there is no account {account_id!r}: add it first, tollbook account add {account_id}")
        values = (
            key_hash(secret),
            secret[:_HINT_LENGTH],
            account_id,
            list(scopes),
            networks and [str(network) for network in networks],
        )
        row = connection.execute(_INSERT, values).fetchone()
    assert row is not None  # an INSERT without ON CONFLICT returns its row or raises
    return _key(*row), secret


def find(connection: Connection, hashed: bytes) -> ApiKey | None:
    """Return the key with this hash and record its use; None when it is unknown or revoked, or its account disabled."""
    with store_errors():
        row = connection.execute(_FIND, (hashed,)).fetchone()
        if row is None:
            return None
        *columns, unnoted = row
        key = _key(*columns)
        if unnoted:
            connection.execute(_NOTE_USE, (key.key_id,))
    return key


def valid_hashes(connection: Connection) -> set[bytes]:
    """Return the hashes of all keys that `find` would find."""
    with store_errors():
        return {bytes(key_hash) for (key_hash,) in connection.execute(_VALID)}


def every(connection: Connection) -> list[ApiKey]:
    """List all keys, including revoked ones, oldest first."""
    with store_errors():
        return [_key(*row) for row in connection.execute(_EVERY)]


def revoke(connection: Connection, key_id: int) -> ApiKey:
    """Revoke a key, effective from its next request; a key already revoked keeps its time.

    Raises UsageError for an unknown key.
    """
    with store_errors(), connection.transaction():
        row = connection.execute(_REVOKE, (key_id,)).fetchone()
    if row is None:
        raise UsageError(f"there is no key {key_id}: `tollbook key list` shows the numbers")
    return _key(*row)


def _key(
    key_id: int,
    hint: str,
    account_id: str | None,
    scopes: list[str],
    networks: list[Network] | None,
    created_at: dt.datetime,
    last_used_at: dt.datetime | None,
    revoked_at: dt.datetime | None,
) -> ApiKey:
    return ApiKey(
        key_id=key_id,
        hint=hint,
        account_id=account_id,
        scopes=tuple(scopes),
        networks=None if networks is None else tuple(networks),
        created_at=created_at,
        last_used_at=last_used_at,
        revoked_at=revoked_at,
    )
