"""Each client of the simulated switch gets the recorded replies, and the events that it asked for."""

import re
import time
from contextlib import suppress

import pytest

from tests.esl_client import RawClient
from tests.integration.tollbook.simulator.protocol import GOODBYE, assert_cut, recorded, server_side
from tests.paths import ESL
from tollbook.simulator.thread import SwitchThread


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
