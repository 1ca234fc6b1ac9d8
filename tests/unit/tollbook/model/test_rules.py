"""Rules of docs/calls.md that no recording reaches, on legs as the switch would state them."""

import dataclasses
from typing import Any

import pytest

from tests.factories import SECOND_US, START_MS, START_US, created, ended, legs_of
from tollbook.model.call_tree import calls_of
from tollbook.model.charge import Charge
from tollbook.model.event import SwitchEvent
from tollbook.model.fold import FoldSettings, fold
from tollbook.model.leg import end_as_lost, leg_of, merge_all
from tollbook.model.numbers import owner_key
from tollbook.model.record import Row
from tollbook.model.trunks import TrunkRules


def rows(*events: SwitchEvent, settings: FoldSettings | None = None) -> list[Row]:
    folded = [fold(call, settings or FoldSettings(), "fs1") for call in calls_of(merge_all(legs_of(*events)).values())]
    return sorted(folded, key=lambda row: row.key)


def trunk(uid: str, parent: str, *, at_s: float = 0.1, number: str = "15551230001", **facts: Any) -> SwitchEvent:
    """An outbound leg to a carrier, made for `parent`."""
    given = {"channel_direction": "outbound", "channel": f"sofia/external/{number}", "dialed": number}
    return created(uid, at_s=at_s, **(given | {"originator": parent, "gateway": "carrier"} | facts))


# -- whose child a leg is


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
    assert (row.disposition, row.duration_sec, row.estimated) == ("answered", 30, True)


# -- off-net, direction and what is charged


def charged(*events: SwitchEvent, trunk_rules: TrunkRules | None = None) -> list[tuple[str, str, int]]:
    (row,) = rows(*events, settings=FoldSettings(trunk_rules=trunk_rules or TrunkRules()))
    return [(part.direction, part.number, part.seconds) for part in row.parts or ()]


def user_call(child: SwitchEvent, *, answered: float = 1, hangup: float = 11) -> list[SwitchEvent]:
    """A directory user's call that reached `child`, answered and hung up together."""
    root = created("root", user="1000", dialed="0015551230001")
    return [
        root,
        child,
        ended(child, answered_s=answered, hangup_s=hangup),
        ended(root, answered_s=answered, hangup_s=hangup),
    ]


@pytest.mark.parametrize(
    ("child", "trunk_rules", "outside"),
    [
        ({"gateway": "carrier"}, TrunkRules(), True),
        ({"gateway": "carrier"}, TrunkRules(onnet=frozenset({"carrier"})), False),
        ({"gateway": "carrier"}, TrunkRules(trunks=frozenset({"carrier"}), onnet=frozenset({"carrier"})), True),
        ({"gateway": ""}, TrunkRules(), True),
        ({"gateway": "", "dialed_user": "1001"}, TrunkRules(), False),
        ({"gateway": "", "number": "123456"}, TrunkRules(), False),
        ({"gateway": "", "number": "+1 (555) 123-0001"}, TrunkRules(), True),
        ({"gateway": "", "number": "alice1234567"}, TrunkRules(), False),
        (
            {"gateway": "", "number": "1234", "profile": "external"},
            TrunkRules(trunks=frozenset({"profile:external"})),
            True,
        ),
        (
            {"gateway": "", "number": "1234", "profile": "external"},
            TrunkRules(trunks=frozenset({"gateway:external"})),
            False,
        ),
        (
            {"gateway": "", "number": "1234", "destination_url": "sip:1234@sbc.example:5060;transport=tcp"},
            TrunkRules(trunks=frozenset({"host:sbc.example"})),
            True,
        ),
        (
            {"gateway": "", "number": "1234", "destination_url": "sip:10.0.0.1:5060"},
            TrunkRules(trunks=frozenset({"host:10.0.0.1"})),
            True,
        ),
        (
            {"gateway": "", "number": "1234", "destination_url": "<sips:1234@[2001:db8::1]:5061>"},
            TrunkRules(trunks=frozenset({"host:2001:db8::1"})),
            True,
        ),
        ({"channel": "loopback/15551230001-a"}, TrunkRules(trunks=frozenset({"carrier"})), False),
    ],
)
def test_what_is_off_net(child: dict[str, str], trunk_rules: TrunkRules, outside: bool) -> None:
    directions = [part[0] for part in charged(*user_call(trunk("t", "root", **child)), trunk_rules=trunk_rules)]
    assert directions == (["outbound"] if outside else ["internal"])


def test_a_leg_that_came_in_from_a_trunk_is_not_charged_as_one_that_went_out() -> None:
    root = created("root", gateway="carrier", profile="external")
    assert charged(
        root, ended(root, answered_s=1, hangup_s=5), trunk_rules=TrunkRules(trunks=frozenset({"external"}))
    ) == [("inbound", "2000", 4)]


def test_a_carrier_s_technical_prefix_is_not_a_country() -> None:
    events = user_call(trunk("t", "root", number="77#15551230001", channel="sofia/external/x"))
    assert charged(*events, trunk_rules=TrunkRules(prefixes={"carrier": "77#"})) == [("outbound", "15551230001", 10)]
    assert charged(*events, trunk_rules=TrunkRules(prefixes={"another": "77#"})) == [("outbound", "77#15551230001", 10)]


def test_call_number_wins_over_what_was_sent() -> None:
    events = user_call(trunk("t", "root", call_number="442071838750"))
    assert charged(*events, trunk_rules=TrunkRules(prefixes={"carrier": "44"})) == [("outbound", "442071838750", 10)]


def test_an_inbound_call_pays_its_forward_for_the_forward_s_own_seconds() -> None:
    root = created("root", dialed="8005550100")
    forward = trunk("t", "root", at_s=5, number="15551239999")
    events = [root, forward, ended(forward, answered_s=8, hangup_s=20), ended(root, answered_s=1, hangup_s=30)]
    assert charged(*events) == [("inbound", "8005550100", 29), ("outbound", "15551239999", 12)]


@pytest.mark.parametrize(("apart_ms", "same"), [(1000, True), (1001, False)])
def test_a_second_apart_is_one_conversation(apart_ms: int, same: bool) -> None:
    """The only off-net leg is charged the call's own seconds when its ends are within 1,000 ms of the call's."""
    root = created("root", dialed="8005550100")
    forward = trunk("t", "root", number="15551239999")
    answered = 1.5 + apart_ms / 1000
    events = [root, forward, ended(forward, answered_s=answered, hangup_s=10), ended(root, answered_s=1.5, hangup_s=10)]
    own = 10 - int(answered)
    assert charged(*events)[1] == ("outbound", "15551239999", 9 if same else own)
    assert own != 9


def test_an_outbound_call_counts_from_the_far_end_s_answer() -> None:
    """An IVR answers the caller first; the customer pays from when the far end picked up."""
    root = created("root", user="1000", dialed="7702")
    far = trunk("t", "root", at_s=4)
    (row,) = rows(root, far, ended(root, answered_s=1, hangup_s=20), ended(far, answered_s=9, hangup_s=20))
    assert (row.direction, row.answer_ts, row.billsec) == ("outbound", START_MS + 9000, 11)


def test_a_click_to_call_whose_customer_never_picked_up_was_not_answered() -> None:
    root = created("root", channel_direction="outbound", dialed="1004", dialed_user="1004", caller="0000000000")
    customer = trunk("t", "root", number="15558675309")
    (row,) = rows(
        root,
        customer,
        ended(root, answered_s=2, hangup_s=30, originate_disposition="NO_ANSWER"),
        ended(customer, hangup_s=30, cause="ORIGINATOR_CANCEL"),
    )
    assert (row.from_num, row.to_num, row.answered, row.disposition) == ("1004", "15558675309", 0, "no_answer")
    assert row.parts == ()


@pytest.mark.parametrize(
    ("stated", "direction"),
    [("inbound", "inbound"), ("outbound", "outbound"), ("local", "internal"), ("Local", "internal"), ("up", "inbound")],
)
def test_the_operator_s_call_direction_is_believed_when_it_is_one(stated: str, direction: str) -> None:
    root = created("root")
    (row,) = rows(root, ended(root, hangup_s=1, call_direction=stated))
    assert row.direction == direction


def test_a_carrier_let_in_by_acl_is_no_directory_user() -> None:
    root = created("root", profile="external")
    assert rows(root)[0].direction == "inbound"
    assert rows(created("root", user="1000"))[0].direction == "internal"


# -- who pays


def test_the_account_is_the_root_s_then_the_number_s_then_the_answering_child_s() -> None:
    root = created("root", dialed="8005550100")
    lost_first = created("c1", at_s=1, channel_direction="outbound", originator="root")
    answering = created("c2", at_s=2, channel_direction="outbound", originator="root")
    tail = [
        ended(lost_first, hangup_s=9, account="first"),
        ended(answering, answered_s=3, hangup_s=9, account="answering"),
    ]
    owner = FoldSettings(number_owners={"8005550100": "owner"})
    before = [root, lost_first, answering, *tail]
    assert rows(*before, ended(root, answered_s=3, hangup_s=9, account="root"), settings=owner)[0].account_id == "root"
    assert rows(*before, ended(root, answered_s=3, hangup_s=9), settings=owner)[0].account_id == "owner"
    assert rows(*before, ended(root, answered_s=3, hangup_s=9))[0].account_id == "answering"
    assert rows(root, lost_first, tail[0], ended(root, hangup_s=9))[0].account_id == "first"
    assert rows(root, ended(root, hangup_s=9))[0].account_id is None


@pytest.mark.parametrize("dialled", ["+498005550100", "498005550100", "+49 (800) 555-0100"])
def test_an_owned_number_is_found_however_it_is_written(dialled: str) -> None:
    owner = FoldSettings(number_owners={owner_key("+49 800 555 0100"): "owner"})
    assert rows(created("root", dialed=dialled), settings=owner)[0].account_id == "owner"


def test_what_an_end_lacks_is_taken_from_the_creation() -> None:
    root = created("root", account="acct", call_direction="outbound")
    (row,) = rows(root, ended(root, answered_s=1, hangup_s=2, account="", call_direction=""))
    assert (row.account_id, row.direction) == ("acct", "outbound")


# -- disposition


@pytest.mark.parametrize(
    ("facts", "disposition"),
    [
        ({"cause": "ORIGINATOR_CANCEL", "originate_disposition": "USER_BUSY"}, "cancelled"),
        ({"originate_disposition": "USER_BUSY"}, "busy"),
        ({"originate_disposition": "failure", "last_bridge_cause": "CALL_REJECTED"}, "rejected"),
        ({"originate_disposition": "SUCCESS", "cause": "NORMAL_CLEARING"}, "no_answer"),
        ({"originate_disposition": "ORIGINATOR_CANCEL"}, "no_answer"),
        ({"cause": "RECOVERY_ON_TIMER_EXPIRE"}, "failed"),
        ({"cause": "RECOVERY_ON_TIMER_EXPIRE", "progress_us": START_US + SECOND_US}, "no_answer"),
        ({"cause": "UNWANTED"}, "rejected"),
        ({"cause": "SOMETHING_NEW"}, "failed"),
        ({"cause": ""}, "failed"),
    ],
)
def test_the_disposition_of_an_unanswered_call(facts: dict[str, Any], disposition: str) -> None:
    root = created("root", user="1000")
    assert rows(root, ended(root, hangup_s=3, **facts))[0].disposition == disposition


def test_a_queue_that_nobody_served_is_abandoned_and_a_loopback_serves_nobody() -> None:
    root = created("root", user="1000")
    queued = ended(root, answered_s=1, hangup_s=9, cc_queue="support@default", cc_side="member")
    loopback = created("l", at_s=2, channel_direction="outbound", channel="loopback/app-a", originator="root")
    (row,) = rows(root, queued, loopback, ended(loopback, answered_s=2, hangup_s=9))
    assert (row.queue_id, row.disposition) == ("support@default", "abandoned")


# -- hostile values


def test_no_duration_is_below_zero_even_when_the_clock_steps_back() -> None:
    root = created("root", user="1000")
    (row,) = rows(root, ended(root, answered_s=5, hangup_s=-3))
    assert (row.duration_sec, row.billsec) == (0, 0)


@pytest.mark.parametrize("us", [0, -1, 1, 946_684_799_999_999, 4_102_444_800_000_000, 10**18])
def test_an_event_with_an_absurd_clock_makes_no_leg(us: int) -> None:
    assert leg_of(SwitchEvent(name="CHANNEL_CREATE", uid="x", created_us=us), "fs1") is None


@pytest.mark.parametrize("uid", ["", "x" * 257, "é" * 129])
def test_an_event_without_a_usable_id_makes_no_leg(uid: str) -> None:
    assert leg_of(SwitchEvent(name="CHANNEL_CREATE", uid=uid, created_us=START_US), "fs1") is None


def test_an_end_without_a_hangup_time_is_at_the_time_of_its_event() -> None:
    root = created("root", user="1000")
    (row,) = rows(root, ended(root, hangup_s=4, hangup_us=0))
    assert row.duration_sec == 4


def test_the_operator_s_lists_are_values() -> None:
    """Frozen: a listener that shares them between switches cannot change them for another."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrunkRules().trunks = frozenset()
