"""From changes to spans: what nobody heard is unknown, and the order in which changes come does not matter."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbook.model.agents.change import AgentChange, ChangeKind
from tollbook.model.agents.figures import AgentSums, sums_of
from tollbook.model.agents.spans import BUCKETS, AgentSpan, Bucket, Gap, bucket_of, present, spans_of

S = 1_000_000
IN_CALL = "In a queue call"


def said(at_s: int, kind: ChangeKind, value: str, sequence: int = 1) -> AgentChange:
    return AgentChange("fs", "bob", kind, at_s * S, sequence, value)


SHIFT = [
    said(10, "status", "Available"),
    said(10, "state", "Waiting"),
    said(20, "state", "Receiving"),
    said(22, "state", IN_CALL),
    said(40, "state", "Waiting"),
    said(50, "status", "On Break"),
    said(70, "status", "Logged Out"),
]


def buckets(spans: Sequence[AgentSpan]) -> list[tuple[int, int, str]]:
    return [(span.from_ms // 1000, span.until_ms // 1000, span.bucket) for span in spans]


def test_a_shift() -> None:
    spans = spans_of(SHIFT, [], 0, 100_000)
    assert buckets(spans) == [
        (10, 20, "ready"), (20, 22, "offering"), (22, 40, "incall"), (40, 50, "ready"), (50, 70, "paused"),
        (70, 100, "offline"),
    ]  # fmt: skip
    sums = sums_of(spans)
    assert sums.handled == 1
    assert sums.logged_in_ms == 60_000
    assert sums.handle_ms == 18_000
    assert sums.occupancy_pct == round(100 * 18 / (18 + 20))
    assert sums.utilization_pct == 30


@pytest.mark.parametrize(
    ("status", "state", "bucket"),
    [
        ("Available", "Waiting", "ready"),
        ("Available (On Demand)", "Waiting", "ready"),
        ("Available", "Receiving", "offering"),
        ("Available", "Reserved", "offering"),
        ("Available", "Idle", "idle"),
        ("Available", None, "unknown"),
        ("On Break", "Waiting", "paused"),
        ("On Break", None, "unknown"),
        ("Logged Out", None, "unknown"),
        ("Logged Out", "Waiting", "offline"),
        ("Logged Out", IN_CALL, "incall"),
        (None, IN_CALL, "incall"),
        (None, "Waiting", "unknown"),
        ("Lunch", "Waiting", "unknown"),
        (None, None, "unknown"),
    ],
)
def test_the_bucket_of_a_status_and_a_state(status: str | None, state: str | None, bucket: Bucket) -> None:
    assert bucket_of(status, state) == bucket


def test_a_gap_is_unknown_until_the_agents_are_listed() -> None:
    """What was so before it holds again after it, unless the list said otherwise."""
    spans = spans_of(SHIFT[:2], [Gap(15 * S, 30 * S)], 0, 40_000)
    assert buckets(spans) == [(10, 15, "ready"), (15, 30, "unknown"), (30, 40, "ready")]
    listed = [*SHIFT[:2], said(30, "status", "Logged Out", 0)]
    assert buckets(spans_of(listed, [Gap(15 * S, 30 * S)], 0, 40_000)) == [
        (10, 15, "ready"), (15, 30, "unknown"), (30, 40, "offline"),
    ]  # fmt: skip


def test_in_a_gap_without_an_end_the_switch_must_say_it_anew() -> None:
    spans = spans_of([*SHIFT[:2], said(30, "state", "Waiting")], [Gap(15 * S, None)], 0, 60_000)
    assert buckets(spans) == [(10, 15, "ready"), (15, 30, "unknown"), (30, 60, "unknown")]
    heard = [*SHIFT[:2], said(30, "state", "Waiting"), said(40, "status", "Available")]
    assert buckets(spans_of(heard, [Gap(15 * S, None)], 0, 60_000))[-1] == (40, 60, "ready")


def test_where_gaps_overlap_the_last_end_counts() -> None:
    """The list that ended the first one was not heard in the second."""
    assert buckets(spans_of(SHIFT[:2], [Gap(15 * S, 23 * S), Gap(22 * S, 40 * S)], 0, 50_000)) == [
        (10, 15, "ready"), (15, 40, "unknown"), (40, 50, "ready"),
    ]  # fmt: skip
    for_ever = [Gap(15 * S, 23 * S), Gap(22 * S, None)]
    assert buckets(spans_of(SHIFT[:2], for_ever, 0, 50_000)) == [(10, 15, "ready"), (15, 50, "unknown")]


def test_a_status_alone_says_nothing() -> None:
    """Who wants a break may still be in the call that went before the gap."""
    changes = [*SHIFT[:4], said(35, "status", "On Break"), said(45, "state", "Waiting")]
    assert buckets(spans_of(changes, [Gap(30 * S, None)], 20_000, 50_000)) == [
        (20, 22, "offering"), (22, 30, "incall"), (30, 35, "unknown"), (35, 45, "unknown"), (45, 50, "paused"),
    ]  # fmt: skip


def test_a_call_that_goes_on_through_a_gap_is_one_call() -> None:
    changes = [*SHIFT[:4], said(35, "state", IN_CALL, 0), said(40, "state", "Waiting")]
    spans = spans_of(changes, [Gap(30 * S, 35 * S)], 0, 50_000)
    assert (30, 35, "unknown") in buckets(spans)
    assert sums_of(spans).handled == 1


def test_a_call_counts_when_it_begins() -> None:
    """So days add up: the day on which it goes on does not count it again."""
    days = [spans_of(SHIFT, [], since, since + 30_000) for since in (0, 30_000, 60_000)]
    assert [sums_of(spans).handled for spans in days] == [1, 0, 0]


def test_an_agent_that_is_not_there_has_no_time() -> None:
    changes = [*SHIFT[:2], said(15, "removed", "", 0), said(60, "status", "Available")]
    assert buckets(spans_of(changes, [], 0, 70_000)) == [(10, 15, "ready"), (60, 70, "unknown")]
    assert spans_of([], [Gap(0, None)], 0, 10_000) == []
    assert present(spans_of(changes, [], 0, 50_000), 50_000) is None


def test_what_was_said_before_holds_at_the_beginning() -> None:
    spans = spans_of(SHIFT, [], 45_000, 55_000)
    assert buckets(spans) == [(45, 50, "ready"), (50, 55, "paused")]
    now = present(spans, 55_000)
    assert now is not None
    assert (now.status, now.state) == ("On Break", "Waiting")


kinds = st.sampled_from(
    [("status", "Available"), ("status", "On Break"), ("status", "Logged Out"), ("state", "Waiting"),
     ("state", IN_CALL), ("removed", "")]
)  # fmt: skip
changes = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 3), kinds).map(lambda x: said(x[0], x[2][0], x[2][1], x[1])),
    max_size=12,
)
gaps = st.lists(
    st.tuples(st.integers(0, 60), st.none() | st.integers(0, 60)).map(
        lambda x: Gap(x[0] * S, None if x[1] is None else (x[0] + x[1]) * S)
    ),
    max_size=3,
)


@given(changes=changes, gaps=gaps, cut=st.integers(0, 60), data=st.data())
def test_any_order_and_any_cut_give_the_same(
    changes: list[AgentChange], gaps: list[Gap], cut: int, data: st.DataObject
) -> None:
    """Spans do not overlap, no time is counted twice, and a day and the rest are the whole."""
    whole = spans_of(changes, gaps, 0, 60_000)
    again = data.draw(st.permutations([*changes, *changes[:3]]))
    if not any((a.at_us, a.sequence) == (b.at_us, b.sequence) and a != b for a in changes for b in changes):
        assert spans_of(again, gaps, 0, 60_000) == whole
    assert all(span.from_ms < span.until_ms for span in whole)
    assert all(before.until_ms <= after.from_ms for before, after in itertools.pairwise(whole))
    parts = sums_of(spans_of(changes, gaps, 0, cut * 1000)).plus(sums_of(spans_of(changes, gaps, cut * 1000, 60_000)))
    total = sums_of(whole)
    assert parts.ms == total.ms
    assert sum(total.ms.values()) <= 60_000
    assert {*total.ms} <= {*BUCKETS}


def bucket_at(spans: Sequence[AgentSpan], at_ms: int) -> str | None:
    return next((span.bucket for span in spans if span.from_ms <= at_ms < span.until_ms), None)


@given(changes=changes, gaps=gaps)
def test_a_gap_only_makes_unknown(changes: list[AgentChange], gaps: list[Gap]) -> None:
    """At each instant a gap changes nothing, or makes it unknown what the agent does; after all gaps, nothing.

    So nothing is invented of what nobody heard, neither work nor a break, however gaps overlap.
    """
    heard, with_gaps = spans_of(changes, [], 0, 120_000), spans_of(changes, gaps, 0, 120_000)
    for at_ms in range(0, 120_000, 1000):  # whatever happens, happens in a whole second
        known, found = bucket_at(heard, at_ms), bucket_at(with_gaps, at_ms)
        unheard = any(gap.from_us <= at_ms * 1000 and (gap.until_us or 1 << 62) > at_ms * 1000 for gap in gaps)
        assert found == known or (unheard and known is not None and found == "unknown")


def test_shares_of_nothing_are_zero() -> None:
    assert (AgentSums().occupancy_pct, AgentSums().utilization_pct, AgentSums().logged_in_ms) == (0, 0, 0)
    assert AgentSums(ms={"incall": 1, "ready": 199}).occupancy_pct == 1  # half a percent is rounded up
    assert AgentSums(ms={"paused": 5, "unknown": 100, "offline": 7}).logged_in_ms == 5
