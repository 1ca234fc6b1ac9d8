"""Reader and writer wait while it is quiet, and not while it is busy."""

import pytest

from esl_listener.pace import linger_s, pause_s

EVENT_BYTES = 8_000


@pytest.mark.parametrize(
    ("size", "took_s", "expected_s"),
    [
        (EVENT_BYTES, 20.0, 0.1),  # one event after a long silence
        (EVENT_BYTES, 0.1, 0.1),  # 10 a second
        (EVENT_BYTES * 4, 0.016, 0.032768),  # 250 a second: as long as eight of them take
        (EVENT_BYTES * 4, 0.002, 0.004096),  # 2,000 a second
        (EVENT_BYTES, 0.0, 0.0),
        (64 * 1024, 20.0, 0.0),  # as many as are waited for
        (256 * 1024, 0.001, 0.0),
    ],
)
def test_the_reader_waits_for_some_eight_events(size: int, took_s: float, expected_s: float) -> None:
    """As long as they take at the rate of the last, and a tenth of a second at most."""
    assert pause_s(size, took_s) == pytest.approx(expected_s)


@pytest.mark.parametrize(
    ("legs", "took_s", "expected_s"),
    [
        (0, 0.5, 0.15),  # nothing for a while
        (6, 0.15, 0.15),  # 40 a second
        (30, 0.06, 0.064),  # 500 a second: as long as 32 of them take
        (80, 0.1, 0.04),
        (100, 0.1, 0.0),  # 1,000 a second
        (500, 0.1, 0.0),
        (1, 0.0, 0.0),
    ],
)
def test_the_writer_waits_for_some_32_legs(legs: int, took_s: float, expected_s: float) -> None:
    """As long as they take at the rate of the last, 0.15 s at most, and not at all from 1,000 a second on."""
    assert linger_s(legs, took_s) == pytest.approx(expected_s)
