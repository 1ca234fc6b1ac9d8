"""Every recording, read and rendered again, gives the bytes that FreeSWITCH sent."""

from pathlib import Path

import pytest

from tests.paths import ESL
from tollbook.errors import DataError
from tollbook.esl.framing import EVENT_JSON, EVENT_PLAIN
from tollbook.simulator.encoding import event_frame, percent_decode, percent_encode
from tollbook.simulator.event import parse_json, parse_plain
from tollbook.simulator.recording import load, load_all, shipped_names, split_frames

CALLS = sorted(path for path in (ESL / "calls").iterdir() if path.is_dir())

# Their callers typed "%25" and "%0A". FreeSWITCH's plain encoding passes those on as they are, so that nobody
# can tell them from a "%" and a newline that it encoded itself: only the JSON frames can.
LOSSY_IN_PLAIN = {"cid_9907", "cid_sip_percent_newline_injection"}


def test_there_are_recordings():
    assert len(CALLS) > 90


@pytest.mark.parametrize("folder", CALLS, ids=lambda path: path.name)
def test_plain_frames_are_rendered_to_the_recorded_bytes(folder: Path):
    recording = load(folder)

    rendered = b"".join(event_frame(EVENT_PLAIN, recorded.event.plain_body()) for recorded in recording.events)

    assert rendered == (folder / "plain.esl").read_bytes()
    assert b"".join(recorded.plain_frame(1) for recorded in recording.events) == rendered


@pytest.mark.parametrize("folder", [path for path in CALLS if (path / "json.esl").exists()], ids=lambda path: path.name)
def test_json_frames_are_rendered_to_the_recorded_bytes(folder: Path):
    recording = load(folder)
    recorded_bytes = (folder / "json.esl").read_bytes()

    assert b"".join(event_frame(EVENT_JSON, event.event.json_body()) for event in recording.events) == recorded_bytes
    assert b"".join(event.json_frame(1) for event in recording.events) == recorded_bytes


@pytest.mark.parametrize("folder", [path for path in CALLS if (path / "json.esl").exists()], ids=lambda path: path.name)
def test_plain_frames_alone_give_the_recorded_json_where_plain_is_not_lossy(folder: Path):
    plain = split_frames((folder / "plain.esl").read_bytes())

    rendered = b"".join(event_frame(EVENT_JSON, parse_plain(frame.body).json_body()) for frame in plain)

    assert (rendered == (folder / "json.esl").read_bytes()) == (folder.name not in LOSSY_IN_PLAIN)


@pytest.mark.parametrize("name", ["heartbeat", "shutdown", "kill9"])
def test_protocol_recordings_survive_both_parsers(name: str):
    plain = (ESL / "protocol" / f"{name}_plain.esl").read_bytes()
    as_json = (ESL / "protocol" / f"{name}_json.esl").read_bytes()

    assert b"".join(event_frame(EVENT_PLAIN, parse_plain(f.body).plain_body()) for f in split_frames(plain)) == plain
    assert b"".join(event_frame(EVENT_JSON, parse_json(f.body).json_body()) for f in split_frames(as_json)) == as_json


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_recordings_are_the_recorded_ones(name: str):
    shipped = load_all([name])[0]
    original = load(ESL / "calls" / name)

    assert [event.plain for event in shipped.events] == [event.plain for event in original.events]
    assert [event.json for event in shipped.events] == [event.json for event in original.events]
    assert (shipped.rows, shipped.cdr_files) == (original.rows, original.cdr_files)
    assert shipped.offsets_s == original.offsets_s


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (b"a b", b"a%20b"),
        (b"50% off", b"50%25%20off"),
        (b"100%41", b"100%41"),
        (b"%0Aforged", b"%0Aforged"),
        (b"\n", b"%0A"),
        (b"M\xfcller", b"M%FCller"),
        (b"", b""),
    ],
)
def test_values_are_percent_encoded_as_freeswitch_does(value: bytes, encoded: bytes):
    assert percent_encode(value) == encoded
    assert percent_encode(percent_decode(encoded)) == encoded


def test_a_repeated_header_stays_repeated():
    recording = load(ESL / "calls" / "outbound_answered")
    end = next(event for event in recording.events if event.name == b"CHANNEL_HANGUP_COMPLETE")

    assert [name for name, _ in end.event.headers].count(b"Hangup-Cause") == 2


def test_a_newline_in_a_value_makes_no_header():
    recording = load(ESL / "calls" / "cid_sip_percent_newline_injection")

    for recorded in recording.events:
        event = parse_plain(split_frames(recorded.plain)[0].body)
        assert event.get(b"Unique-ID") != b"forged"
        assert event.get(b"variable_accountcode") is None


@pytest.mark.parametrize(
    "stream",
    [
        b"Content-Type: x\n\n",
        b"Content-Length: 9\nContent-Type: text/event-plain\n\nshort",
        b"Content-Type: command/reply\nReply-Text: +OK\n\n",
        b"junk",
        b"\n\n",
    ],
)
def test_bytes_that_are_no_frames_are_refused(stream: bytes):
    with pytest.raises(DataError, match="no whole event frame at byte 0"):
        split_frames(stream)


def test_offsets_never_fall_even_without_times_json():
    for folder in CALLS:
        offsets = load(folder).offsets_s
        assert offsets[0] == 0
        assert list(offsets) == sorted(offsets)


def test_a_folder_without_a_recording_is_named():
    with pytest.raises(DataError, match=r"nothing_here.*plain\.esl"):
        load(ESL / "nothing_here")
