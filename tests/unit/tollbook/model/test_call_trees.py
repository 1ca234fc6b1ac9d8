"""Rules of docs/calls.md that no recording reaches: whose child a leg is, and which legs are one call."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import SECOND_US, START_MS, START_US, created, ended, leg, legs_of
from tests.folded import rows, trunk
from tollbook.model.call_tree import calls_of
from tollbook.model.charge import Charge
from tollbook.model.event import SwitchEvent
from tollbook.model.fold import FoldSettings, fold
from tollbook.model.leg import IMPORTED, end_as_lost, merge_all


@pytest.mark.parametrize(
    ("stated", "named"),
    [
        ({"cdr_parent": "root", "originator": "other"}, "cdr_parent"),
        ({"originator": "root", "originating_leg": "other"}, "originator"),
        ({"originating_leg": "root"}, "originating_leg_uuid"),
        ({"other_type": "originator", "other_uid": "root"}, "Other-Leg-Unique-ID"),
        ({"cc_side": "agent", "cc_agent_type": "callback", "cc_member": "root"}, "cc_member_session_uuid"),
        ({"fifo_bridge": "root"}, "fifo_bridge_uuid"),
    ],
)
def test_the_first_rule_that_applies_names_the_parent(stated: dict[str, str], named: str) -> None:
    child = created("child", at_s=1, channel_direction="outbound", **stated)
    (leg,) = legs_of(child)
    assert leg.create
    assert leg.create.parent
    assert (leg.create.parent.uid, leg.create.parent.named_by) == ("root", named)
    assert [row.call_id for row in rows(created("root"), child)] == ["root"]


@pytest.mark.parametrize(
    "stated",
    [
        {"other_type": "originator", "other_uid": "root", "recovered": "true"},
        {"other_type": "originatee", "other_uid": "root"},
        {"cc_side": "agent", "cc_agent_type": "uuid-standby", "cc_member": "root"},
        {"cc_side": "member", "cc_agent_type": "callback", "cc_member": "root"},
        {"loopback_other": "root"},
        {"originator": "child"},
    ],
)
def test_what_names_no_parent(stated: dict[str, str]) -> None:
    (leg,) = legs_of(created("child", channel_direction="outbound", **stated))
    assert leg.create
    assert leg.create.parent is None


def test_a_loopback_b_side_is_inbound_and_still_a_child() -> None:
    b_side = created("b", at_s=1, channel="loopback/9003-b", loopback_other="a")
    a_side = created("a", at_s=1, channel="loopback/9003-a", channel_direction="outbound", originator="root")
    assert [row.call_id for row in rows(created("root"), a_side, b_side)] == ["root"]


def test_a_chain_of_seventy_redirects_is_one_call() -> None:
    chain = [created("leg00")]
    chain += [
        created(f"leg{n:02}", at_s=n / 10, channel_direction="outbound", originator=f"leg{n - 1:02}")
        for n in range(1, 71)
    ]
    ends = [ended(leg, hangup_s=8) for leg in chain]
    (row,) = rows(*reversed(chain), *ends)
    assert (row.call_id, row.duration_sec) == ("leg00", 8)


def test_legs_that_name_each_other_in_a_ring_are_one_call_of_the_first() -> None:
    ring = [
        created("a", at_s=1, cdr_parent="c"),
        created("b", at_s=1, cdr_parent="a"),
        created("c", at_s=1, cdr_parent="b"),
    ]
    assert [row.call_id for row in rows(*ring)] == ["a"]


def test_an_orphan_stands_under_the_oldest_ancestor_named_and_stays_open() -> None:
    child = created("child", at_s=2, channel_direction="outbound", originator="parent")
    grandchild = created("grandchild", at_s=3, channel_direction="outbound", originator="child")
    (row,) = rows(child, grandchild, ended(child, hangup_s=9), ended(grandchild, hangup_s=9))
    assert (row.call_id, row.start_ts, row.end_ts) == ("parent", (START_US + 2 * SECOND_US) // 1000, None)


def test_a_reused_id_is_another_call_and_children_find_their_own_parent() -> None:
    first, second = created("same"), created("same", at_s=60)
    early = trunk("t1", "same", at_s=1)
    late = trunk("t2", "same", at_s=61)
    ends = [ended(first, answered_s=2, hangup_s=5), ended(early, answered_s=2, hangup_s=5)]
    ends += [ended(second, answered_s=62, hangup_s=70), ended(late, answered_s=62, hangup_s=70)]
    one, two = rows(second, late, first, early, *ends)
    assert (one.start_ts, one.billsec, len(one.parts or ())) == (START_MS, 3, 2)
    assert (two.start_ts, two.billsec, len(two.parts or ())) == (START_MS + 60_000, 8, 2)


# -- a child that seems to begin before its parent: the clock was set back, or the id is another leg's by now

HOUR_S = 3600


@given(data=st.data())
def test_a_clock_set_back_between_parent_and_child_makes_no_orphan(data: st.DataObject) -> None:
    """In any order of the events: one call, marked, with what the trunk leg cost."""
    root = created("root", user="1000", sequence=1)
    away = trunk("t", "root", at_s=1 - HOUR_S, sequence=2)
    below = created("u", at_s=2 - HOUR_S, channel_direction="outbound", originator="t", sequence=3)
    ends = [
        ended(below, hangup_s=4 - HOUR_S),
        ended(away, answered_s=5 - HOUR_S, hangup_s=65 - HOUR_S),
        ended(root, answered_s=5 - HOUR_S, hangup_s=65 - HOUR_S),
    ]
    (row,) = rows(*data.draw(st.permutations([root, away, below, *ends])))
    assert (row.call_id, row.start_ts, row.direction, row.billsec) == ("root", START_MS, "outbound", 60)
    assert row.parts == (Charge(direction="outbound", number="15551230001", seconds=60),)
    assert (row.disposition, row.estimated) == ("answered", True)


@pytest.mark.parametrize("parent", ["root", "child"])
def test_a_leg_that_began_before_the_one_it_was_made_for_marks_the_row(parent: str) -> None:
    """The clock was set back by half a second, and each leg's own times are in order."""
    root = created("root", user="1000")
    child = created("child", at_s=1, channel_direction="outbound", originator="root")
    last = created("last", at_s=-0.5 if parent == "root" else 0.5, channel_direction="outbound", originator=parent)
    ends = [ended(leg, hangup_s=8) for leg in (last, child)] + [ended(root, answered_s=1, hangup_s=9)]
    (row,) = rows(root, child, last, *ends)
    assert (row.duration_sec, row.billsec, row.estimated) == (9, 8, True)
    (row,) = rows(root, child, *ends[1:])
    assert not row.estimated


@pytest.mark.parametrize(
    ("changed", "known"),
    [
        pytest.param({}, True, id="nothing but the clock speaks against it"),
        pytest.param({"sequence": 6}, True, id="made before it"),
        pytest.param({"sequence": 8}, False, id="made after it"),
        pytest.param({"core": "core-2"}, False, id="made by another process"),
        pytest.param({"core": "core-2", "recovered": "true"}, True, id="made again by another process"),
        pytest.param({"core": ""}, True, id="by a process that nobody knows"),
    ],
)
def test_an_id_that_was_used_again_takes_no_child_of_a_parent_that_was_not_heard(
    changed: dict[str, Any], known: bool
) -> None:
    """Event-Sequence and Core-UUID show what the clock cannot."""
    child = trunk("t", "root", at_s=1, sequence=7)
    again = created("root", at_s=60, **changed)
    starts = [row.start_ts - START_MS for row in rows(child, again, ended(child, answered_s=2, hangup_s=5))]
    assert starts == ([60_000] if known else [1000, 60_000])


def test_the_older_life_of_an_id_is_the_parent_whatever_was_made_first() -> None:
    """The rule of the clock comes first; only where it finds no parent is there a second."""
    lives = [created("root", sequence=9), created("root", at_s=60, sequence=1)]
    away = trunk("t", "root", at_s=30, sequence=2)
    assert [len(call.legs) for call in calls_of(merge_all(legs_of(*lives, away)).values())] == [2, 1]


def test_a_parent_of_the_child_s_own_microsecond_goes_before_an_older_life_of_its_id() -> None:
    """Many legs share a microsecond."""
    legs = legs_of(created("root"), created("root", at_s=60), trunk("t", "root", at_s=60))
    assert [len(call.legs) for call in calls_of(merge_all(legs).values())] == [1, 2]


def test_of_several_later_lives_the_oldest_is_the_parent() -> None:
    lives = [created("root", at_s=at_s) for at_s in (60, 90)]
    calls = calls_of(merge_all(legs_of(*lives, trunk("t", "root", at_s=1))).values())
    assert [(call.start_us - START_US, len(call.legs)) for call in calls] == [(60 * SECOND_US, 2), (90 * SECOND_US, 1)]


def test_a_recovered_leg_goes_on_with_the_one_before() -> None:
    """`sofia recover` after a crash: a later Created-Time, the old answer, one call from the first second."""
    before = created("r")
    after = created("r", at_s=30, recovered="true", answered_us=START_US + SECOND_US, core="core-2")
    (up,) = rows(before, after)
    assert (up.start_ts, up.end_ts) == (START_MS, None)
    (row,) = rows(before, after, ended(after, answered_s=1, hangup_s=50))
    assert (row.start_ts, row.duration_sec, row.billsec) == (START_MS, 50, 49)


def test_a_lost_leg_that_is_recovered_is_open_again_and_ends_unmarked() -> None:
    before = created("r")
    (gone,) = legs_of(before)
    estimate = end_as_lost(gone, START_US + 10 * SECOND_US)
    after = created("r", at_s=30, recovered="true", answered_us=START_US + SECOND_US)
    facts = [*legs_of(before, after), estimate]
    (row,) = [fold(call, FoldSettings(), "fs1") for call in calls_of(merge_all(facts).values())]
    assert (row.end_ts, row.disposition, row.estimated) == (None, None, False)


def test_a_lost_call_ends_at_the_last_sign_of_life_and_says_so() -> None:
    answered = SwitchEvent(
        name="CHANNEL_ANSWER",
        uid="x",
        created_us=START_US,
        at_us=START_US + 2 * SECOND_US,
        answered_us=START_US + 2 * SECOND_US,
    )
    known = merge_all(legs_of(created("x", user="1000"), answered))
    (leg,) = known.values()
    (row,) = [
        fold(call, FoldSettings(), "fs1")
        for call in calls_of([leg.merged(end_as_lost(leg, START_US + 20 * SECOND_US))])
    ]
    assert (row.disposition, row.estimated, row.duration_sec, row.billsec) == ("lost", True, 20, 18)
    assert row.parts == (Charge(direction="internal", number="2000", seconds=18),)


def test_an_end_that_the_switch_states_replaces_an_estimate() -> None:
    create = created("x", user="1000")
    (leg,) = legs_of(create)
    (exact,) = legs_of(ended(create, answered_s=1, hangup_s=7))
    for merged in (
        leg.merged(end_as_lost(leg, START_US + 99 * SECOND_US)).merged(exact),
        exact.merged(end_as_lost(leg, START_US + 99 * SECOND_US)),
    ):
        (row,) = [fold(call, FoldSettings(), "fs1") for call in calls_of([merged.merged(leg)])]
        assert (row.disposition, row.estimated, row.duration_sec) == ("answered", False, 7)


def test_a_leg_lost_inside_a_call_whose_end_the_switch_states_makes_no_lost_call() -> None:
    """A zombie loopback leg ends by estimate; the call ended when the switch states it."""
    root = created("root", user="1000")
    zombie = created("z", at_s=1, channel="loopback/app-b", loopback_other="root")
    (leg,) = legs_of(zombie)
    known = merge_all([*legs_of(root, ended(root, answered_s=1, hangup_s=30)), end_as_lost(leg, 0)])
    (row,) = [fold(call, FoldSettings(), "fs1") for call in calls_of(known.values())]
    assert (row.disposition, row.duration_sec, row.estimated) == ("answered", 30, False)


@pytest.mark.parametrize(("answered_s", "estimated"), [(None, False), (3, True)])
def test_an_answered_leg_with_an_estimated_end_marks_the_row(answered_s: float | None, estimated: bool) -> None:
    """It may have lasted longer than the call that the switch states; one that only rang bills nobody."""
    root = created("root", user="1000")
    child = created("child", at_s=1, channel_direction="outbound", originator="root")
    (leg,) = legs_of(child)
    leg = msgspec.structs.replace(leg, answered_us=START_US + round(answered_s * SECOND_US) if answered_s else 0)
    known = merge_all([*legs_of(root, ended(root, answered_s=2, hangup_s=30)), end_as_lost(leg, 0)])
    (row,) = [fold(call, FoldSettings(), "fs1") for call in calls_of(known.values())]
    assert (row.disposition, row.duration_sec, row.estimated) == ("answered", 30, estimated)


def test_a_root_that_was_never_answered_and_whose_end_is_estimated_marks_the_row() -> None:
    """The row's own end is that estimate."""
    (leg,) = legs_of(created("root", user="1000"))
    (row,) = [fold(call, FoldSettings(), "fs1") for call in calls_of([end_as_lost(leg, 0)])]
    assert (row.disposition, row.estimated) == ("lost", True)


def test_a_phone_that_rings_on_after_its_call_is_waited_for_and_bills_nobody() -> None:
    root = created("root", user="1000")
    phone = created("phone", at_s=2, channel_direction="outbound", originator="root")
    talked = [root, phone, ended(root, answered_s=1, hangup_s=7)]
    assert rows(*talked)[0].end_ts is None
    (row,) = rows(*talked, ended(phone, hangup_s=62))
    assert (row.duration_sec, row.billsec) == (7, 6)
    (row,) = rows(*talked, ended(phone, answered_s=8, hangup_s=62))
    assert (row.duration_sec, row.billsec) == (62, 61)


def test_a_trunk_that_is_recovered_before_its_root_stays_its_child() -> None:
    """A listener that hears nothing of a call but its recovery: the order in which that makes the legs says nothing."""
    root = created("root", at_s=1, user="1000", recovered="true", answered_us=START_US - 30 * SECOND_US)
    away = trunk("t", "root", recovered="true", answered_us=START_US - 30 * SECOND_US)
    (row,) = rows(away, root, ended(away, answered_s=-30, hangup_s=10), ended(root, answered_s=-30, hangup_s=10))
    assert (row.call_id, row.direction, row.billsec) == ("root", "outbound", 40)
    assert row.parts is not None
    assert [(charge.direction, charge.seconds) for charge in row.parts] == [("outbound", 40)]


@pytest.mark.parametrize("own_first", [True, False])
@pytest.mark.parametrize("later_us", [0, 999_999])
def test_an_imported_leg_counts_only_where_the_switch_says_nothing(own_first: bool, later_us: int) -> None:
    """Records have whole seconds: the same id in the same second is the same leg, by whatever key."""
    second = START_US // SECOND_US * SECOND_US
    own = leg(start_us=second + later_us, end_us=second + 9 * SECOND_US)
    imported = leg(start_us=second, end_us=second + 9 * SECOND_US, source=IMPORTED, imported="cdr_csv Master.csv")
    before = leg(start_us=second - 1, end_us=second, source=IMPORTED)
    calls = calls_of(merge_all([own, imported, before] if own_first else [imported, before, own]).values())
    assert [(call.start_us, call.root.origin.imported) for call in calls if call.root] == [
        (second - 1, ""), (second + later_us, ""),
    ]  # fmt: skip
    assert [call.start_us for call in calls_of([imported, before])] == [second - 1, second]
