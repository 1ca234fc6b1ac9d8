"""Framing: the same frames however the bytes come, no bytes crash it, a bad frame costs at most itself."""

import itertools
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from esl_listener.connection import EventSocket
from esl_listener.decoder import Decoder
from tests.esl_client import messages_in
from tests.paths import ESL
from tollbook.errors import SwitchUnavailable
from tollbook.esl.framing import MAX_HEAD_BYTES, Frame, Framer
from tollbook.setting_values import EslAddress

STREAMS = sorted(ESL.glob("calls/*/*.esl")) + sorted(ESL.glob("protocol/*.esl"))
SMALL = [
    ESL / "calls" / name / form for name in ("fail_no_extension", "cid_9904") for form in ("json.esl", "plain.esl")
]
BOTH = pytest.mark.parametrize("form", ["json", "plain"])


def frames(*chunks: bytes, framer: Framer | None = None) -> list[Frame]:
    framer = framer or Framer()
    return [frame for chunk in chunks for frame in framer.feed(chunk)]


def heard(*chunks: bytes) -> tuple[list[str], int]:
    """Read chunks as the connection does; return the ids of the events, and how many frames were refused."""
    decoder, ids = Decoder("accountcode", "cdr_parent"), list[str]()
    address = EslAddress(host="127.0.0.1", port=1, password=SecretStr("x"))
    connection = EventSocket(
        address, lambda frame: ids.append(decoder.decode(frame.type, frame.body).uid), lambda: None
    )
    for chunk in chunks:
        for frame in connection._framer.feed(chunk):
            connection._take(frame)
    return ids, connection.frames_refused


def event(uid: str, form: str = "json", length: str | int | None = None, name: str = "CHANNEL_CREATE") -> bytes:
    """The frame of an event of realistic shape, with a Content-Length that may lie."""
    padding = "p" * 300
    body = (
        f'{{"Event-Name":"{name}","Unique-ID":"{uid}","variable_padding":"{padding}"}}'
        if form == "json"
        else f"Event-Name: {name}\nUnique-ID: {uid}\nvariable_padding: {padding}\n\n"
    ).encode()
    said = len(body) if length is None else length
    return f"Content-Length: {said}\nContent-Type: text/event-{form}\n\n".encode() + body


def true_length(form: str) -> int:
    return len(event("bad", form).partition(b"\n\n")[2])


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_recording_in_small_pieces_gives_its_frames(path: Path) -> None:
    stream = path.read_bytes()
    wanted = [message.body for message in messages_in(stream)]
    assert [frame.body for frame in frames(stream)] == wanted
    assert b"".join(frame.raw for frame in frames(stream)) == stream
    framer = Framer()
    pieces = frames(*(stream[at : at + 613] for at in range(0, len(stream), 613)), framer=framer)
    assert [frame.body for frame in pieces] == wanted
    assert framer.refused == 0


@given(data=st.data())
def test_cut_at_any_bytes_the_frames_are_the_same(data: st.DataObject) -> None:
    stream = data.draw(st.sampled_from(SMALL)).read_bytes()[:40_000]
    whole = frames(stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=30)))
    pieces = [stream[a:b] for a, b in itertools.pairwise([0, *cuts, len(stream)])]
    assert frames(*pieces) == whole
    assert whole


def test_byte_by_byte_the_frames_are_the_same() -> None:
    stream = b"".join([event("a"), b"Content-Type: command/reply\nReply-Text: +OK\n\n", event("b", "plain")])
    assert frames(*(bytes([byte]) for byte in stream)) == frames(stream)


@given(st.lists(st.one_of(st.binary(max_size=200), st.sampled_from([b"\n\n", b"Content-Length: 12\n", event("x")]))))
def test_any_bytes_raise_nothing(chunks: list[bytes]) -> None:
    heard(*chunks)


@given(st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=8)), max_size=6), st.integers(1, 2000))
def test_a_stream_with_holes_and_rubbish_in_it_comes_back_in_step(damage: list[tuple[float, bytes]], cut: int) -> None:
    """After any damage the reader is in step again: later frames come out, each once and in order."""
    stream = bytearray(b"".join(event(f"bad{number}") for number in range(4)))
    for where, rubbish in damage:
        at = int(where * len(stream))
        stream[at : at + 5] = rubbish
    stream += b"".join(event(f"good{number}") for number in range(4))
    ids, _ = heard(*(bytes(stream[at : at + cut]) for at in range(0, len(stream), cut)))
    # The damage can reach into the head before the first good frame, never farther.
    assert ids[-3:] == ["good1", "good2", "good3"]
    assert ids.count("good0") <= 1


@BOTH
@pytest.mark.parametrize("cut", [1, 7, 64, 333, 10**9])
@pytest.mark.parametrize(
    "change", [-(10**6), -371, -100, -40, -2, -1, 1, 2, 10, 40, 48, 60, 100, 371, 1000, 5000, 10**6, 10**8, 10**11]
)
def test_a_wrong_length_costs_its_own_frame_only(form: str, cut: int, change: int) -> None:
    """Too short, too long, 100 MB or absurd: the frames around it come out, each once."""
    length = max(0, true_length(form) + change)
    good = [event(f"good{number}", form) for number in range(9)]
    stream = b"".join([*good[:3], event("bad", form, length), *good[3:]])
    ids, refused = heard(*(stream[at : at + cut] for at in range(0, len(stream), cut)))
    assert [uid for uid in ids if uid != "bad"] == [f"good{number}" for number in range(9)]
    assert ids.count("bad") <= 1
    assert refused >= 1


@BOTH
@pytest.mark.parametrize("cut", [1, 64, 333, 10**9])
@pytest.mark.parametrize("length", ["abc", "", "-1", "1e3", "0x10", "12 34", "9" * 13, "9" * 5000, "١٢"])
def test_a_length_that_is_no_number_costs_its_own_frame_only(form: str, cut: int, length: str) -> None:
    good = [event(f"good{number}", form) for number in range(4)]
    stream = b"".join([good[0], event("bad", form, length), *good[1:]])
    ids, refused = heard(*(stream[at : at + cut] for at in range(0, len(stream), cut)))
    assert ids == ["good0", "good1", "good2", "good3"]
    assert refused >= 1


def test_many_bad_frames_in_one_chunk_nest_nothing() -> None:
    """5,000 unusable frames, each of which swallowed the next one's head, and the stream goes on."""
    bad = b"Content-Length: 60\nContent-Type: text/event-json\n\nnot json"
    ids, refused = heard(bad * 5000 + event("good"))
    assert ids == ["good"]
    assert refused >= 5000


def test_a_refused_frame_does_not_bring_back_the_frames_before_it() -> None:
    """All in one chunk: frames that were already yielded are not read again."""
    ids, _ = heard(event("a") + event("b") + event("bad", length=true_length("json") + 200) + event("c"))
    assert ids == ["a", "b", "c"]


def test_a_body_of_100_mb_is_passed_over_in_bounded_memory() -> None:
    """A frame larger than the bound is skipped as it comes; the next one is read."""
    framer = Framer()
    chunk = b"x" * 1_000_000
    tracemalloc.start()
    try:
        found = list(framer.feed(b'Content-Length: 100000002\nContent-Type: text/event-json\n\n"'))
        for _ in range(100):
            found += framer.feed(chunk)
        found += framer.feed(b'"' + event("good"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found) == 1
    assert b"good" in found[0].body
    assert framer.refused == 1
    assert peak < 8_000_000


@pytest.mark.parametrize("rubbish", [b"A: b\n", b"x", b"\0", b"Content-Length: 1\n"])
def test_a_head_without_end_is_bounded(rubbish: bytes) -> None:
    """Headers that never end keep at most what a head may have; a frame after them is found."""
    framer = Framer()
    tracemalloc.start()
    try:
        for _ in range(200):
            assert list(framer.feed(rubbish * (50_000 // len(rubbish)))) == []
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20 * MAX_HEAD_BYTES
    assert framer.refused >= 1
    (frame,) = framer.feed(event("good"))
    assert b"good" in frame.body


def test_headers_may_stand_in_any_order_and_others_between() -> None:
    stream = (
        b"Content-Type: text/event-json\nContent-Length: 2\n\n{}"
        b"X-Odd: 1\nContent-Type: api/response\nY-Odd:\nContent-Length:3\n\nabc"
        b"Content-Length: 0\nContent-Type: api/response\n\n"
        b"Content-Type: text/disconnect-notice\nContent-Disposition: linger\nContent-Length: 1\n\n!"
    )
    found = frames(stream)
    assert [(frame.type, frame.body) for frame in found] == [
        (b"text/event-json", b"{}"),
        (b"api/response", b"abc"),
        (b"api/response", b""),
        (b"text/disconnect-notice", b"!"),
    ]
    assert found[1].header(b"X-Odd") == b"1"
    assert found[1].header(b"Absent") == b""


@BOTH
def test_an_event_without_a_body_is_refused_and_the_next_comes_out(form: str) -> None:
    ids, refused = heard(f"Content-Length: 0\nContent-Type: text/event-{form}\n\n".encode() + event("good", form))
    assert (ids, refused) == (["good"], 1)


def test_a_reply_without_a_body_needs_no_length() -> None:
    """command/reply has none; what follows at once is the next frame."""
    stream = b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n" * 2 + event("a")
    assert [frame.type for frame in frames(stream)] == [b"command/reply"] * 2 + [b"text/event-json"]
    assert frames(stream)[0].header(b"Reply-Text") == b"+OK accepted"


def test_a_disconnect_notice_ends_the_session_and_a_lingering_one_does_not() -> None:
    notice = b"Content-Type: text/disconnect-notice\n%sContent-Length: 4\n\nbye\n"
    assert heard(notice % b"Content-Disposition: linger\n", event("a"))[0] == ["a"]
    with pytest.raises(SwitchUnavailable, match="ended the session"):
        heard(notice % b"")


def test_a_head_in_a_callers_name_is_not_taken_for_one() -> None:
    """An anonymous caller writes a whole frame into the display name: it stays inside its value."""
    inner = r"Content-Length: 20\nContent-Type: text/event-json\n\n{\"Unique-ID\":\"forged\"}"
    hostile = event("real").replace(b"p" * 300, inner.encode())
    hostile = b"Content-Length: %d\n" % len(hostile.partition(b"\n\n")[2]) + hostile.partition(b"\n")[2]
    bad = hostile.replace(b"{", b"!", 1)
    assert heard(hostile, event("next")) == (["real", "next"], 0)
    assert heard(bad, event("next")) == (["next"], 1)


@BOTH
def test_after_a_frame_cut_off_inside_a_header_the_next_comes_out(form: str) -> None:
    """Its head begins in the middle of a line, after what is left of the one before."""
    assert heard(b"Content-Length: 99\nX-Cut: ab" + event("good", form) + event("next")) == (["good", "next"], 1)
    assert heard(b"X-Cut: ab" + event("good", form) + event("next")) == (["good", "next"], 1)
    for length in (300, 5_000, 10**11):  # of the cut frame: of its own, of several, of more than we take
        cut = f"Content-Length: {length}\nContent-Type: text/event-pla".encode()
        for end in (event("next"), event("next") + event("more")):
            ids, refused = heard(cut + event("good", form) + end)
            assert ids == ["good", "next", "more"][: 1 + end.count(b"Event-Name")]
            assert refused >= 1


@BOTH
@pytest.mark.parametrize(
    "head",
    [
        "Content-Type: api/response",
        "Content-Type: command/reply\nReply-Text: +OK",
        "Content-Type: text/rude-rejection",
        "Content-Type: text/eve't",
    ],
)
def test_a_frame_that_nobody_asked_for_covers_no_event(head: str, form: str) -> None:
    """A damaged head makes an event a reply, or nothing that we know; its length reaches into the next frame."""
    greeting = b"Content-Type: auth/request\n\n"
    damaged = f"{head}\nContent-Length: 40\n\n{'x' * 20}".encode()
    ids, refused = heard(greeting + damaged + event("good", form) + event("next"))
    assert ids == ["good", "next"]
    assert refused >= 1


@pytest.mark.parametrize("over", ["its head", "half of its head", "all of it"])
def test_a_plain_event_without_its_end_covers_no_other(over: str) -> None:
    """Its length reaches over the next frame's head, whose Content-Length looks like that of a body."""
    good = event("good", "plain")
    covered = {"its head": good.index(b"\n\n") + 2, "half of its head": 12, "all of it": len(good)}[over]
    cut = b"Event-Name: CHANNEL_CREATE\nUnique-ID: cut\n"
    head = b"Content-Length: %d\nContent-Type: text/event-plain\n\n" % (len(cut) + covered)
    assert heard(head + cut + good + event("next"))[0] == ["good", "next"]


def test_a_plain_event_may_have_a_body_and_a_type_of_its_own() -> None:
    """As a MESSAGE has: exactly as long as its own Content-Length says."""
    body = b"Event-Name: MESSAGE\nUnique-ID: a\nContent-Type: text/plain\nContent-Length: 5\n\nhello"
    head = b"Content-Length: %d\nContent-Type: text/event-plain\n\n"
    assert heard(head % len(body) + body)[0] == ["a"]
    assert heard(head % (len(body) - 1) + body)[0] == []


def test_a_json_event_without_its_end_covers_no_other() -> None:
    """The tolerant parser would take the raw line breaks of the next frame's head as part of a value."""
    good = event("good")
    body = b'{"Event-Name":"CHANNEL_CREATE","Unique-ID":"cut","x":"' + good.replace(b'"', b"'") + b'"}'
    assert heard(b"Content-Length: %d\nContent-Type: text/event-json\n\n" % len(body) + body)[0] == []
