"""What follows from what a receiver answered."""

from maintenance.deliver.outcome import Outcome, settlement
from maintenance.deliver.retry import GIVE_UP_S, PAUSE_AFTER
from tests.unit.maintenance.deliver.given import delivery


def test_what_was_delivered_is_done_and_ends_a_row_of_failures() -> None:
    found = settlement([Outcome(delivery=delivery(), error="HTTP 500"), Outcome(delivery=delivery(seq=8))], {1: 7}, {})
    assert found.delivered == [(1, 8)]
    (state,) = found.states
    assert (state.delivered, state.failed, state.failures, state.pause_s) == (1, 1, 0, 0)


def test_failures_in_a_row_pause_the_endpoint() -> None:
    failed = [Outcome(delivery=delivery(), error="HTTP 500")]
    (before,) = settlement(failed, {1: PAUSE_AFTER - 2}, {}).states
    assert (before.failures, before.pause_s) == (PAUSE_AFTER - 1, 0)
    (state,) = settlement(failed, {1: before.failures}, {}).states
    assert (state.failures, state.failed, state.off) == (PAUSE_AFTER, 1, "")
    assert state.pause_s > 0


def test_what_fails_at_once_is_one_failure() -> None:
    """Eight are under way when a receiver is restarted: it is not left alone for half a minute for that."""
    failed = [Outcome(delivery=delivery(seq=seq), error="refused") for seq in range(8)]
    (state,) = settlement(failed, {}, {}).states
    assert (state.failures, state.failed, state.pause_s) == (1, 8, 0)
    taken = [Outcome(delivery=delivery(seq=seq)) for seq in range(8, 16)]
    (state,) = settlement([*failed, *taken], {1: 3}, {}).states
    assert (state.failures, state.failed, state.delivered) == (0, 8, 8)


def test_a_receiver_that_takes_a_few_of_many_fails() -> None:
    """Whether the last or the first of those that were sent at once is the one that it took."""
    failed, taken = (
        [Outcome(delivery=delivery(seq=seq), error="HTTP 500") for seq in range(7)],
        Outcome(delivery=delivery(seq=8)),
    )
    for outcomes in ([*failed, taken], [taken, *failed]):
        (state,) = settlement(outcomes, {1: PAUSE_AFTER - 1}, {}).states
        assert (state.failures, state.failed, state.delivered) == (PAUSE_AFTER, 7, 1)
        assert state.pause_s > 0


def test_a_delivery_is_given_up_after_three_days_and_the_endpoint_goes_on() -> None:
    """Others were taken meanwhile: it is this event that is not."""
    late = delivery(attempts=30, failed_for_s=GIVE_UP_S)
    found = settlement([Outcome(delivery=late, error="HTTP 500"), Outcome(delivery=delivery(seq=8))], {}, {})
    assert [failure.again_s for failure in found.failed] == [None]
    assert (found.states[0].dead, found.states[0].off) == (1, "")


def test_an_endpoint_that_took_nothing_for_three_days_is_switched_off() -> None:
    """With the delivery that failed first and is given up now."""
    given_up = Outcome(delivery=delivery(attempts=25, failed_for_s=GIVE_UP_S), error="HTTP 500")
    found = settlement([given_up], {1: 99}, {1: GIVE_UP_S - 1})  # which is written a moment after the delivery
    assert "three days" in found.states[0].off
    assert "HTTP 500" in found.states[0].off
    taken_since = settlement([given_up], {1: 99}, {1: GIVE_UP_S / 2})
    assert taken_since.states[0].off == ""


def test_one_failure_after_a_quiet_time_switches_nothing_off() -> None:
    """The failure before was of a delivery that was given up, or is gone: since then there was nothing to take."""
    found = settlement([Outcome(delivery=delivery(), error="HTTP 500")], {1: 1}, {1: 2 * GIVE_UP_S})
    assert found.states[0].off == ""


def test_410_switches_off_at_once() -> None:
    found = settlement([Outcome(delivery=delivery(), error="HTTP 410", gone=True)], {}, {})
    assert "410" in found.states[0].off


def test_an_error_is_kept_in_few_words() -> None:
    found = settlement([Outcome(delivery=delivery(), error="x" * 1000)], {}, {})
    assert len(found.failed[0].error) == len(found.states[0].error) == 300


def test_an_error_is_text_that_the_database_takes() -> None:
    """Whatever the other side put into it: otherwise it could not be written, nor anything beside it."""
    found = settlement([Outcome(delivery=delivery(), error="a\0b\ud800c\n\x1bd")], {}, {})
    assert found.failed[0].error == found.states[0].error == "a b c  d"
