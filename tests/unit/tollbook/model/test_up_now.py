"""Who waits now, since when, and in which queue."""

import pytest

from tests.factories import START_US
from tollbook.model.up_now import NotedTimes, Wait, wait_now

LATER_US = START_US + 5_000_000


@pytest.mark.parametrize(
    ("legs", "wait"),
    [
        ([NotedTimes(ended=False)], None),
        ([NotedTimes(ended=False, joined_us=(START_US,))], Wait(since_ts=START_US // 1000, queue_id=None)),
        (
            [NotedTimes(ended=False, joined_us=(START_US,), in_queue=(START_US, "sales"))],
            Wait(since_ts=START_US // 1000, queue_id="sales"),
        ),
        # He was sent on into another queue: that one counts.
        (
            [
                NotedTimes(
                    ended=False, joined_us=(START_US, LATER_US), left_us=(LATER_US - 1,), in_queue=(LATER_US, "support")
                )
            ],
            Wait(since_ts=LATER_US // 1000, queue_id="support"),
        ),
        # An earlier observer did not note the queue of the last visit, which is not that of the one before.
        (
            [NotedTimes(ended=False, joined_us=(START_US, LATER_US), in_queue=(START_US, "sales"))],
            Wait(since_ts=LATER_US // 1000, queue_id=None),
        ),
        (
            [
                NotedTimes(ended=False, joined_us=(START_US,), in_queue=(START_US, "sales")),
                NotedTimes(ended=False, bridged_us=(LATER_US,)),
            ],
            None,
        ),
        ([NotedTimes(ended=True, joined_us=(START_US,), in_queue=(START_US, "sales"))], None),
    ],
)
def test_a_wait_begins_with_the_last_queue_joined(legs: list[NotedTimes], wait: Wait | None) -> None:
    """It ends with an agent, with leaving the queue, or with the leg that joined."""
    assert wait_now(legs) == wait
