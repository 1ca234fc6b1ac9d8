"""Playing at a pace, at a rate and interleaved, as a client sees it."""

import time
from collections.abc import Iterator

import pytest

from tests.esl_client import RawClient
from tests.paths import CALLS
from tollbook.simulator.recording import load, split_frames
from tollbook.simulator.thread import SwitchThread


@pytest.fixture
def switch() -> Iterator[SwitchThread]:
    with SwitchThread(heartbeat_s=3600) as running:
        yield running


def test_own_pace_faster_by_a_factor(switch: SwitchThread):
    recording = load(CALLS / "outbound_answered")

    begun = time.monotonic()
    played = switch.play([recording], speed=10)

    took_s = time.monotonic() - begun
    assert played == len(recording.events)
    assert recording.offsets_s[-1] / 10 <= took_s + 0.01 < recording.offsets_s[-1] / 10 + 1


def test_calls_played_together_interleave(switch: SwitchThread):
    recording = load(CALLS / "outbound_answered")
    with RawClient(switch.address) as client:
        client.login().command(b"event json CHANNEL_CREATE")
        switch.play([recording, recording], speed=0)
        ids = [event.get(b"Channel-Call-UUID") for event in client.events(4)]

    assert ids[0] == ids[1] != ids[2] == ids[3] or ids[0] == ids[2] != ids[1] == ids[3]


def test_a_rate_is_kept(switch: SwitchThread):
    begun = time.monotonic()
    played = switch.play_at_rate([load(CALLS / "outbound_486_busy")], calls_per_s=100, count=51, speed=0)

    assert 0.49 <= time.monotonic() - begun < 1.5
    assert played == 51 * len(load(CALLS / "outbound_486_busy").events)


def test_fresh_calls_begin_now(switch: SwitchThread):
    with RawClient(switch.address) as client:
        client.login().command(b"event json CHANNEL_CREATE")
        switch.play([load(CALLS / "outbound_answered")])
        created_s = int(client.events(1)[0].get(b"Caller-Channel-Created-Time") or 0) / 1e6

    assert -5 < time.time() - created_s < 5


def test_interleaved_verbatim_keeps_each_recordings_order_and_bytes(switch: SwitchThread):
    recordings = [load(CALLS / name) for name in ("outbound_answered", "cid_sip_unicode", "standby")]
    with RawClient(switch.address) as client:
        client.login().command(b"event plain ALL")
        played = switch.play_interleaved(recordings)
        client.send(b"exit")
        received = client.rest().split(b"Content-Type: command/reply")[0]

    frames = [frame.raw for frame in split_frames(received)]
    assert len(frames) == played == sum(len(recording.events) for recording in recordings)
    assert frames[:3] == [recording.events[0].plain for recording in recordings]
    for recording in recordings:
        own = {event.plain for event in recording.events}
        assert [frame for frame in frames if frame in own] == [event.plain for event in recording.events]
