"""The queue of one connection is bounded as FreeSWITCH bounds it."""

from collections.abc import Callable

from tollbook.simulator.event_queue import MAX_MISSED, Outbox


def rendering(frame: bytes) -> Callable[[], bytes]:
    return lambda: frame


def test_events_beyond_the_bound_are_dropped_and_replies_are_not():
    outbox = Outbox(2)
    assert [outbox.put_event(event) for event in (rendering(b"a"), rendering(b"b"), rendering(b"c"))] == [
        True,
        True,
        False,
    ]
    outbox.put_reply(b"r")

    assert outbox.take(2) == b"ab"
    assert outbox.take(9) == b"r"
    assert outbox.missed == 1


def test_five_hundred_may_be_missed_in_a_row():
    outbox = Outbox(0)
    for _ in range(MAX_MISSED):
        outbox.put_event(rendering(b"x"))
    assert not outbox.broken

    outbox.put_event(rendering(b"x"))
    assert outbox.broken


def test_an_event_that_fits_forgives_the_missed_ones():
    outbox = Outbox(1)
    for _ in range(MAX_MISSED):
        outbox.put_event(rendering(b"x"))
    outbox.take(1)
    outbox.put_event(rendering(b"x"))

    assert outbox.missed == 0


def test_a_client_that_reads_no_answers_is_cut():
    outbox = Outbox(10)
    for _ in range(10_011):
        outbox.put_reply(b"r")

    assert outbox.broken
