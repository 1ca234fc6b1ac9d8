"""The audit as a table of heartbeats, on recorded ones, and the limit of silence that heartbeats give."""

import json
from typing import Any

import pytest

from esl_listener.liveness import HeartbeatTimeout
from esl_listener.session_audit import SessionAudit, SessionGap, sessions_in, shows_session
from tests.factories import created, legs_of
from tests.paths import PROTOCOL
from tollbook.esl.framing import EVENT_JSON, EVENT_PLAIN, Framer

S = 1_000_000


@pytest.mark.parametrize(
    ("beats", "unheard"),
    [
        # Each beat: (Session-Since-Startup, sessions heard of since the beat before).
        pytest.param([(5, 0)], [0], id="the first beat says nothing"),
        pytest.param([(500, 0), (500, 0), (500, 0)], [0, 0, 0], id="what came before is not counted"),
        pytest.param([(5, 9), (8, 3), (9, 1)], [0, 0, 0], id="all heard"),
        pytest.param([(5, 0), (8, 0), (8, 0), (8, 0)], [0, 0, 3, 0], id="a gap is reported once, by the beat after it"),
        pytest.param([(5, 0), (8, 2), (8, 1), (9, 1)], [0, 0, 0, 0], id="a CREATE sent after the beat that counts it"),
        pytest.param([(0, 0), (9, 7), (18, 9), (27, 9)], [0, 0, 2, 0], id="always two ahead is a gap once"),
        pytest.param([(0, 0), (5, 0), (9, 0), (9, 0)], [0, 0, 5, 4], id="a gap that grows"),
        pytest.param([(0, 0), (3, 0), (3, 0), (3, 0), (7, 0), (7, 0)], [0, 0, 3, 0, 0, 4], id="two gaps"),
        pytest.param([(0, 0), (0, 7), (3, 0), (3, 0)], [0, 0, 0, 3], id="recovered legs make up for nothing"),
        pytest.param([(90, 0), (95, 0), (2, 9), (2, 0), (4, 2)], [0, 0, 0, 0, 0], id="a count that falls"),
    ],
)
def test_gaps(beats: list[tuple[int, int]], unheard: list[int]) -> None:
    audit = SessionAudit()
    reported: list[int] = []
    for sessions, heard in beats:
        for _ in range(heard):
            audit.hear()
        gap = audit.beat(sessions)
        reported.append(gap.unheard if gap else 0)
    assert reported == unheard


def test_a_gap_says_its_numbers() -> None:
    audit = SessionAudit()
    audit.beat(100)
    for _ in range(6):
        audit.hear()
    audit.beat(110)
    assert audit.beat(110) == SessionGap(unheard=4, sessions=10, heard=6)


def test_the_count_is_read_from_recorded_heartbeats() -> None:
    """In both formats, and never negative or falling while one process lives."""
    for path in (PROTOCOL / "heartbeat_json.esl", PROTOCOL / "heartbeat_plain.esl"):
        frames = [frame for frame in Framer().feed(path.read_bytes()) if b"HEARTBEAT" in frame.body[:40]]
        counts = [sessions_in(frame.type, frame.body) for frame in frames]
        assert counts
        assert all(isinstance(count, int) and count >= 0 for count in counts)
        assert 215 in counts


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (EVENT_JSON, b""),
        (EVENT_JSON, b"{}"),
        (EVENT_JSON, b"[]"),
        (EVENT_JSON, b'{"Session-Since-Startup":"many"}'),
        (EVENT_JSON, b'{"Session-Since-Startup":"-3"}'),
        (EVENT_JSON, b'{"Session-Since-Startup":"\xff"}'),
        (EVENT_JSON, b'{"a":' * 100_000),
        (EVENT_PLAIN, b""),
        (EVENT_PLAIN, b"Session-Since-Startup: many\n\n"),
        (EVENT_PLAIN, b"Session-Since-Startup: " + b"9" * 400 + b"\n\n"),
        (EVENT_PLAIN, b"X-Session-Since-Startup: 5\n\n"),
    ],
    ids=range(11),
)
def test_what_is_no_count_is_none(kind: bytes, body: bytes) -> None:
    assert sessions_in(kind, body) is None


def test_both_formats_give_a_count() -> None:
    assert (
        sessions_in(EVENT_JSON, json.dumps({"Event-Name": "HEARTBEAT", "Session-Since-Startup": "12"}).encode()) == 12
    )
    assert sessions_in(EVENT_PLAIN, b"Event-Name: HEARTBEAT\nSession-Since-Startup: 12\n\n") == 12


@pytest.mark.parametrize(
    ("beats", "limit_s"),
    [
        # Each beat: (seconds by our clock, seconds by the switch's); None: the connection was lost in between.
        pytest.param([], 180, id="unknown"),
        pytest.param([(0, 0)], 180, id="one beat shows no interval"),
        pytest.param([(0, 0), (20, 20)], 60, id="FreeSWITCH as it comes"),
        pytest.param([(0, 0), (0.5, 0.5)], 3, id="never below 3 s"),
        pytest.param([(0, 0), (120, 120)], 180, id="never above 180 s, and above the interval"),
        pytest.param([(0, 0), (55, 20), (55, 40), (55, 60)], 60, id="read all at once after a stall"),
        pytest.param([(0, 100), (20, 20)], 60, id="a clock set back"),
        pytest.param([(0, 0), (20, 9_000)], 180, id="a clock set forward"),
        pytest.param([(0, 0), (20, 20), None, (500, 500)], 60, id="a lost connection teaches nothing"),
    ],
)
def test_the_limit_of_silence(beats: list[tuple[float, float] | None], limit_s: float) -> None:
    timeout = HeartbeatTimeout()
    for beat in beats:
        if beat is None:
            timeout.interrupt()
        else:
            timeout.beat(beat[0], int(beat[1] * S))
    assert timeout.limit_s == pytest.approx(limit_s)


@pytest.mark.parametrize(
    ("name", "facts", "shown"),
    [
        ("CHANNEL_CREATE", {}, True),
        ("CHANNEL_ANSWER", {}, False),
        ("CHANNEL_HANGUP_COMPLETE", {}, False),
        ("CHANNEL_HANGUP_COMPLETE", {"channel": "pickup/sales"}, True),
        ("CHANNEL_HANGUP_COMPLETE", {"created_us": 0}, True),
    ],
)
def test_a_session_is_heard_by_its_first_event(name: str, facts: dict[str, Any], shown: bool) -> None:
    """A pickup channel and a scanner that never authenticates send an end and nothing before it."""
    event = created(**{"name": name, **facts})
    leg = next(iter(legs_of(event)), None)
    assert shows_session(event, leg) == shown
