"""The back-off, as a table and a property."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbook.backoff import Backoff


@pytest.mark.parametrize(
    ("attempt", "least", "most"),
    [
        (0, 0.125, 0.25),
        (1, 0.25, 0.5),
        (2, 0.5, 1.0),
        (5, 4.0, 8.0),
        (6, 7.5, 15.0),
        (7, 7.5, 15.0),
        (10**9, 7.5, 15.0),
    ],
)
def test_waits_double_up_to_the_longest(attempt: int, least: float, most: float) -> None:
    assert Backoff().wait_s(attempt, chance=0) == least
    assert Backoff().wait_s(attempt, chance=1) == most
    assert least <= Backoff().wait_s(attempt) <= most


@given(st.integers(0, 10**6), st.floats(0, 1, exclude_max=True), st.floats(0.001, 10), st.floats(0.001, 1000))
def test_no_wait_is_longer_than_the_longest(attempt: int, chance: float, first_s: float, longest_s: float) -> None:
    wait_s = Backoff(first_s=first_s, longest_s=longest_s).wait_s(attempt, chance)
    assert min(first_s, longest_s) / 2 <= wait_s <= longest_s


def test_two_listeners_do_not_knock_in_step() -> None:
    assert len({Backoff().wait_s(8) for _ in range(20)}) > 15
