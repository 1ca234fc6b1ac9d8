"""Whether a call that is to be imported is in the book already."""

import pytest

from maintenance.importing.known import judge
from tests.factories import START_MS
from tollbook.model.call_key import CallKey
from tollbook.model.call_span import CallSpan
from tollbook.store.calls.recorded import Recorded

SECOND = START_MS // 1000 * 1000
CALL = CallSpan(CallKey(SECOND, "a", "fs1"), SECOND + 60_000)


def recorded(start_ts: int, end_ts: int | None = None, switch: str = "fs1") -> Recorded:
    return Recorded(switch, "a", start_ts, end_ts)


@pytest.mark.parametrize(
    "other",
    [
        recorded(START_MS),  # its key has ms
        recorded(SECOND + 30_000, SECOND + 90_000),  # they were up at the same time, so it is the same channel
        recorded(SECOND - 30_000, SECOND + 10_000),
    ],
)
def test_the_same_call_by_another_key_is_known(other: Recorded) -> None:
    """Records have whole seconds, and a merged call may begin with another leg."""
    assert judge(CALL, [other]) == "known"


@pytest.mark.parametrize(
    "other", [recorded(SECOND + 61_000, SECOND + 70_000), recorded(SECOND - 77_000, SECOND - 9000)]
)
def test_an_id_that_is_used_again_is_another_call(other: Recorded) -> None:
    """An operator may let the SIP Call-ID be the id."""
    assert judge(CALL, [other]) is None


@pytest.mark.parametrize("hours", [-2, 1, 5.75])
def test_whole_quarters_of_an_hour_are_a_wrong_zone(hours: float) -> None:
    """It would be the same call a second time."""
    found = judge(CALL, [recorded(START_MS + round(hours * 3_600_000))])
    assert found is not None
    assert "`--timezone`" in found


def test_another_switch_with_the_same_call_is_named() -> None:
    """Its records were given the wrong name."""
    found = judge(CALL, [recorded(START_MS, switch="fs2")])
    assert found is not None
    assert "--switch fs2" in found
