"""A fresh copy differs from its recording in ids and whole seconds, and in nothing else."""

import re
from functools import cache

import msgspec
import pytest

from tests.paths import CALLS
from tollbook.simulator.event import RawEvent, parse_json, parse_plain
from tollbook.simulator.freshen import CallTemplate, FreshCall, fresh
from tollbook.simulator.recording import Recording, load, split_frames

ALL = sorted(path.name for path in CALLS.iterdir() if path.is_dir())

NOW_US = 1_900_000_000_765_432
UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CORE = "11111111-2222-4333-8444-555555555555"


@cache
def both(name: str) -> tuple[Recording, FreshCall]:
    recording = load(CALLS / name)
    return recording, CallTemplate(recording).fresh(NOW_US, core_uuid=CORE)


@pytest.mark.parametrize("name", ALL)
def test_both_renderings_of_a_copy_are_well_formed_and_carry_the_sequence(name: str):
    recording, copy = both(name)

    for recorded, event in zip(recording.events, copy.events, strict=True):
        plain = parse_plain(split_frames(event.plain_frame(12_345_678))[0].body)
        as_json = parse_json(split_frames(event.json_frame(12_345_678))[0].body)
        names = [header for header, _ in recorded.event.headers]
        assert [header for header, _ in plain.headers] == names
        assert [header for header, _ in as_json.headers] == names
        assert as_json.get(b"Event-Sequence") == plain.get(b"Event-Sequence") == b"12345678"
        assert as_json.get(b"Core-UUID") == CORE.encode()
        assert as_json.plain_body() == plain.plain_body()
        assert event.unique_id == as_json.get(b"Unique-ID")


@pytest.mark.parametrize("name", ALL)
def test_no_id_of_the_recording_is_left(name: str):
    recording, copy = both(name)
    ids = {recorded.unique_id for recorded in recording.events if recorded.unique_id}
    old = {found for recorded in recording.events for found in UUID.findall(recorded.json)}

    for event in copy.events:
        frame = event.json_frame(1)
        assert not old & set(UUID.findall(frame))
        assert event.unique_id not in ids


@pytest.mark.parametrize("name", ALL)
def test_times_are_shifted_by_the_same_whole_seconds(name: str):
    recording, copy = both(name)
    shift_us = copy.shift_s * 1_000_000

    for recorded, event in zip(recording.events, copy.events, strict=True):
        new = RawEvent(headers=event.headers(1))
        for (header, was), (_, now) in zip(recorded.event.headers, new.headers, strict=True):
            if re.fullmatch(rb"\d{16}", was):
                assert int(now) - int(was) == shift_us, header
            elif header.endswith(b"_epoch") and int(was):
                assert int(now) - int(was) == copy.shift_s, header
            elif header.endswith((b"sec", b"msec", b"usec", b"Line-Number", b"_id_number")):
                assert now == was, header
    first = RawEvent(headers=copy.events[0].headers(1))
    assert 0 <= NOW_US - int(first.get(b"Event-Date-Timestamp") or 0) < 1_000_000


def test_dates_in_words_are_shifted_too():
    _, copy = both("outbound_answered")
    event = RawEvent(headers=copy.events[0].headers(1))

    # 1,900,000,000 s; the recording began .486 within its second, so the copy begins .279 s before "now".
    assert event.get(b"Event-Date-Local") == b"2030-03-17 17:46:40"
    assert event.get(b"Event-Date-GMT") == b"Sun, 17 Mar 2030 17:46:40 GMT"
    assert b"2026" not in copy.events[-1].plain_frame(1)


@pytest.mark.parametrize("name", ALL)
def test_rows_follow_their_events(name: str):
    recording, copy = both(name)
    ids = {event.unique_id for event in copy.events}

    for was, now in zip(recording.rows, copy.rows, strict=True):
        assert str(now["call_id"]).encode() in ids
        for column in ("start_ts", "answer_ts", "end_ts"):
            before, after = was[column], now[column]
            if before is None:
                assert after is None
            else:
                assert isinstance(before, int)
                assert after == before + copy.shift_s * 1000
        for column in was.keys() - {"call_id", "start_ts", "answer_ts", "end_ts"}:
            assert now[column] == was[column]


def test_cdr_files_follow_their_legs():
    recording, copy = both("transfer_outbound_to_third_party")
    legs = {event.unique_id: event for event in copy.events if event.name == b"CHANNEL_HANGUP_COMPLETE"}
    files = [copy.cdr_file(leg) for leg in legs if leg]

    found = [cdr for cdr in files if cdr is not None]
    assert len(found) == len(recording.cdr_files) == 3
    for cdr in found:
        assert cdr.unique_id.decode() in cdr.name
        variables = msgspec.json.decode(cdr.text, type=dict[str, object])["variables"]
        assert isinstance(variables, dict)
        end = RawEvent(headers=legs[cdr.unique_id].headers(1))
        assert variables["uuid"] == cdr.unique_id.decode()
        assert variables["end_uepoch"].encode() == end.get(b"variable_end_uepoch")
        assert variables["billsec"].encode() == end.get(b"variable_billsec")


def test_an_id_that_is_no_uuid_gets_a_suffix_and_stays_one_id():
    recording, copy = both("same_call_id_twice")
    was = {recorded.unique_id for recorded in recording.events}
    now = {event.unique_id for event in copy.events}

    assert was == {b"evil-1@x"}
    assert len(now) == 1
    assert re.fullmatch(rb"evil-1@x-[0-9a-f]{8}", now.pop() or b"")


def test_copies_share_no_id_with_each_other():
    template = CallTemplate(load(CALLS / "queue_answered_by_agent"))
    ids = [event.unique_id for _ in range(50) for event in template.fresh(NOW_US).events[:1]]

    assert len(set(ids)) == 50


def test_a_copy_takes_the_name_of_the_switch_that_plays_it():
    template = CallTemplate(load(CALLS / "outbound_answered"))
    copy = template.fresh(NOW_US, switch_name="pbx-7")

    event = RawEvent(headers=copy.events[0].headers(1))
    assert event.get(b"FreeSWITCH-Switchname") == b"pbx-7"
    assert b"fs-lab" not in copy.events[0].plain_frame(1)


def test_the_recorded_core_and_name_are_the_default():
    recording = load(CALLS / "outbound_answered")
    event = RawEvent(headers=fresh(recording, NOW_US).events[0].headers(1))

    assert event.get(b"Core-UUID") == recording.events[0].event.get(b"Core-UUID")
    assert event.get(b"FreeSWITCH-Switchname") == b"fs-lab"
