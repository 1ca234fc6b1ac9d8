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
from tollbook.errors import FrameRefused
from tollbook.esl.framing import EVENT_JSON, EVENT_PLAIN, Frame, Framer
from tollbook.model.event import SwitchEvent, cut_text, header_names
from tollbook.model.leg import leg_of
from tollbook.simulator.encoding import percent_encode

BOTH = sorted(path.parent for path in ESL.glob("calls/*/json.esl"))
DECODER = Decoder("accountcode", "cdr_parent")

# Their callers typed "%25" and "%0A", which plain events pass on as they are: see tests/unit/tollbook/simulator.
LOSSY_IN_PLAIN = {"cid_9907", "cid_sip_percent_newline_injection"}


def frames(path: Path) -> list[Frame]:
    return list(Framer().feed(path.read_bytes()))


def fields(event: SwitchEvent) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(event).items() if value}


def plain(*headers: tuple[str, str | bytes]) -> bytes:
    """The body of a plain event, as FreeSWITCH encodes it."""
    lines = [
        name.encode() + b": " + percent_encode(value if isinstance(value, bytes) else value.encode())
        for name, value in headers
    ]
    return b"\n".join(lines) + b"\n\n"


def both(*headers: tuple[str, str]) -> list[SwitchEvent]:
    """The same headers decoded from both formats."""
    return [DECODER.plain(plain(*headers)), DECODER.json(json.dumps(dict(headers)).encode())]


def test_the_recordings_hold_both_formats() -> None:
    assert len(BOTH) > 60


@pytest.mark.parametrize("folder", BOTH, ids=lambda folder: folder.name)
def test_plain_and_json_of_a_recording_decode_equally(folder: Path) -> None:
    pairs = list(zip(frames(folder / "plain.esl"), frames(folder / "json.esl"), strict=True))
    assert pairs
    for as_plain, as_json in pairs:
        from_plain = DECODER.decode(as_plain.type, as_plain.body)
        from_json = DECODER.decode(as_json.type, as_json.body)
        # What the listener makes of an event: the fast reading of an answer leaves out what no rule needs.
        assert leg_of(from_plain, "fs") == leg_of(from_json, "fs")
        if from_plain.name != "CHANNEL_ANSWER":
            assert fields(from_plain) == fields(from_json)
        assert from_plain.name
        assert from_plain.uid or from_plain.name == "CUSTOM"


def test_an_answer_is_read_for_what_a_leg_needs_of_it() -> None:
    answers = [
        (fields(DECODER.json(frame.body)), fields(DECODER._tolerant(frame.body)))
        for folder in BOTH
        for frame in frames(folder / "json.esl")
        if b'"Event-Name":"CHANNEL_ANSWER"' in frame.body
    ]
    assert len(answers) > 50
    for fast, whole in answers:
        assert fast == {name: whole[name] for name in fast}
        assert {"name", "core", "uid", "at_us", "created_us", "answered_us", "switchname"} == fast.keys()


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
    for name, value in msgspec.structs.asdict(event).items():
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


@pytest.mark.parametrize("value", ["_undef_", ""])
def test_nothing_is_the_empty_text(value: str) -> None:
    for event in both(("Unique-ID", "a"), ("variable_accountcode", value), ("variable_cc_queue", "_undef_")):
        assert fields(event) == {"uid": "a"}


def test_a_nul_becomes_a_replacement_character() -> None:
    """PostgreSQL takes no NUL."""
    for event in both(("Unique-ID", "a\0b"), ("variable_accountcode", "\0")):
        assert fields(event) == {"uid": "a\ufffdb", "account": "\ufffd"}


@pytest.mark.parametrize(
    ("header", "field"), [("Unique-ID", "uid"), ("Core-UUID", "core"), ("FreeSWITCH-Switchname", "switchname")]
)
def test_a_nul_in_an_answer_becomes_one_too(header: str, field: str) -> None:
    event = DECODER.json(rf'{{"Event-Name":"CHANNEL_ANSWER","{header}":"a\u0000b"}}'.encode())
    assert fields(event) == {"name": "CHANNEL_ANSWER", field: "a\ufffdb"}


@pytest.mark.parametrize("escape", [r"\ud800", r"\udfff", r"\udc00\ud800"])
def test_lone_surrogates_become_replacement_characters(escape: str) -> None:
    event = DECODER.json(f'{{"Unique-ID":"a{escape}b"}}'.encode())
    assert event.uid.strip("\ufffd") != event.uid or "\ufffd" in event.uid
    assert event.uid[0] + event.uid[-1] == "ab"


def test_a_surrogate_pair_is_one_character() -> None:
    assert DECODER.json(rb'{"Unique-ID":"\ud83d\ude42"}').uid == "🙂"


def test_bytes_that_are_no_utf8_are_replaced_alike_in_both_formats() -> None:
    """latin-1 in a number and in an account: 'Müller' with one byte for the ü."""
    as_plain = DECODER.plain(plain(("Unique-ID", b"M\xfcller"), ("variable_accountcode", b"\xe4\xf6")))
    as_json = DECODER.json(b'{"Unique-ID":"M\xfcller","variable_accountcode":"\xe4\xf6"}')
    assert fields(as_plain) == fields(as_json) == {"uid": "M\ufffdller", "account": "\ufffd\ufffd"}


def test_arrays_are_the_same_text_in_both_formats() -> None:
    as_json = DECODER.json(b'{"Unique-ID":"a","variable_last_arg":["one","two \\"2\\"","3"]}')
    as_plain = DECODER.plain(plain(("Unique-ID", "a"), ("variable_last_arg", 'ARRAY::one|:two "2"|:3')))
    assert fields(as_plain) == fields(as_json)
    assert as_json.last_arg == 'ARRAY::one|:two "2"|:3'


@pytest.mark.parametrize(
    ("value", "text"), [("5", "5"), ("true", "true"), ("1.5", "1.5"), ('{"a": 1}', '{"a": 1}'), ("[]", "ARRAY::")]
)
def test_other_json_values_become_text(value: str, text: str) -> None:
    assert DECODER.json(f'{{"Unique-ID":"a","variable_accountcode":{value}}}'.encode()).account == text


def test_null_is_nothing() -> None:
    """Not an account named `null`."""
    event = DECODER.json(b'{"Unique-ID":"a","variable_accountcode":null,"Caller-Channel-Created-Time":null}')
    assert fields(event) == {"uid": "a"}


@pytest.mark.parametrize("clock", ["", "x", "-1", " 5", "1_000", "١٢٣", "9" * 5000, "_undef_", "\0"])
def test_a_clock_that_is_none_makes_no_leg(clock: str) -> None:
    """Not set, negative, of other scripts' digits or beyond all bounds: the event makes no leg, in both formats."""
    for event in both(
        ("Event-Name", "CHANNEL_CREATE"), ("Unique-ID", "a"), ("Caller-Channel-Created-Time", clock),
    ):  # fmt: skip
        assert leg_of(event, "fs") is None


def test_a_clock_may_be_a_json_number() -> None:
    assert (
        DECODER.json(b'{"Unique-ID":"a","Caller-Channel-Created-Time":1795434063386255}').created_us == 1795434063386255
    )


def test_of_two_headers_of_one_name_the_last_counts() -> None:
    as_plain = DECODER.plain(plain(("Unique-ID", "a"), ("Hangup-Cause", "USER_BUSY"), ("Hangup-Cause", "NO_ANSWER")))
    as_json = DECODER.json(b'{"Unique-ID":"a","Hangup-Cause":"USER_BUSY","Hangup-Cause":"NO_ANSWER"}')
    tolerant = DECODER.json(b'{"Unique-ID":"a","Hangup-Cause":5,"Hangup-Cause":"NO_ANSWER","variable_cc_queue":7}')
    assert as_plain.cause == as_json.cause == tolerant.cause == "NO_ANSWER"


@pytest.mark.parametrize("character", ["x", "ü", "\n", '"', "%"])
def test_64_kb_values_are_cut_alike(character: str) -> None:
    """A value of any characters and of 64 kB is cut after decoding, never inside an escape; the next one is whole."""
    value = character * 65_536
    for event in both(("Unique-ID", "a"), ("Caller-Caller-ID-Number", value), ("Caller-ANI", "1001")):
        assert event.caller == cut_text(value) == character * 127 + "…" + character * 128
        assert (event.uid, event.ani) == ("a", "1001")


@pytest.mark.parametrize(
    ("account", "parent"),
    [("domain_name", "my_parent"), ("user_name", "cdr_parent"), ("billing.id", "originator"), ("same", "same")],
)
def test_the_operators_variable_names_are_read(account: str, parent: str) -> None:
    """FusionPBX bills by domain_name; a variable that a rule of ours reads already may be named too."""
    decoder = Decoder(account, parent)
    headers = {f"variable_{account}": "acct", f"variable_{parent}": "up", "Unique-ID": "a"}
    odd = {**headers, "variable_cc_queue": 5}
    for event in (
        decoder.plain(plain(*headers.items())),
        decoder.json(json.dumps(headers).encode()),
        decoder.json(json.dumps(odd).encode()),
    ):
        assert event.cdr_parent == "up"
        assert event.account == headers[f"variable_{account}"]
        assert event.user == ("acct" if account == "user_name" else "")
        assert event.originator == ("up" if parent == "originator" else "")
    default = decoder.json(b'{"variable_accountcode":"not this","Unique-ID":"a"}')
    assert default.account == ""
