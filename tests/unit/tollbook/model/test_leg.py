"""What several observers know of one leg, merged: in any order, and however often, it is the same leg."""

import itertools

import msgspec
import pytest

from tollbook.model.call_tree import calls_of
from tollbook.model.leg import ESTIMATED, FROM_CDR_FILE, FROM_LOOK, Facts, Leg, end_as_lost, merge_all

BORN_US = 1_800_000_000_000_000
SECOND = 1_000_000


def leg(*, seen_s: int = 0, answered_s: int = 0, **known: object) -> Leg:
    """One observer's view of the leg."""
    return msgspec.structs.replace(
        Leg(
            switch="fs", uid="a", created_us=BORN_US,
            seen_us=BORN_US + seen_s * SECOND if seen_s else 0,
            answered_us=BORN_US + answered_s * SECOND if answered_s else 0,
        ),
        **known,
    )  # fmt: skip


def joined(*views: Leg) -> Leg:
    """All views in one, which must be the same in every order and however often each of them comes."""
    results = [
        leg
        for order in itertools.permutations(views)
        for leg in merge_all((*order, order[0])).values()
    ]  # fmt: skip
    assert all(result == results[0] for result in results)
    return results[0]


def test_the_newest_sign_of_life_is_kept() -> None:
    """A leg that is lost ended no earlier than anything that was heard of it."""
    merged = joined(leg(seen_s=5), leg(seen_s=90), leg(), leg(seen_s=7))
    assert merged.seen_us == BORN_US + 90 * SECOND
    end = end_as_lost(merged, BORN_US + 20 * SECOND).end
    assert end
    assert end.hangup_us == BORN_US + 90 * SECOND


def test_the_earliest_answer_is_kept() -> None:
    """A leg is answered once: what is heard of a later answer (after a transfer) never shortens what is billed."""
    assert joined(leg(answered_s=30), leg(answered_s=10), leg()).answered_us == BORN_US + 10 * SECOND


@pytest.mark.parametrize("where", ["create", "look"])
def test_the_earliest_answer_of_all_records_counts_while_no_end_states_it(where: str) -> None:
    """Two records of a recovered leg, an event and a look: the first answer that any of them states is the leg's."""
    stated = Facts(at_us=BORN_US + 40 * SECOND, source=FROM_LOOK, answered_us=BORN_US + 10 * SECOND)
    first = leg(answered_s=30, **{where: stated})
    again = Facts(at_us=BORN_US + 60 * SECOND, recovered=True)
    second = leg(answered_s=70, created_us=BORN_US + 60 * SECOND, create=again)
    for records in ([first, second], [second, first]):
        ((call,),) = [calls_of(records)]
        assert call.legs[0].answered_us == BORN_US + 10 * SECOND


def test_the_answer_that_an_estimated_end_lacks_is_the_earliest_that_was_heard() -> None:
    """And an exact end is believed, also when it says that nobody answered."""
    heard = leg(answered_s=30, create=Facts(answered_us=BORN_US + 20 * SECOND))
    estimate = leg(end=Facts(source=ESTIMATED, hangup_us=BORN_US + 99 * SECOND))
    exact = leg(end=Facts(hangup_us=BORN_US + 99 * SECOND))
    assert calls_of([joined(heard, estimate)])[0].legs[0].answered_us == BORN_US + 20 * SECOND
    assert calls_of([joined(heard, estimate, exact)])[0].legs[0].answered_us == 0


def test_the_better_source_is_believed_then_the_earlier_statement() -> None:
    """Of two events, a CDR file and an estimate: the first of the events."""
    ends = [
        Facts(at_us=2, cause="SECOND EVENT"), Facts(at_us=1, cause="FIRST EVENT"),
        Facts(at_us=0, source=FROM_CDR_FILE, cause="FILE"), Facts(at_us=0, source=ESTIMATED, cause="ESTIMATE"),
    ]  # fmt: skip
    believed = [joined(*(leg(end=end) for end in ends[first:])).end for first in range(len(ends))]
    assert [end.cause for end in believed if end] == ["FIRST EVENT", "FIRST EVENT", "FILE", "ESTIMATE"]
