"""When a delivery is tried again, and when it is given up."""

import pytest

from maintenance.deliver.retry import GIVE_UP_S, PAUSE_AFTER, delivery_wait_s, endpoint_pause_s


def test_a_delivery_is_tried_over_three_days() -> None:
    """Soon at first, then less often, with jitter; the last time when the three days are over."""
    for chance in (0.0, 0.5, 0.999):
        at_s, tries = 0.0, 1
        while (wait_s := delivery_wait_s(tries, at_s, chance)) is not None:
            assert 0 < wait_s <= 4 * 3600
            at_s, tries = at_s + wait_s, tries + 1
        assert GIVE_UP_S <= at_s <= GIVE_UP_S + 1
        assert 25 <= tries <= 60
    assert delivery_wait_s(1, 0, 0.0) == 2.5
    assert delivery_wait_s(1, 0, 1.0) == 5.0


def test_after_three_days_it_is_given_up() -> None:
    assert delivery_wait_s(3, GIVE_UP_S) is None


@pytest.mark.parametrize("failures", range(PAUSE_AFTER))
def test_an_endpoint_goes_on_after_a_few_failures(failures: int) -> None:
    """One bad event may be the cause."""
    assert endpoint_pause_s(failures) == 0


def test_an_endpoint_that_is_down_is_asked_at_least_every_ten_minutes() -> None:
    pauses = [endpoint_pause_s(failures, 1.0) for failures in range(PAUSE_AFTER, PAUSE_AFTER + 20)]
    assert pauses[0] == 5.0
    assert pauses == sorted(pauses)
    assert pauses[-1] == 600.0
