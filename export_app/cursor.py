"""The cursor of `/v1/calls`: where a page ended and with which filters, opaque to clients and checked on return."""

import binascii
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec

_MAC_BYTES = 16

# What is signed is the key's own hash: known to every worker, there after a restart, gone with the key; so a cursor
# serves the key it was made for and no other. A client could sign a cursor for its own key; all it would gain is
# another place to read on from, because the account never comes from a cursor.
# Pages in another order, or of another resource, are other walks: they get another purpose.
_PURPOSE = b"tollbook cursor 1: /v1/calls, newest first"


class Cursor(msgspec.Struct, frozen=True, kw_only=True, array_like=True, forbid_unknown_fields=True):
    """The filters of a walk, [since, until) in epoch ms, and the key of the last row that was handed out."""

    since: int
    until: int
    start_ts: int
    call_id: str


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
