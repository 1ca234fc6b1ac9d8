"""The cursors of `/v1/calls`: where a page ended and which walk it belongs to. Opaque to clients, checked on return.

Cursors are signed with itsdangerous' Signer. Its URLSafeSerializer would also compress: two builds of zlib need not
write the same bytes, and what a client sent would be inflated.
"""

import hashlib
from typing import Annotated, Final, TypeAlias

import msgspec
from itsdangerous import BadData, Signer
from itsdangerous.encoding import base64_decode, base64_encode

from tollbook.model.call_key import CallKey
from tollbook.model.filters import Filters
from tollbook.model.selection import Order
from tollbook.times import LAST_MS, SECONDS_PER_DAY

# A walk that rested for so long must begin anew: by then it would skip more than it would repeat.
MAX_AGE_S: Final = 7 * SECONDS_PER_DAY

# A cursor of another resource, or of another form, gets another purpose.
_PURPOSE: Final = b"tollbook cursor 4: /v1/calls"

# How many of the filters, the first ones, cursors had before there were others.
_FILTERS_BEFORE: Final = (6, 14)

# A client knows its API key, and could sign any values: these can be given to PostgreSQL and to the archive. It could
# read on from another place, and nothing more, because the account never comes from a cursor.
_Ms: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=LAST_MS)]
_Seconds: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=LAST_MS // 1000)]
_Transaction: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Epoch: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]
_Text: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[^\x00]*\Z")]


class _Cursor(msgspec.Struct, frozen=True, kw_only=True, array_like=True, forbid_unknown_fields=True, tag=True):
    filters: Filters
    made_s: _Seconds  # epoch seconds


class _PageCursor(_Cursor, frozen=True, kw_only=True):
    start_ts: _Ms
    call_id: _Text
    switch: _Text

    @property
    def key(self) -> CallKey:
        """The key of the last row of the page."""
        return CallKey(self.start_ts, self.call_id, self.switch)


class CallsCursor(_PageCursor, frozen=True, kw_only=True, tag="c"):
    """The time range [since, until) in epoch ms and the order of a walk, and the key of the last row of the page."""

    since: _Ms
    until: _Ms
    order: Order


class ChangesCursor(_PageCursor, frozen=True, kw_only=True, tag="u"):
    """The time that a sync began from, epoch ms, and the position of the last row of the page.

    `epoch`: the history in which the position has a meaning (`tollbook.store.history`).
    """

    epoch: _Epoch
    updated_since: _Ms
    changed: _Transaction


class SyncCursor(_Cursor, frozen=True, kw_only=True, tag="s"):
    """The end of a sync, where the next begins: the rows of all transactions before `first` were in its pages.

    `epoch` as of a ChangesCursor.
    """

    epoch: _Epoch
    first: _Transaction


Cursor: TypeAlias = CallsCursor | ChangesCursor | SyncCursor

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Cursor)


def encode(cursor: Cursor, key_hash: bytes) -> str:
    """Sign a cursor for the API key that hashes to `key_hash`."""
    return _signer(key_hash).sign(base64_encode(_encoder.encode(cursor))).decode()


def decode(text: str, key_hash: bytes) -> Cursor | None:
    """Return the cursor; None when it was edited, cut, made for another key, or holds what no cursor of ours holds."""
    try:
        cursor = _decoder.decode(base64_decode(_signer(key_hash).unsign(text)))
    except (BadData, msgspec.MsgspecError, UnicodeError):
        return None
    # Base64 can write the bytes of a signature in several ways: only ours is accepted.
    as_before = (_encode_as_before(cursor, key_hash, count) for count in _FILTERS_BEFORE)
    return cursor if text in (encode(cursor, key_hash), *as_before) else None


def _encode_as_before(cursor: Cursor, key_hash: bytes, count: int) -> str:
    """Sign a cursor in a form from when there were fewer filters: a nightly sync goes on after an upgrade."""
    tag, filters, *others = msgspec.to_builtins(cursor)
    payload = _encoder.encode([tag, filters[:count], *others])
    return _signer(key_hash).sign(base64_encode(payload)).decode()


def _signer(key_hash: bytes) -> Signer:
    # Every worker knows the key's hash, it outlasts a restart, and it goes with the key. So a cursor serves the key
    # that it was made for, and no other.
    return Signer(key_hash, salt=_PURPOSE, key_derivation="hmac", digest_method=hashlib.sha256)
