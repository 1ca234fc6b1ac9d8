"""The cursors of `/v1/calls`: where a page ended and of what walk, opaque to clients and checked on return."""

import binascii
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final, TypeAlias

import msgspec

from tollbook.model.filters import Filters
from tollbook.model.selection import Order

# A walk that rested so long is begun anew: what it would skip by then is more than it would repeat.
MAX_AGE_S: Final = 7 * 86_400
_MAC_BYTES: Final = 16

# What is signed is the key's own hash: known to every worker, there after a restart, gone with the key; so a cursor
# serves the key it was made for and no other. A client could sign a cursor for its own key; all it would gain is
# another place to read on from, because the account never comes from a cursor.
# A cursor of another resource, or of another form, gets another purpose.
_PURPOSE: Final = b"tollbook cursor 2: /v1/calls"


class _Cursor(msgspec.Struct, frozen=True, kw_only=True, array_like=True, forbid_unknown_fields=True, tag=True):
    filters: Filters
    made_s: int  # epoch seconds


class CallsCursor(_Cursor, frozen=True, kw_only=True, tag="c"):
    """The window [since, until) in epoch ms and the order of a walk, and the key of the last row handed out."""

    since: int
    until: int
    order: Order
    start_ts: int
    call_id: str


class ChangesCursor(_Cursor, frozen=True, kw_only=True, tag="u"):
    """The time that a walk over changes began from, and the key of the last row handed out."""

    updated_since: int
    changed: int
    start_ts: int
    call_id: str


class SyncCursor(_Cursor, frozen=True, kw_only=True, tag="s"):
    """The end of a sync: the next one begins with transaction `first`. All before has ended, and was handed out."""

    first: int


Cursor: TypeAlias = CallsCursor | ChangesCursor | SyncCursor

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Cursor)


def encode(cursor: Cursor, key_hash: bytes) -> str:
    """Sign a cursor for the API key that hashes to `key_hash`."""
    payload = _encoder.encode(cursor)
    return urlsafe_b64encode(_mac(payload, key_hash) + payload).decode().rstrip("=")


def decode(text: str, key_hash: bytes) -> Cursor | None:
    """Give the cursor; None when it was edited, cut, or made for another key."""
    try:
        signed = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (UnicodeEncodeError, binascii.Error):
        return None
    mac, payload = signed[:_MAC_BYTES], signed[_MAC_BYTES:]
    # Base64 can write the same bytes in several ways: only ours is taken.
    if urlsafe_b64encode(signed).decode().rstrip("=") != text:
        return None
    if not hmac.compare_digest(mac, _mac(payload, key_hash)):
        return None
    try:
        return _decoder.decode(payload)
    except msgspec.MsgspecError:
        return None  # signed by a client that knows its own key's hash


def _mac(payload: bytes, key_hash: bytes) -> bytes:
    return hmac.digest(hmac.digest(key_hash, _PURPOSE, "sha256"), payload, "sha256")[:_MAC_BYTES]
