"""The simulated switch over a real socket: its replies, the events each client gets, and its failures."""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from tests.esl_client import RawClient
from tests.paths import ESL
from tollbook.errors import DataError
from tollbook.simulator.recording import Recording, load
from tollbook.simulator.thread import SwitchThread

GOODBYE = (
    b"Content-Type: text/disconnect-notice\nContent-Length: 67\n\n"
    b"Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
)


def recorded(name: str) -> Recording:
    return load(ESL / "calls" / name)


def assert_cut(client: RawClient) -> None:
    """Read the rest, and expect the connection's end rather than silence."""
    with suppress(ConnectionError):
        client.rest()


def server_side(transcript: str) -> bytes:
    """Return what the server said, from a transcript of protocol/."""
    text = re.sub(rb"--- (server|client).*\n", b"", (ESL / "protocol" / transcript).read_bytes())
    return text.removesuffix(b"<<EOF>>\n").removesuffix(b"<<EOF>>")


@pytest.fixture
def switch() -> Iterator[SwitchThread]:
    with SwitchThread(heartbeat_s=3600) as running:
        yield running


@pytest.fixture
def client(switch: SwitchThread) -> Iterator[RawClient]:
    with RawClient(switch.address) as connected:
        yield connected.login()


def test_a_wrong_password_gets_the_recorded_bytes(switch: SwitchThread):
    with RawClient(switch.address) as client:
        client.send(b"auth wrong")

        assert client.rest() == server_side("auth_wrong_password.txt")


def test_a_session_gets_the_recorded_bytes(switch: SwitchThread):
    commands = re.findall(rb"--- client: (.*)", (ESL / "protocol" / "session.txt").read_bytes())

    with RawClient(switch.address) as client:
        client.sock.sendall(b"".join(command + b"\n\n" for command in commands))
        answered = client.rest()

    assert _without_what_differs(answered) == _without_what_differs(server_side("session.txt"))


def _without_what_differs(said: bytes) -> bytes:
    """Remove job ids, and the figures in the reply to `status`."""
    said = re.sub(rb"Job-UUID: [0-9a-f-]{36}", b"Job-UUID: X", said)
    status = re.compile(rb"Content-Length: \d+\n\nUP (?:.|\n)*?240K/8192K\n")
    assert len(status.findall(said)) == 1
    return status.sub(b"STATUS\n", said)


def test_before_auth_nothing_is_answered(switch: SwitchThread):
    with RawClient(switch.address) as client:
        client.read()

        assert client.command(b"event plain ALL").reply == b"-ERR command not found"
        assert client.command(b"api status").reply == b"-ERR command not found"
        switch.play([recorded("outbound_answered")])
        assert client.command(b"auth ClueCon").reply == b"+OK accepted"


def test_verbatim_playing_sends_the_recorded_bytes_in_both_formats(switch: SwitchThread):
    for as_format in ("plain", "json"):
        recording = recorded("transfer_outbound_to_third_party")
        with RawClient(switch.address) as client:
            client.login().command(f"event {as_format} ALL".encode())
            switch.play([recording], verbatim=True)
            client.send(b"exit")

            expected = (ESL / "calls" / recording.name / f"{as_format}.esl").read_bytes()
            bye = b"Content-Type: command/reply\nReply-Text: +OK bye\n\n" + GOODBYE
            assert client.rest() == expected + bye


def test_only_what_was_asked_for_is_sent(switch: SwitchThread, client: RawClient):
    client.command(b"event json CHANNEL_CREATE CUSTOM fifo::info")
    client.command(b"event json CHANNEL_ANSWER CUSTOM callcenter::info")
    recordings = [recorded("queue_answered_by_agent"), recorded("fifo_in_and_out")]
    wanted = {b"CHANNEL_CREATE", b"CHANNEL_ANSWER", b"CUSTOM"}
    expected = [event.name for recording in recordings for event in recording.events if event.name in wanted]
    subclasses = {event.subclass for recording in recordings for event in recording.events}
    assert subclasses == {None, b"callcenter::info", b"fifo::info"}

    for recording in recordings:
        switch.play([recording])

    assert [event.get(b"Event-Name") for event in client.events(len(expected))] == expected


def test_a_custom_event_of_another_subclass_is_not_sent(switch: SwitchThread, client: RawClient):
    client.command(b"event plain CUSTOM fifo::info")
    switch.play([recorded("queue_answered_by_agent")])

    assert client.api(b"uuid_exists x") == b"false"


def test_nixevent_and_noevents_end_what_was_asked(switch: SwitchThread, client: RawClient):
    client.command(b"event plain CHANNEL_CREATE CHANNEL_ANSWER")
    assert client.command(b"nixevent CHANNEL_CREATE").reply == b"+OK events nixed"
    switch.play([recorded("outbound_answered")])
    assert [event.get(b"Event-Name") for event in client.events(2)] == [b"CHANNEL_ANSWER"] * 2

    assert client.command(b"noevents").reply == b"+OK no longer listening for events"
    assert client.command(b"noevents").reply == b"-ERR not listening for events"
    switch.play([recorded("outbound_answered")])
    assert client.api(b"uuid_exists x") == b"false"


def test_all_but_one_after_nixevent(switch: SwitchThread, client: RawClient):
    client.command(b"event plain ALL")
    client.command(b"nixevent CHANNEL_DESTROY")
    recording = recorded("outbound_answered")
    switch.play([recording])

    expected = [event.name for event in recording.events if event.name != b"CHANNEL_DESTROY"]
    assert [event.get(b"Event-Name") for event in client.events(len(expected))] == expected


def test_filters_let_through_what_any_of_them_names(switch: SwitchThread, client: RawClient):
    client.command(b"event plain ALL")
    assert (
        client.command(b"filter Event-Name CHANNEL_CREATE").reply == b"+OK filter added. [Event-Name]=[CHANNEL_CREATE]"
    )
    client.command(b"filter Call-Direction outbound")
    recording = recorded("outbound_answered")
    expected = [
        event.name
        for event in recording.events
        if event.name == b"CHANNEL_CREATE" or event.event.get(b"Call-Direction") == b"outbound"
    ]
    assert 0 < len(expected) < len(recording.events)
    switch.play([recording])
    assert [event.get(b"Event-Name") for event in client.events(len(expected))] == expected

    deleted = client.command(b"filter delete Event-Name CHANNEL_CREATE").reply
    assert deleted == b"+OK filter deleted. [Event-Name]=[CHANNEL_CREATE]"
    client.command(b"filter delete all")
    switch.play([recording])
    assert len(client.events(len(recording.events))) == len(recording.events)


def test_event_sequence_rises_and_the_core_is_the_switchs(switch: SwitchThread, client: RawClient):
    client.command(b"event json ALL")
    recording = recorded("outbound_answered")
    switch.play([recording, recording])

    events = client.events(2 * len(recording.events))
    numbers = [int(event.get(b"Event-Sequence") or 0) for event in events]
    assert numbers == sorted(set(numbers))
    assert {event.get(b"Core-UUID") for event in events} == {switch.core_uuid.encode()}


def test_commands_are_answered_after_the_events_that_wait(switch: SwitchThread, client: RawClient):
    client.command(b"event plain ALL")
    recording = recorded("outbound_answered")
    played = switch.play_unpaced([recording], count=400, patient=False)
    client.send(b"api uuid_exists x")

    assert len(client.events(played)) == played
    assert client.read().body == b"false"


def test_bgapi_is_answered_first_and_its_job_follows(client: RawClient):
    client.command(b"event json BACKGROUND_JOB")
    reply = client.command(b"bgapi uuid_exists no-such")
    job = client.read().event

    assert reply.reply == b"+OK Job-UUID: " + (job.get(b"Job-UUID") or b"none")
    assert (job.get(b"Job-Command"), job.get(b"Job-Command-Arg")) == (b"uuid_exists", b"no-such")
    assert job.body == b"false"


def test_bgapi_takes_the_clients_job_uuid_and_plain_jobs_have_a_body(client: RawClient):
    client.command(b"event plain BACKGROUND_JOB")
    assert client.command(b"bgapi status\nJob-UUID: mine").reply == b"+OK Job-UUID: mine"

    message = client.read()
    assert b"\nContent-Length: %d\n\nUP 0 years" % len(message.event.body) in message.body


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_a_command_may_come_in_pieces_with_any_line_end(client: RawClient, line_end: bytes):
    for piece in (b"api uuid_ex", b"ists x" + line_end, line_end):
        client.sock.sendall(piece)
        time.sleep(0.02)  # long enough for the switch to read each piece alone; nothing shows that it has

    assert client.read().body == b"false"


def test_a_command_without_an_end_is_cut(switch: SwitchThread, client: RawClient):
    with suppress(ConnectionError):
        client.sock.sendall(b"x" * 200_000)

    assert_cut(client)


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
