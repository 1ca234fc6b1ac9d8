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
from typing import Literal, LiteralString, TypeAlias

from tollbook.errors import UsageError
from tollbook.store.database import Connection, scalar, store_errors
from tollbook.store.key_log import note_key_event, rotation_of

_RANDOM_BYTES = 32
_HINT_LENGTH = 8  # `sk_` and 30 bits: enough to tell keys apart, no help in guessing one
_SECRET = re.compile(r"sk_[A-Za-z0-9_-]{43}")

# The columns of a key, from `api_key LEFT JOIN account USING (account_id)`, in the order of `_key`.
_COLUMNS: LiteralString = """
    key_id, hint, account_id, scopes, networks, api_key.created_at, last_used_at, revoked_at, expires_at,
    CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN disabled_at IS NOT NULL THEN 'account_disabled'
         WHEN expires_at <= now() THEN 'expired' ELSE 'valid' END
"""
_INSERT: LiteralString = f"""
    WITH api_key AS (
        INSERT INTO api_key (key_hash, hint, account_id, scopes, networks, expires_at)
        VALUES (%s, %s, %s, %s, %s::cidr[], now() + make_interval(secs => %s)) RETURNING *
    )
    SELECT {_COLUMNS} FROM api_key LEFT JOIN account USING (account_id)
"""  # noqa: S608 - literals alone
_FIND: LiteralString = f"""
    SELECT {_COLUMNS}, coalesce(last_used_at < now() - interval '1 minute', true)
    FROM api_key LEFT JOIN account USING (account_id) WHERE key_hash = %s AND revoked_at IS NULL
"""  # noqa: S608 - literals alone
_FIND_BY_SESSION: LiteralString = f"""
    SELECT {_COLUMNS}, coalesce(last_used_at < now() - interval '1 minute', true), key_hash
    FROM api_key LEFT JOIN account USING (account_id)
    WHERE key_id = (SELECT key_id FROM api_session WHERE token_hash = %s AND expires_at > now()) AND revoked_at IS NULL
"""  # noqa: S608 - literals alone
_VALID = """
    SELECT key_hash FROM api_key LEFT JOIN account USING (account_id)
    WHERE revoked_at IS NULL AND disabled_at IS NULL AND (expires_at IS NULL OR expires_at > now())
"""
# At most once a minute: otherwise a busy key writes a row version for each request. The condition is repeated here,
# under the row's lock, so that only one of many concurrent requests writes. None waits for that lock, whoever holds it:
# a few that wait would hold all connections for keys. The first use of a day (UTC) is noted in the log, too.
_NOTE_USE = """
    WITH before AS (
        SELECT key_id, last_used_at FROM api_key WHERE key_id = %s FOR NO KEY UPDATE SKIP LOCKED
    ), noted AS (
        UPDATE api_key SET last_used_at = now() FROM before
        WHERE api_key.key_id = before.key_id AND coalesce(before.last_used_at < now() - interval '1 minute', true)
        RETURNING api_key.key_id, before.last_used_at
    )
    INSERT INTO key_event (key_id, event) SELECT key_id, 'used' FROM noted
    WHERE last_used_at IS NULL
       OR (last_used_at AT TIME ZONE 'UTC')::date < (now() AT TIME ZONE 'UTC')::date
    ON CONFLICT DO NOTHING
"""
_EVERY: LiteralString = f"""
    SELECT {_COLUMNS} FROM api_key LEFT JOIN account USING (account_id) ORDER BY key_id
"""  # noqa: S608 - literals alone
_LOCK: LiteralString = f"""
    SELECT {_COLUMNS} FROM api_key LEFT JOIN account USING (account_id) WHERE key_id = %s FOR UPDATE OF api_key
"""  # noqa: S608 - literals alone
_REVOKE = "UPDATE api_key SET revoked_at = now() WHERE key_id = %s AND revoked_at IS NULL"
_EXPIRE = """
    UPDATE api_key SET expires_at = least(expires_at, now() + make_interval(secs => %s)) WHERE key_id = %s
"""

#: Whether a key opens anything. What it lacks is told to whoever has the key alone.
KeyState: TypeAlias = Literal["valid", "expired", "account_disabled", "revoked"]
Network: TypeAlias = IPv4Network | IPv6Network


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiKey:
    """A stored key. `account_id` None: every account. `hint`: the first characters of the key.

    `networks`: where it may be used from; None: anywhere. `use_unnoted`: no use was noted in the last minute.
    """

    key_id: int
    hint: str
    account_id: str | None
    scopes: tuple[str, ...]
    networks: tuple[Network, ...] | None
    created_at: dt.datetime
    last_used_at: dt.datetime | None
    revoked_at: dt.datetime | None
    expires_at: dt.datetime | None = None
    state: KeyState = "valid"
    use_unnoted: bool = False


def key_hash(secret: str) -> bytes | None:
    """Return the hash under which a key is stored; None when `secret` does not have the form of a key."""
    return hashlib.sha256(secret.encode("ascii")).digest() if _SECRET.fullmatch(secret) else None


def create(
    connection: Connection,
    *,
    account_id: str | None,
    scopes: Sequence[str],
    networks: Sequence[Network] | None = None,
    valid_s: float | None = None,
    by_whom: str | None = None,
) -> tuple[ApiKey, str]:
    """Create a key; return it with its secret, which is not stored. Raises UsageError for an unknown account.

    `valid_s`: after how many seconds it expires; None: never. `by_whom`: for the log.
    """
    with store_errors(), connection.transaction():
        if account_id is not None and not scalar(
            connection, "SELECT EXISTS (SELECT FROM account WHERE account_id = %s)", account_id
        ):
            raise UsageError(f"there is no account {account_id!r}: add it first, tollbook account add {account_id}")
        made, secret = _insert(connection, account_id, scopes, networks, valid_s)
        note_key_event(connection, made.key_id, "created", by_whom=by_whom, note=f"scopes {','.join(made.scopes)}")
    return made, secret


def find(connection: Connection, hashed: bytes) -> ApiKey | None:
    """Return the key with this hash; None when it is unknown or revoked. Who lets it open something notes its use."""
    with store_errors():
        row = connection.execute(_FIND, (hashed,)).fetchone()
    return None if row is None else _key(*row)


def find_by_session(connection: Connection, token_hash: bytes) -> tuple[ApiKey, bytes] | None:
    """Return the key of a session (`tollbook.store.sessions`) and its hash, as `find`; None: one of both has ended."""
    with store_errors():
        row = connection.execute(_FIND_BY_SESSION, (token_hash,)).fetchone()
    if row is None:
        return None
    *found, key_hash = row
    return _key(*found), bytes(key_hash)


def note_use(connection: Connection, key: ApiKey) -> None:
    """Record that a key has opened something, unless that was recorded lately; raises StoreUnavailable."""
    if key.use_unnoted:
        with store_errors():
            connection.execute(_NOTE_USE, (key.key_id,))


def valid_hashes(connection: Connection) -> set[bytes]:
    """Return the hashes of all keys that are valid."""
    with store_errors():
        return {bytes(key_hash) for (key_hash,) in connection.execute(_VALID)}


def every(connection: Connection) -> list[ApiKey]:
    """List all keys, including revoked ones, oldest first."""
    with store_errors():
        return [_key(*row) for row in connection.execute(_EVERY)]


def revoke(connection: Connection, key_id: int, *, by_whom: str | None = None) -> ApiKey:
    """Revoke a key, effective from its next request; a key already revoked keeps its time.

    Raises UsageError for an unknown key.
    """
    with store_errors(), connection.transaction():
        if connection.execute(_REVOKE, (key_id,)).rowcount:
            note_key_event(connection, key_id, "revoked", by_whom=by_whom)
        return _locked(connection, key_id)


def rotate(
    connection: Connection, key_id: int, *, overlap_s: float, valid_s: float | None = None, by_whom: str | None = None
) -> tuple[ApiKey, ApiKey, str]:
    """Make a key that replaces another one; return that one, the new one and its secret.

    Both open the same. The old one expires after `overlap_s` seconds, or when it would have before that. The new one is
    valid for `valid_s` seconds; None: for as long as the old one was made for. Raises UsageError for a key that is not
    valid, and for one that was rotated before.
    """
    with store_errors(), connection.transaction():
        old = _locked(connection, key_id)
        if old.state != "valid":
            raise UsageError(f"key {key_id} is not valid ({old.state}): make one with `tollbook key create`")
        if (note := rotation_of(connection, key_id)) is not None:
            raise UsageError(f"key {key_id} was rotated before ({note}): rotate the key that replaced it")
        if valid_s is None and old.expires_at is not None:
            valid_s = (old.expires_at - old.created_at).total_seconds()
        new, secret = _insert(connection, old.account_id, old.scopes, old.networks, valid_s)
        connection.execute(_EXPIRE, (overlap_s, key_id))
        note_key_event(connection, key_id, "rotated", by_whom=by_whom, note=f"key {new.key_id} replaces it")
        note_key_event(connection, new.key_id, "created", by_whom=by_whom, note=f"replaces key {key_id}")
        return _locked(connection, key_id), new, secret


def _insert(
    connection: Connection,
    account_id: str | None,
    scopes: Sequence[str],
    networks: Sequence[Network] | None,
    valid_s: float | None,
) -> tuple[ApiKey, str]:
    secret = f"sk_{secrets.token_urlsafe(_RANDOM_BYTES)}"
    values = (
        key_hash(secret),
        secret[:_HINT_LENGTH],
        account_id,
        list(scopes),
        networks and [str(network) for network in networks],
        valid_s,
    )
    row = connection.execute(_INSERT, values).fetchone()
    assert row is not None  # an INSERT without ON CONFLICT returns its row or raises
    return _key(*row), secret


def _locked(connection: Connection, key_id: int) -> ApiKey:
    row = connection.execute(_LOCK, (key_id,)).fetchone()
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
    expires_at: dt.datetime | None,
    state: KeyState,
    use_unnoted: bool = False,
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
        expires_at=expires_at,
        state=state,
        use_unnoted=use_unnoted,
    )
