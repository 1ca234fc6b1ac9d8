"""The simulated switch over a real socket: its channels, its heartbeat and its failures."""

import re
import time
from pathlib import Path

import msgspec
import pytest

from tests.esl_client import RawClient
from tests.integration.tollbook.simulator.protocol import assert_cut, recorded
from tests.paths import ESL
from tollbook.errors import DataError
from tollbook.simulator.thread import SwitchThread


def test_channels_are_listed_truthfully_in_the_middle_of_a_call(switch: SwitchThread, client: RawClient):
    recording = recorded("outbound_answered")
    root, child = list(dict.fromkeys(event.unique_id or b"" for event in recording.events))
    assert client.api(b"show channels as json") == (ESL / "protocol" / "show_channels_none.json").read_bytes()

    bridged = [event.name for event in recording.events].index(b"CHANNEL_BRIDGE")
    switch.emit(recording, range(bridged + 1))

    shown = client.api_json(b"show channels as json")
    live = msgspec.json.decode((ESL / "protocol" / "show_channels_live.json").read_bytes())
    rows = shown["rows"]
    assert isinstance(rows, list)
    assert shown["row_count"] == 2
    assert [row["uuid"].encode() for row in rows] == [root, child]
    assert list(rows[0]) == list(live["rows"][0])
    assert (rows[0]["direction"], rows[0]["accountcode"], rows[0]["dest"]) == (
        "inbound", "acct_alpha", "15551230001",
    )  # fmt: skip
    assert (rows[0]["created"], rows[0]["created_epoch"]) == ("2026-11-23 11:33:57", "1795433637")
    assert client.api(b"uuid_exists " + root) == b"true"
    assert client.api(b"show calls count") == b"\n2 total.\n"

    dump = client.api_json(b"uuid_dump " + root + b" json")
    newest = recording.events[bridged].event
    assert dump["Event-Name"] == "CHANNEL_DATA"
    assert dump["Core-UUID"] == switch.core_uuid
    assert dump["Unique-ID"] == root.decode()
    assert dump["Answer-State"] == "answered"
    for header in (b"Caller-Channel-Answered-Time", b"Channel-State", b"variable_accountcode"):
        assert dump[header.decode()] == (newest.get(header) or b"").decode()
    assert b"Unique-ID: " + root + b"\n" in client.api(b"uuid_dump " + root)

    switch.emit(recording, range(bridged + 1, len(recording.events)))
    assert client.api(b"uuid_exists " + root) == b"false"
    assert client.api(b"uuid_dump " + root + b" json") == b"-ERR No such channel!\n"
    assert client.api_json(b"show channels as json") == {"row_count": 0}


def test_a_zombie_is_listed_and_denied(switch: SwitchThread, client: RawClient):
    recording = recorded("answer_caller_hangs_up")
    (uid,) = {event.unique_id for event in recording.events if event.unique_id}
    switch.emit(recording, range(2))
    switch.make_zombie(uid.decode())

    (row,) = client.api_json(b"show channels as json")["rows"]
    assert row["uuid"] == uid.decode()
    assert client.api(b"uuid_exists " + uid) == b"false"
    assert client.api(b"uuid_dump " + uid + b" json") == b"-ERR No such channel!\n"
    switch.restart()
    with RawClient(switch.address) as again:
        assert again.login().api_json(b"show channels as json") == {"row_count": 0}


def test_what_happens_unheard_changes_the_channels_and_is_sent_to_nobody(switch: SwitchThread, client: RawClient):
    recording = recorded("answer_caller_hangs_up")
    client.command(b"event json ALL")
    switch.happen(recording, range(2))

    assert client.api_json(b"show channels as json")["row_count"] == 1
    switch.beat()
    assert next(iter(client.events(1))).get(b"Session-Since-Startup") == b"1"


def test_the_uuid_dump_has_the_recorded_headers_in_order(switch: SwitchThread, client: RawClient):
    recording = recorded("internal_to_1001")
    root = recording.events[0].unique_id or b""
    switch.emit(recording, range(6))

    real = msgspec.json.decode((ESL / "protocol" / "uuid_dump_inbound_1ec2955f.json").read_bytes())
    assert list(client.api_json(b"uuid_dump " + root + b" json"))[:24] == list(real)[:24]


def test_a_heartbeat_has_the_recorded_headers_and_counts_sessions(switch: SwitchThread, client: RawClient):
    client.command(b"event plain HEARTBEAT")
    recording = recorded("outbound_answered")
    switch.emit(recording, range(3))
    switch.play([recorded("sip_scanner_internal")])
    switch.beat()

    beat = client.read()
    real = (ESL / "protocol" / "heartbeat_plain.esl").read_bytes()
    names = re.findall(rb"^([\w-]+): ", beat.body, re.MULTILINE)
    assert names == re.findall(rb"^([\w-]+): ", real.split(b"\n\n")[1], re.MULTILINE)
    assert beat.event.get(b"Session-Count") == b"2"
    # Two legs, and the scanner that ended without a CREATE.
    assert beat.event.get(b"Session-Since-Startup") == b"3"
    assert beat.event.get(b"Core-UUID") == switch.core_uuid.encode()
    assert re.fullmatch(
        rb"0 years, 0 days, 0 hours, 0 minutes, \d+ seconds?, \d+ milliseconds?, \d+ microseconds?",
        beat.event.get(b"Up-Time") or b"",
    )


def test_heartbeats_come_by_themselves():
    with SwitchThread(heartbeat_s=0.05) as switch, RawClient(switch.address) as client:
        client.login().command(b"event json HEARTBEAT")
        first, second = client.events(2)

    assert int(second.get(b"Uptime-msec") or 0) > int(first.get(b"Uptime-msec") or 0)


def test_a_slow_reader_is_cut_after_five_hundred_drops_and_others_are_not():
    recording = recorded("outbound_answered")
    with (
        SwitchThread(heartbeat_s=3600, max_queued=50) as switch,
        RawClient(switch.address) as slow,
        RawClient(switch.address) as other,
    ):
        slow.login().command(b"event plain ALL")
        other.login()
        # Enough for the kernel's buffers (some MB on loopback), the queue of 50, and 500 that may be lost.
        switch.play_unpaced([recording], count=3_000, patient=False)

        assert switch.connection_count == switch.overflows == 1
        assert other.api(b"uuid_exists x") == b"false"
        assert_cut(slow)


def test_a_patient_play_loses_nothing_for_a_slow_reader():
    recording = recorded("outbound_answered")
    with SwitchThread(heartbeat_s=3600) as switch, RawClient(switch.address) as client:
        client.login().command(b"event json CHANNEL_CREATE CHANNEL_HANGUP_COMPLETE")
        future = switch.start_playing([recording] * 1500, speed=0)
        time.sleep(0.3)  # nobody reads for a while, which is what is tested

        assert not future.done()
        ids = [event.get(b"Unique-ID") for event in client.events(6000)]
        assert len(set(ids)) == 3000
        assert future.result(10) == 1500 * len(recording.events)


def test_a_restart_cuts_all_and_says_nothing(switch: SwitchThread, client: RawClient):
    client.command(b"event plain ALL")
    before = switch.core_uuid
    future = switch.start_playing([recorded("outbound_answered")], speed=2)
    assert len(client.events(3)) == 3

    switch.restart()

    assert_cut(client)
    assert switch.core_uuid != before
    with RawClient(switch.address) as again:
        again.login()
        assert again.api_json(b"show channels as json") == {"row_count": 0}
        assert again.api(b"global_getvar core_uuid") == switch.core_uuid.encode()
        again.command(b"event plain ALL")
        switch.beat()
        beat = again.read().event
        assert beat.get(b"Session-Since-Startup") == b"0"
        # Calls that were up died with the old process: not even their hangups are played in the new one.
        assert future.result(10) == 3
        assert again.api(b"uuid_exists x") == b"false"


def test_cut_connections_leaves_the_calls_up(switch: SwitchThread, client: RawClient):
    recording = recorded("outbound_answered")
    switch.emit(recording, range(2))
    switch.cut_connections()

    assert_cut(client)
    with RawClient(switch.address) as again:
        assert again.login().api_json(b"show channels as json")["row_count"] == 2


def test_cdr_files_are_written_when_their_leg_has_ended(tmp_path: Path):
    recording = recorded("outbound_answered")
    with SwitchThread(json_cdr_dir=tmp_path) as switch, RawClient(switch.address) as client:
        client.login().command(b"event json CHANNEL_HANGUP_COMPLETE")
        switch.play([recording])
        legs = [event.get(b"Unique-ID") or b"" for event in client.events(2)]

    child, root = (leg.decode() for leg in legs)
    assert {path.name for path in tmp_path.iterdir()} == {f"a_{root}.cdr.json", f"{child}.cdr.json"}
    cdr = msgspec.json.decode((tmp_path / f"a_{root}.cdr.json").read_bytes())
    assert cdr["variables"]["uuid"] == root
    assert cdr["core-uuid"] == switch.core_uuid


def test_waiting_for_a_subscriber(switch: SwitchThread, client: RawClient):
    with pytest.raises(TimeoutError):
        switch.wait_for_subscriber(0.05)
    client.command(b"event plain HEARTBEAT")
    with pytest.raises(TimeoutError):
        switch.wait_for_subscriber(0.05)

    client.command(b"event plain CHANNEL_CREATE")
    switch.wait_for_subscriber(1)


def test_a_name_that_would_need_encoding_is_refused():
    with pytest.raises(DataError, match="no name for a switch"):
        SwitchThread(switch_name="my switch")
