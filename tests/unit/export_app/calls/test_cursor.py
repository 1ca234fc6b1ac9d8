"""A cursor comes back as it went out, or not at all."""

import hashlib
import hmac
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from export_app.calls.cursor import (
    _MAC_BYTES,
    _PURPOSE,
    CallsCursor,
    ChangesCursor,
    Cursor,
    SyncCursor,
    decode,
    encode,
)
from tollbook.model.filters import Filters
from tollbook.model.vocabulary import DIRECTIONS, DISPOSITIONS

KEY = hashlib.sha256(b"one").digest()
OTHER_KEY = hashlib.sha256(b"other").digest()

ms = st.integers(0, 2**63 - 1)
text = st.text(st.characters(exclude_categories=["Cs"]))
filters = st.builds(
    Filters,
    direction=st.none() | st.sampled_from(DIRECTIONS),
    disposition=st.none() | st.sampled_from(DISPOSITIONS),
    **dict.fromkeys(("number", "queue_id", "agent_id"), st.none() | text),
    min_billsec=st.none() | ms,
)
cursors = st.one_of(
    st.builds(
        CallsCursor,
        filters=filters,
        made_s=ms,
        since=ms,
        until=ms,
        order=st.sampled_from(["asc", "desc"]),
        start_ts=ms,
        call_id=text,
    ),
    st.builds(ChangesCursor, filters=filters, made_s=ms, updated_since=ms, changed=ms, start_ts=ms, call_id=text),
    st.builds(SyncCursor, filters=filters, made_s=ms, first=ms),
)
a_cursor = CallsCursor(
    filters=Filters(),
    made_s=1_767_225_600,
    since=1,
    until=2,
    order="desc",
    start_ts=1_767_225_600_000,
    call_id="8f4b3c52-6f0e-4f5e-9a54-6c9a5f0f6a4e",
)


@given(cursors)
def test_a_cursor_comes_back(cursor: Cursor) -> None:
    """Whatever the call's id holds."""
    assert decode(encode(cursor, KEY), KEY) == cursor


@given(cursors)
def test_a_cursor_serves_one_key(cursor: Cursor) -> None:
    """Another account's cursor is not taken, nor one of an account's other key."""
    assert decode(encode(cursor, KEY), OTHER_KEY) is None


@given(cursors, st.data())
def test_an_edited_cursor_is_refused(cursor: Cursor, data: st.DataObject) -> None:
    """One character changed, anywhere: the last one too, of which base64 reads only some bits."""
    text = encode(cursor, KEY)
    at = data.draw(st.integers(0, len(text) - 1))
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ \n"
    other = data.draw(st.sampled_from(alphabet).filter(lambda one: one != text[at]))
    assert decode(text[:at] + other + text[at + 1 :], KEY) is None


@given(st.text(max_size=100))
def test_anything_else_is_refused(text: str) -> None:
    """And raises nothing."""
    assert decode(text, KEY) is None


@pytest.mark.parametrize("change", ["cut", "padded", "doubled", "empty"])
def test_a_cursor_of_another_length_is_refused(change: str) -> None:
    """A cursor is one piece of text."""
    text = encode(a_cursor, KEY)
    changed = {"cut": text[:-4], "padded": text + "=", "doubled": text + text, "empty": ""}[change]
    assert decode(changed, KEY) is None


def test_a_cursor_can_stand_in_a_url() -> None:
    """Without being quoted."""
    text = encode(a_cursor, KEY)
    assert text.replace("-", "").replace("_", "").isalnum()


def test_a_cursor_that_a_client_signed_itself_is_refused_when_it_is_none() -> None:
    """A client knows its key, and so its key's hash."""
    payload = b"\xc1 not msgpack"
    mac = hmac.digest(hmac.digest(KEY, _PURPOSE, "sha256"), payload, "sha256")[:_MAC_BYTES]
    assert decode(urlsafe_b64encode(mac + payload).decode().rstrip("="), KEY) is None
