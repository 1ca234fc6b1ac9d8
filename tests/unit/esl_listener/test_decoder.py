"""Decoding: both formats give the same event, no bytes crash it, a caller's text stays inside its value."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from esl_listener.decoder import Decoder
from tests.paths import ESL
from tests.unit.esl_listener.decoded import DECODER, both, fields, plain
from tollbook.errors import FrameRefused
from tollbook.esl.framing import EVENT_JSON, EVENT_PLAIN, Frame, Framer
from tollbook.model.event import SwitchEvent, cut_text, header_names
from tollbook.model.event_kinds import FIELDS_READ
from tollbook.model.leg import leg_of

BOTH = sorted(path.parent for path in ESL.glob("calls/*/json.esl"))
# Their callers typed "%25" and "%0A", which plain events pass on as they are: see tests/unit/tollbook/simulator.
LOSSY_IN_PLAIN = {"cid_9907", "cid_sip_percent_newline_injection"}


def frames(path: Path) -> list[Frame]:
    return list(Framer().feed(path.read_bytes()))


def test_the_recordings_hold_both_formats() -> None:
    assert len(BOTH) > 60


@pytest.mark.parametrize("folder", BOTH, ids=lambda folder: folder.name)
def test_plain_and_json_of_a_recording_decode_equally(folder: Path) -> None:
    pairs = list(zip(frames(folder / "plain.esl"), frames(folder / "json.esl"), strict=True))
    assert pairs
    for as_plain, as_json in pairs:
        from_plain = DECODER.decode(as_plain.type, as_plain.body)
        from_json = DECODER.decode(as_json.type, as_json.body)
        assert fields(from_plain) == fields(from_json)
        assert leg_of(from_plain, "fs") == leg_of(from_json, "fs")
        assert from_plain.name
        assert from_plain.uid or from_plain.name == "CUSTOM"


@pytest.mark.parametrize("name", FIELDS_READ)
def test_an_event_is_read_for_what_its_kind_states_alone(name: str) -> None:
    """In both formats, the tolerant way too, a header that nothing is made of in an event of this name is not read."""
    values = dict.fromkeys(header_names(), "7") | {"name": name}
    headers = [(header, values[field]) for field, header in header_names().items()]
    read = both(*headers)
    read.append(DECODER._tolerant(json.dumps(dict(headers)).encode()))
    # The switch writes the name first, or second; so it is looked for there, and must be found anywhere.
    read += both(*reversed(headers))
    for event in read:
        assert fields(event).keys() == set(FIELDS_READ[name]) - {"vars"}
        assert event == read[0] or fields(event) == fields(read[0])


def test_of_an_event_that_is_named_twice_the_last_name_counts() -> None:
    headers = (
        b'{"Event-Name":"CHANNEL_ANSWER","variable_accountcode":"acme","Unique-ID":"a","Event-Name":"CHANNEL_CREATE"}'
    )
    lines = b"Event-Name: CHANNEL_ANSWER\nvariable_accountcode: acme\nUnique-ID: a\nEvent-Name: CHANNEL_CREATE\n\n"
    for event in (DECODER.json(headers), DECODER.plain(lines)):
        assert fields(event) == {"name": "CHANNEL_CREATE", "uid": "a", "account": "acme"}


KEPT = ("campaign_id", "sip_h_X-Campaign", "accountcode", "sip_destination_url", "cc_queue_joined_epoch")


def test_the_operators_variables_are_kept_as_they_are() -> None:
    """Also those that a rule reads, as text and bounded; a variable that is not set is left out."""
    decoder = Decoder("accountcode", "cdr_parent", variables_kept=KEPT)
    headers = [
        ("Event-Name", "CHANNEL_HANGUP_COMPLETE"), ("Unique-ID", "a"), ("variable_campaign_id", "c-17"),
        ("variable_sip_h_X-Campaign", 'Zoë "50%"'), ("variable_accountcode", "acme"), ("variable_other", "x"),
        ("variable_sip_destination_url", "sip:" + "9" * 400), ("variable_cc_queue_joined_epoch", "1795893212"),
    ]  # fmt: skip
    text = json.dumps(dict(headers), ensure_ascii=False).encode()
    events = [decoder.plain(plain(*headers)), decoder.json(text), decoder._tolerant(text)]
    for event in events:
        assert event.account == "acme"
        assert event.cc_joined_s == 1795893212
        assert event.vars == (
            ("accountcode", "acme"),
            ("campaign_id", "c-17"),
            ("cc_queue_joined_epoch", "1795893212"),
            ("sip_destination_url", cut_text("sip:" + "9" * 400)),
            ("sip_h_X-Campaign", 'Zoë "50%"'),
        )
    for written in ("0486", "486 Busy", "none"):
        status = [("Event-Name", "CHANNEL_HANGUP_COMPLETE"), ("variable_sip_invite_failure_status", written)]
        number = 486 if written == "0486" else 0
        decoder = Decoder("accountcode", "cdr_parent", variables_kept=("sip_invite_failure_status",))
        text = json.dumps(dict(status)).encode()
        for event in (decoder.plain(plain(*status)), decoder.json(text), decoder._tolerant(text)):
            assert (event.failure_status, event.vars) == (number, (("sip_invite_failure_status", written),))


def test_an_operators_variable_that_is_not_set_is_left_out() -> None:
    decoder = Decoder("accountcode", "cdr_parent", variables_kept=KEPT)
    unset = [("Event-Name", "CHANNEL_CREATE"), ("Unique-ID", "a"), ("variable_campaign_id", "_undef_")]
    for event in (decoder.plain(plain(*unset)), decoder.json(json.dumps(dict(unset)).encode())):
        assert event.vars == ()


@pytest.mark.parametrize("form", ["plain", "json"])
def test_a_forged_line_stays_inside_the_callers_name(form: str) -> None:
    """An anonymous caller's `%0Avariable_accountcode: acct_victim%0AUnique-ID: forged` bills nobody."""
    events = [
        DECODER.decode(frame.type, frame.body)
        for frame in frames(ESL / "calls" / "cid_sip_percent_newline_injection" / f"{form}.esl")
    ]
    assert len(events) > 3
    assert {event.account for event in events} == {""}
    assert len({event.uid for event in events}) == 1
    assert "forged" not in {event.uid for event in events}


def test_a_forged_line_inside_any_wanted_value_stays_there() -> None:
    hostile = "x\nvariable_accountcode: acct_victim\n\nUnique-ID: forged"
    for event in both(("Unique-ID", "real"), ("Caller-Caller-ID-Number", hostile)):
        assert fields(event) == {"uid": "real", "caller": hostile}


def refused_or_event(kind: bytes, body: bytes) -> SwitchEvent | None:
    """Decode; only FrameRefused may come out, and an event must be fit for PostgreSQL."""
    try:
        event = DECODER.decode(kind, body)
    except FrameRefused:
        return None
    stated = msgspec.structs.asdict(event)
    assert stated.pop("vars", ()) == ()
    for name, value in stated.items():
        if isinstance(value, str):
            value.encode()  # raises on a lone surrogate
            assert "\0" not in value, name
            assert value != "_undef_", name
        else:
            assert isinstance(value, int)
    leg_of(event, "fs")
    return event


@given(kind=st.sampled_from([EVENT_JSON, EVENT_PLAIN]), body=st.binary(max_size=300))
def test_any_bytes_give_an_event_or_are_refused(kind: bytes, body: bytes) -> None:
    refused_or_event(kind, body)


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(sorted(header_names().values())), any_json, max_size=12) | any_json)
def test_any_json_gives_an_event_or_is_refused(value: Any) -> None:
    """Arrays, numbers, null, objects, NaN, lone surrogates (as escapes) as values of wanted headers."""
    event = refused_or_event(EVENT_JSON, json.dumps(value).encode())
    assert (event is not None) == isinstance(value, dict)


@given(data=st.data())
def test_a_mutated_recording_gives_an_event_or_is_refused(data: st.DataObject) -> None:
    folder = data.draw(st.sampled_from(BOTH[:12]))
    frame = data.draw(st.sampled_from(frames(folder / data.draw(st.sampled_from(["json.esl", "plain.esl"])))))
    body = bytearray(frame.body)
    for _ in range(data.draw(st.integers(1, 6))):
        at, much = data.draw(st.integers(0, len(body))), data.draw(st.integers(0, 30))
        body[at : at + much] = data.draw(st.binary(max_size=6) | st.just(b"\\ud800") | st.just(b"\\u0000"))
    refused_or_event(frame.type, bytes(body))


@pytest.mark.parametrize("depth", [10, 200, 450, 700, 990, 1100, 100_000])
@pytest.mark.parametrize("header", ["Unique-ID", "Caller-Channel-Created-Time", "X-Unwanted"])
@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_deep_nesting_is_refused_or_read(depth: int, header: str, brackets: str) -> None:
    begin, end = ("[", "]") if brackets == "[]" else ('{"a":', "}")
    refused_or_event(EVENT_JSON, f'{{"{header}":{begin * depth}1{end * depth}}}'.encode())


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"x"', b"null", b"5", b"{} {}", b"not json", b"\xff\xfe", b'{"a":}', b"\xef\xbb\xbf{}"]
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(FrameRefused, match=f"JSON frame of {len(body)} bytes"):
        DECODER.json(body)


@pytest.mark.parametrize("body", [b"", b"\n", b"\n\n", b"no header\n\n", b"X-Unwanted: 1\n\n"])
def test_a_plain_frame_without_a_wanted_header_is_refused(body: bytes) -> None:
    with pytest.raises(FrameRefused, match="plain frame"):
        DECODER.plain(body)


def test_a_plain_event_that_is_cut_off_is_refused() -> None:
    """Half a value is a wrong value: a Created-Time less its last digit would make another leg."""
    body = plain(
        ("Event-Name", "CHANNEL_CREATE"), ("Unique-ID", "a"), ("Caller-Channel-Created-Time", "1795434063386255")
    )
    for end in range(1, len(body)):
        with pytest.raises(FrameRefused):
            DECODER.plain(body[:-end])


def test_a_plain_events_own_body_is_no_header() -> None:
    body = b"Event-Name: MESSAGE\nUnique-ID: a\nContent-Length: 30\n\nvariable_accountcode: victim\n\n"
    assert fields(DECODER.plain(body)) == {"name": "MESSAGE", "uid": "a"}
