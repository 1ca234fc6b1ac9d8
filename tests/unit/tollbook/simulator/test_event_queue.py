"""The queue of one connection is bounded as FreeSWITCH bounds it."""

from collections.abc import Callable

from tollbook.simulator.event_queue import MAX_MISSED, EventQueue


def rendering(frame: bytes) -> Callable[[], bytes]:
    return lambda: frame


def test_events_beyond_the_bound_are_dropped_and_replies_are_not():
    queue = EventQueue(2)
    assert [queue.put_event(event) for event in (rendering(b"a"), rendering(b"b"), rendering(b"c"))] == [
        True,
        True,
        False,
    ]
    queue.put_reply(b"r")

    assert queue.take(2) == b"ab"
    assert queue.take(9) == b"r"
    assert queue.missed == 1


def test_five_hundred_may_be_missed_in_a_row():
    queue = EventQueue(0)
    for _ in range(MAX_MISSED):
        queue.put_event(rendering(b"x"))
    assert not queue.broken

    queue.put_event(rendering(b"x"))
    assert queue.broken


def test_an_event_that_fits_forgives_the_missed_ones():
    queue = EventQueue(1)
    for _ in range(MAX_MISSED):
        queue.put_event(rendering(b"x"))
    queue.take(1)
    queue.put_event(rendering(b"x"))

    assert queue.missed == 0


def test_a_client_that_reads_no_answers_is_cut():
    queue = EventQueue(10)
    for _ in range(10_011):
        queue.put_reply(b"r")

    assert queue.broken
