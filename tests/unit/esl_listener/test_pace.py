"""Reader and writer wait while it is quiet, and not while it is busy."""

import pytest

from esl_listener.pace import Rate, linger_s, pause_s

EVENT_BYTES = 8_000


@pytest.mark.parametrize(
    ("size", "events_per_s", "expected_s"),
    [
        (EVENT_BYTES, 0.0, 0.1),  # nothing came for long
        (EVENT_BYTES, 10.0, 0.1),
        (EVENT_BYTES, 250.0, 0.032768),  # as long as eight of them take
        (EVENT_BYTES, 999.0, 0.0082),
        (EVENT_BYTES, 1000.0, 0.0),
        (64 * 1024, 10.0, 0.0),  # as many as are waited for
        (256 * 1024, 0.0, 0.0),
    ],
)
def test_the_reader_waits_for_some_eight_events(size: int, events_per_s: float, expected_s: float) -> None:
    """As long as they take, a tenth of a second at most, and not at all from 1,000 a second on."""
    assert pause_s(size, events_per_s * EVENT_BYTES) == pytest.approx(expected_s, rel=1e-3)


@pytest.mark.parametrize(
    ("legs", "legs_per_s", "expected_s"),
    [
        (1, 0.0, 0.15),
        (31, 40.0, 0.15),
        (1, 500.0, 0.064),
        (1, 800.0, 0.04),
        (1, 1000.0, 0.0),
        (1, 5000.0, 0.0),
        (32, 0.0, 0.0),  # as many as are waited for, at once
    ],
)
def test_the_writer_waits_for_some_32_legs(legs: int, legs_per_s: float, expected_s: float) -> None:
    """As long as they take, 0.15 s at most, and not at all from 1,000 a second on."""
    assert linger_s(legs, legs_per_s) == pytest.approx(expected_s)


@pytest.mark.parametrize("every_s", [0.001, 0.05, 1.0, 7.0])
def test_a_rate_is_learnt_whatever_the_pieces(every_s: float) -> None:
    rate = Rate()
    for _ in range(round(20 / every_s)):
        rate.add(300 * every_s, every_s)
    assert rate.per_s == pytest.approx(300, rel=0.01)


def test_a_lull_of_a_moment_is_no_quiet_hour() -> None:
    """One event after 5 ms of nothing is not waited for as if 200 came a second."""
    rate = Rate()
    for _ in range(500):
        rate.add(20, 0.01)
    rate.add(1, 0.005)
    assert rate.per_s > 1900
    rate.add(0, 0.0)
    assert rate.per_s > 1900
    rate.add(0, 3.0)
    assert rate.per_s < 150


def test_what_comes_in_no_time_counts() -> None:
    rate = Rate()
    rate.add(5, 0.0)
    assert rate.per_s == 5
