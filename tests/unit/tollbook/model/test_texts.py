"""Texts from the wire are bounded where an event is read, in every format alike."""

import json

import msgspec
import pytest

from esl_listener.decoder import Decoder
from maintenance.recover.json_cdr import leg_of_file
from tollbook.model.event import (
    LONGEST_HOLDS,
    LONGEST_PATH,
    LONGEST_TEXT,
    SwitchEvent,
    cut_text,
    header_names,
)
from tollbook.model.event_kinds import FIELDS_READ
from tollbook.model.leg import leg_of

HEADERS = header_names()
DECODER = Decoder("accountcode", "cdr_parent")
TEXTS = [
    name
    for name, kind in SwitchEvent.__annotations__.items()
    if kind is not int and name not in ("name", "destination_url", "vars")
]
# An event of a kind that is read for the field.
READ_IN = {field: name for name, fields in FIELDS_READ.items() for field in fields}
LONGEST = {"record_path": LONGEST_PATH, "hold_events": LONGEST_HOLDS}


def both(**fields: str) -> list[SwitchEvent]:
    """Decode an event from both formats."""
    named = {HEADERS[field]: value for field, value in fields.items()}
    lines = "".join(f"{name}: {value}\n" for name, value in named.items())
    return [DECODER.plain(f"{lines}\n".encode()), DECODER.json(json.dumps(named).encode())]


@pytest.mark.parametrize("field", TEXTS)
def test_a_long_text_is_cut_and_marked_in_both_formats(field: str) -> None:
    """A text of 600,000 characters keeps its two ends and gets a mark; one of exactly the bound stays as it is."""
    value = "loopback/" + "9" * 600_000 + "@host-b"
    bound = LONGEST.get(field, LONGEST_TEXT)
    for event in both(name=READ_IN[field], **{field: value}):
        cut = getattr(event, field)
        assert len(cut) == bound
        assert cut == f"{value[: bound // 2 - 1]}…{value[-bound // 2 :]}"
    longest = "9" * bound
    assert [getattr(event, field) for event in both(name=READ_IN[field], **{field: longest})] == [longest, longest]


def test_no_event_makes_a_large_leg() -> None:
    """With every header 60,000 bytes long, a leg's facts stay below 64 kB."""
    fields = dict.fromkeys(TEXTS, "ä" * 30_000) | {"destination_url": "sip:" + "5" * 60_000 + "@sbc.example"}
    fields |= {"name": "CHANNEL_HANGUP_COMPLETE", "uid": "leg-1", "created_us": "1795433986486298"}
    for event in both(**fields):
        leg = leg_of(event, event.switchname)
        assert leg is not None
        assert leg.end is not None
        assert leg.end.host == "sbc.example"
        assert len(msgspec.json.encode(leg)) < 65_536


def test_the_host_of_a_long_url_is_found_and_bounded() -> None:
    """A long user part hides no host from the trunk rules, and a long host is cut."""
    for url, host in (
        ("sip:" + "5" * 5_000 + "@sbc.example:5060;transport=" + "x" * 5_000, "sbc.example"),
        ("sip:1@" + "h" * 5_000, cut_text("h" * 5_000)),
    ):
        for event in both(name="CHANNEL_CREATE", uid="leg-1", created_us="1795433986486298", destination_url=url):
            leg = leg_of(event, "fs1")
            assert leg is not None
            assert leg.create is not None
            assert leg.create.host == host


def test_two_long_ids_never_become_one_leg() -> None:
    """An id that would have to be cut makes no leg."""
    for event in both(name="CHANNEL_CREATE", uid="u" * 300, created_us="1795433986486298"):
        assert leg_of(event, "fs1") is None


def test_a_cdr_file_is_bounded_alike() -> None:
    """A leg that `recover` reads from a file has the same bounds as one that was heard."""
    number = "4" * 600_000
    profile = {"caller_id_number": number, "destination_number": number}
    content = json.dumps(
        {
            "switchname": "fs1",
            "variables": {"uuid": "leg-1", "accountcode": number, "end_uepoch": "1795433987000000"},
            "callflow": [{"caller_profile": profile, "times": {"created_time": "1795433986486298"}}],
        }
    ).encode()
    leg = leg_of_file(content, HEADERS)
    assert leg.create is not None
    assert leg.end is not None
    assert leg.create.dialed == leg.end.caller == leg.end.account == cut_text(number)
