"""A cursor comes back as it went out, or not at all."""

import hashlib
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous.encoding import base64_decode, base64_encode

from export_app.calls.cursor import (
    CallsCursor,
    ChangesCursor,
    Cursor,
    SyncCursor,
    _signer,
    decode,
    encode,
)
from tollbook.model.filters import MAX_BILLSEC, NO_FILTERS, VARIABLE_FILTER, Filters
from tollbook.model.vocabulary import DIRECTIONS, DISPOSITIONS, HUNG_UP_BY
from tollbook.times import LAST_MS

KEY = hashlib.sha256(b"one").digest()
OTHER_KEY = hashlib.sha256(b"other").digest()

ms = st.integers(0, LAST_MS)
seconds = st.integers(0, LAST_MS // 1000)
transactions = st.integers(0, 2**63 - 1)
epochs = st.from_regex(r"\A[0-9a-f]{32}\Z")
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
filters = st.builds(
    Filters,
    direction=st.none() | st.sampled_from(DIRECTIONS),
    disposition=st.none() | st.sampled_from(DISPOSITIONS),
    **dict.fromkeys(("number", "queue_id", "agent_id"), st.none() | text.filter(bool)),
    min_billsec=st.none() | st.integers(0, MAX_BILLSEC),
    hung_up_by=st.none() | st.sampled_from(HUNG_UP_BY),
    **dict.fromkeys(("codec", "sip_call_id", "gateway", "destination"), st.none() | text.filter(bool)),
    sip_status=st.none() | st.integers(100, 699),
    voicemail=st.none() | st.booleans(),
    **dict.fromkeys(("hangup_cause", "from_num", "to_num", "account"), st.none() | text.filter(bool)),
    open=st.none() | st.booleans(),
    var=st.none() | st.from_regex(VARIABLE_FILTER + r"\Z").filter(lambda value: value.isprintable()),
)
cursors = st.one_of(
    st.builds(
        CallsCursor,
        filters=filters,
        made_s=seconds,
        since=ms,
        until=ms,
        order=st.sampled_from(["asc", "desc"]),
        start_ts=ms,
        call_id=text,
        switch=text,
    ),
    st.builds(
        ChangesCursor,
        epoch=epochs,
        filters=filters,
        made_s=seconds,
        updated_since=ms,
        changed=transactions,
        start_ts=ms,
        call_id=text,
        switch=text,
    ),
    st.builds(SyncCursor, epoch=epochs, filters=filters, made_s=seconds, first=transactions),
)
a_cursor = CallsCursor(
    filters=NO_FILTERS,
    made_s=1_767_225_600,
    since=1,
    until=2,
    order="desc",
    start_ts=1_767_225_600_000,
    call_id="8f4b3c52-6f0e-4f5e-9a54-6c9a5f0f6a4e",
    switch="fs1",
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
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n"
    other = data.draw(st.sampled_from(alphabet).filter(lambda letter: letter != text[at]))
    assert decode(text[:at] + other + text[at + 1 :], KEY) is None


def test_a_cursor_that_is_spelled_otherwise_is_refused() -> None:
    """Base64 reads four bits of the last letter of a signature: three other letters give the same signature."""
    text = encode(a_cursor, KEY)
    signature = base64_decode(text.rpartition(".")[2])
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spellings = [
        text[:-1] + letter
        for letter in letters
        if base64_decode((text[:-1] + letter).rpartition(".")[2]) == signature
    ]  # fmt: skip
    assert len(spellings) == 4
    assert [spelling for spelling in spellings if decode(spelling, KEY)] == [text]


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
    assert re.fullmatch("[A-Za-z0-9_.-]+", text)


def signed(payload: bytes) -> str:
    """What a client can make that knows its key, and so its key's hash."""
    return _signer(KEY).sign(base64_encode(payload)).decode()


def test_a_cursor_that_a_client_signed_itself_is_refused_when_it_is_none() -> None:
    """One that is right in every way but who signed it is a cursor."""
    assert decode(signed(b"\xc1 not msgpack"), KEY) is None
    assert decode(signed(msgspec.msgpack.encode(a_cursor)), KEY) == a_cursor
    assert decode(signed(msgspec.msgpack.encode(a_cursor) + b"\x00"), KEY) is None


CHANGING = ChangesCursor(
    epoch="0" * 32, filters=NO_FILTERS, made_s=1, updated_since=1, changed=1, start_ts=1, call_id="c", switch="fs1"
)


@pytest.mark.parametrize(
    ("cursor", "wrong"),
    [
        *[
            (a_cursor, {name: value})
            for name in ("since", "until", "start_ts")
            for value in (-1, LAST_MS + 1, 1.5, "1")
        ],
        *[(a_cursor, {"made_s": value}) for value in (-1, 2**63, 2**64 - 1, None)],
        *[(a_cursor, {name: value}) for name in ("call_id", "switch") for value in ("a\0b", "\0", "\n\0", 7, None)],
        (a_cursor, {"order": "sideways"}),
        *[(CHANGING, {name: value}) for name in ("changed", "updated_since", "start_ts") for value in (-1, 2**63)],
        (SyncCursor(filters=NO_FILTERS, made_s=1, first=1, epoch="0" * 32), {"first": 2**63}),
        (SyncCursor(filters=NO_FILTERS, made_s=1, first=1, epoch="0" * 32), {"epoch": "0" * 31 + "g"}),
        *[(CHANGING, {"filters": Filters(number=value)}) for value in ("", "\0", 5)],
        *[(CHANGING, {"filters": Filters(min_billsec=value)}) for value in (-1, 2**31)],
        (CHANGING, {"filters": Filters(direction="sideways")}),
        (CHANGING, {"filters": []}),
        (CHANGING, {"filters": [None] * 7}),
        (CHANGING, {"filters": [None] * (len(Filters.__struct_fields__) + 1)}),
        *[(CHANGING, {"filters": Filters(sip_status=value)}) for value in (99, 700, "486")],
        *[
            (CHANGING, {"filters": Filters(var=value)})
            for value in ("a", "a:", "a b:c", "a:b\0", "a:" + "b" * 257, ":b")
        ],
        (CHANGING, {"filters": Filters(voicemail=1)}),
    ],
)
def test_a_cursor_with_values_that_none_of_ours_holds_is_refused(cursor: Cursor, wrong: dict[str, Any]) -> None:
    """PostgreSQL, the archive or the next cursor would choke on them, or find what no client can ask for."""
    odd = msgspec.structs.replace(cursor, **wrong)  # msgspec checks types when it decodes, not here
    assert decode(signed(msgspec.msgpack.encode(odd)), KEY) is None


def test_a_cursor_from_before_there_were_filters_by_details_still_serves() -> None:
    """Such a nightly sync goes on after the upgrade: its last cursor has the six filters that there were."""
    sync = SyncCursor(filters=Filters(queue_id="sales"), made_s=1, first=2, epoch="0" * 32)
    tag, filters, *others = msgspec.to_builtins(sync)
    assert len(filters) > 6
    assert decode(signed(msgspec.msgpack.encode([tag, filters[:6], *others])), KEY) == sync
    assert decode(signed(msgspec.msgpack.encode([tag, filters[:5], *others])), KEY) is None
