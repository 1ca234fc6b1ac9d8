"""What a decoded value is: text, whatever bytes, JSON or clock it was made of."""

import json

import pytest

from esl_listener.decoder import Decoder
from tests.unit.esl_listener.decoded import DECODER, both, fields, plain
from tollbook.model.event import cut_text
from tollbook.model.leg import leg_of


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
