"""The explanation of every recording: each column has its rule, and no rule says what the row does not."""

import dataclasses
import datetime as dt
import re
from typing import Any

import msgspec
import pytest

from tests.factories import START_US, created, ended, legs_of
from tests.recorded import NAMES, SWITCH, recorded_legs
from tollbook.model.call_tree import Call, calls_of
from tollbook.model.charge import Price, PricedCharge
from tollbook.model.explain.explain import EXPLAINED_COLUMNS, Explanation, explain
from tollbook.model.explain.leg_view import LegView
from tollbook.model.fold import FoldSettings, fold
from tollbook.model.leg import Leg, end_as_lost, merge_all
from tollbook.model.record import Row
from tollbook.model.trunks import TrunkRules

LEGS = {name: list(merge_all(recorded_legs(name)).values()) for name in NAMES}


def free(row: Row) -> Price:
    """A price of nothing for every part of a row."""
    parts = [
        PricedCharge(direction=part.direction, number=part.number, seconds=part.seconds, cost_micros=0)
        for part in row.parts or ()
    ]
    return Price(cost_micros=0, parts=tuple(parts))


def explanations(legs: list[Leg], settings: FoldSettings | None = None) -> list[tuple[Call, Row, Explanation]]:
    """Explain each call by the legs that are stored with its row."""
    settings = settings or FoldSettings()
    found: list[tuple[Call, Row, Explanation]] = []
    for call in calls_of(legs):
        row = fold(call, settings, SWITCH)
        price = free(row) if row.end_ts else None
        stored = [record for leg in call.legs for record in leg.stored_records]
        found.append((call, row, explain(row, price, stored, settings)))
    return found


def clock(ms: int) -> str:
    return f"{dt.datetime.fromtimestamp(ms // 1000, dt.UTC):%H:%M:%S}.{ms % 1000:03}"


@pytest.mark.parametrize("name", NAMES)
def test_every_column_has_its_rule(name: str) -> None:
    """In the public order, one line each, and with no note when nothing has changed."""
    for _, _, explained in explanations(LEGS[name]):
        assert tuple(explained.rules) == EXPLAINED_COLUMNS
        assert all(rule and rule == rule.strip() and "\n" not in rule for rule in explained.rules.values())
        assert explained.note is None
        assert explained.charges is not None


@pytest.mark.parametrize("name", NAMES)
def test_the_legs_are_a_tree_in_the_contract_s_order(name: str) -> None:
    """Every leg of the call once; each child's way up ends at the root, and its header named the leg above it."""
    for call, _, explained in explanations(LEGS[name]):
        assert [(leg.uid, leg.created_ts) for leg in explained.legs] == [
            (leg.uid, leg.created_us // 1000) for leg in call.legs
        ]
        legs = {leg.leg: leg for leg in explained.legs}
        assert list(legs) == list(range(1, len(explained.legs) + 1))
        assert [leg.uid for leg in explained.legs if leg.role == "root"] == ([call.root.uid] if call.root else [])
        for leg in explained.legs:
            if leg.role == "child":
                assert leg.child_of is not None
                assert (legs[leg.child_of].uid, legs[leg.child_of].depth) == (leg.parent_uid, leg.depth - 1)
            else:
                assert (leg.child_of, leg.depth) == (None, 0)


def named(explained: Explanation, column: str) -> list[LegView]:
    """The legs that a column's rule names, in the order it names them."""
    return [explained.legs[int(number) - 1] for number in re.findall(r"leg (\d+)", explained.rules[column])]


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_names_the_leg_whose_value_it_is(name: str) -> None:
    """Times, causes, queues and agents of the row are those of the leg that the sentence names."""
    for call, row, explained in explanations(LEGS[name]):
        root = next((leg for leg in explained.legs if leg.role == "root"), None)
        if root is None or row.end_ts is None:
            continue
        lives = dict(zip((leg.leg for leg in explained.legs), call.legs, strict=True))
        assert named(explained, "call_id")[0].uid == row.call_id
        assert named(explained, "start_ts")[0].created_ts == row.start_ts
        assert named(explained, "end_ts")[0].hangup_ts == row.end_ts
        assert clock(row.end_ts) in explained.rules["end_ts"]
        assert named(explained, "hangup_cause")[0].hangup_cause == row.hangup_cause
        if row.answer_ts:
            assert named(explained, "answer_ts")[-1].answered_ts == row.answer_ts
            assert clock(row.answer_ts) in explained.rules["answer_ts"]
        else:
            assert re.search("not answered|none answered", explained.rules["answer_ts"])
        if row.account_id:
            assert lives[named(explained, "account_id")[-1].leg].outcome.account == row.account_id
        assert explained.rules["queue_id"].startswith("none") == (row.queue_id is None)
        assert explained.rules["agent_id"].startswith("none") == (row.agent_id is None)
        if row.queue_id and "cc_queue" in explained.rules["queue_id"]:
            assert lives[named(explained, "queue_id")[0].leg].outcome.cc_queue == row.queue_id
        if row.agent_id and "cc_agent" in explained.rules["agent_id"]:
            assert lives[named(explained, "agent_id")[0].leg].outcome.cc_agent == row.agent_id


@pytest.mark.parametrize("name", NAMES)
def test_the_rules_of_direction_numbers_and_disposition_fit_the_row(name: str) -> None:
    for _, row, explained in explanations(LEGS[name]):
        off_net = [leg for leg in explained.legs if leg.off_net]
        if "went off-net" in explained.rules["direction"]:
            assert (row.direction, bool(off_net)) == ("outbound", True)
            answered = [leg for leg in named(explained, "direction") if leg.answered_ts]
            assert bool(answered) == ("was answered" in explained.rules["direction"])
        elif "call_direction" not in explained.rules["direction"]:
            assert row.direction == ("inbound" if "came in" in explained.rules["direction"] else "internal")
        for column, rule in (("from_num", "rang first"), ("to_num", "the number that")):
            for leg in named(explained, column) if rule in explained.rules[column] else ():
                assert leg.dialed_num == getattr(row, column)
        if row.end_ts and not row.answered:
            assert explained.rules["disposition"].startswith("not answered")


def test_an_open_call_says_what_it_waits_for() -> None:
    """Before the end the sentences name the legs that are up, and no column counts as decided."""
    creates = [msgspec.structs.replace(leg, end=None, answered_us=0) for leg in LEGS["outbound_answered"]]
    ((_, row, explained),) = explanations(creates)
    assert row.end_ts is None
    assert (
        explained.rules["end_ts"]
        == explained.rules["disposition"]
        == "not before the end: leg 1 (root), leg 2 still up"
    )
    assert explained.rules["direction"].endswith("; the best guess until the end")
    assert explained.rules["cost_micros"] == "not before the end"


def test_pruned_legs_leave_what_the_row_holds() -> None:
    """The note says so, once; of each column the legs' rule is one word."""
    ((_, row, _),) = explanations(LEGS["outbound_answered"])
    explained = explain(row, free(row), [], FoldSettings())
    assert (explained.legs, explained.charges) == ((), None)
    assert "no longer kept" in (explained.note or "")
    assert tuple(explained.rules) == EXPLAINED_COLUMNS
    of_row = {"duration_sec", "answered", "cost_micros", "destination"}
    assert {explained.rules[name] for name in EXPLAINED_COLUMNS if name not in of_row} == {"recorded"}
    assert explained.rules["duration_sec"] == "clock seconds from start_ts to end_ts"


def test_half_of_the_legs_explain_nothing() -> None:
    """A call whose root was pruned before its last leg is treated as pruned."""
    ((call, row, _),) = explanations(LEGS["outbound_answered"])
    assert call.root
    children = [record for leg in call.legs if leg is not call.root for record in leg.records]
    assert explain(row, free(row), children, FoldSettings()).legs == ()


def test_a_row_is_kept_apart_from_what_changed_settings_would_give() -> None:
    """The row keeps what it was computed with, and the sentence says what today's settings would give."""
    ((_, row, _),) = explanations(LEGS["outbound_answered"])
    today = FoldSettings(trunk_rules=TrunkRules(onnet=frozenset({"gateway:carrier", "carrier"})))
    explained = explain(row, free(row), LEGS["outbound_answered"], today)
    assert explained.charges is None
    assert explained.note
    assert explained.rules["direction"].startswith(
        "as it was computed then; by the legs and settings of today it would be in"
    )
    assert [leg.off_net_rule for leg in explained.legs if leg.direction == "outbound"] == ["the list of on-net peers"]


def test_another_account_is_not_named_to_a_reader_who_may_not_see_it() -> None:
    """The call stays where it is when another account owns its number by now; its reader does not learn whose."""
    ((_, row, _),) = explanations(LEGS["cid_sip_percent_newline_injection"])
    assert row.account_id is None
    explained = explain(
        row, free(row), LEGS["cid_sip_percent_newline_injection"], FoldSettings(number_owners={row.to_num: "rival"})
    )
    assert "it would be something else" in explained.rules["account_id"]
    assert "rival" not in "".join(explained.rules.values())


def leg(uid: str, *, end: bool = True, **facts: Any) -> list[Leg]:
    """A leg from its CREATE and, a second later, its HANGUP_COMPLETE."""
    create = created(uid, **facts)
    return legs_of(create, *([ended(create, hangup_s=1, cause="NO_ANSWER")] if end else []), switch=SWITCH)


def only(*legs: list[Leg], settings: FoldSettings | None = None) -> Explanation:
    ((_, _, explained),) = explanations(list(merge_all(leg for heard in legs for leg in heard).values()), settings)
    return explained


def test_an_orphan_names_the_parent_that_was_not_heard() -> None:
    explained = only(leg("child", originator="parent", channel_direction="outbound"))
    (orphan,) = explained.legs
    assert (orphan.role, orphan.parent_uid, orphan.named_by) == ("orphan", "parent", "originator")
    assert explained.rules["call_id"] == "the oldest ancestor that the legs name"
    assert explained.rules["end_ts"] == "not before the end: the root was not heard"


def test_a_ring_has_one_root_and_an_end() -> None:
    explained = only(leg("a", cdr_parent="c"), leg("b", cdr_parent="a"), leg("c", cdr_parent="b"))
    assert [(shown.uid, shown.role, shown.child_of) for shown in explained.legs] == [
        ("a", "root", None), ("b", "child", 1), ("c", "child", 2),
    ]  # fmt: skip


def test_a_leg_known_from_its_end_alone_says_so() -> None:
    (explained,) = only([part for part in leg("x") if part.end]).legs
    assert (explained.known_from, explained.ended_by) == ("end", "event")


def test_an_estimated_end_says_so() -> None:
    """Of the leg, of the end and of the disposition."""
    (begun,) = leg("x", end=False)
    explained = only([end_as_lost(begun, START_US + 5_000_000)])
    assert explained.legs[0].ended_by == "estimate"
    assert "estimated" in explained.rules["end_ts"]
    assert explained.rules["disposition"] == "the end of leg 1 (root) is an estimate"


def test_a_clock_that_was_set_back_is_said() -> None:
    """Beside the end, whose seconds would otherwise be a riddle."""
    begun = created("x", user="1000")
    explained = only(legs_of(begun, ended(begun, answered_s=5, hangup_s=-3600), switch=SWITCH))
    assert "clock was set back" in explained.rules["end_ts"]


def test_a_recovered_leg_shows_both_creations() -> None:
    """`sofia recover`: one leg that was created twice."""
    ((_, _, explained),) = explanations(LEGS["recover"])
    assert {len(shown.lives) for shown in explained.legs} == {2}


@pytest.mark.parametrize(
    ("facts", "trunk_rules", "verdict"),
    [
        ({"gateway": "carrier"}, TrunkRules(), (True, "sip_gateway_name")),
        ({"gateway": "carrier"}, TrunkRules(trunks=frozenset({"carrier"})), (True, "the list of trunks")),
        ({"gateway": "carrier"}, TrunkRules(onnet=frozenset({"carrier"})), (False, "the list of on-net peers")),
        ({"dialed": "15551230001", "dialed_user": "1001"}, TrunkRules(), (False, "a directory user was dialled")),
        ({"dialed": "1001"}, TrunkRules(), (False, "no gateway, and no number of 7 digits or more")),
        ({"channel": "loopback/15551230001-a"}, TrunkRules(), (False, "a loopback channel, which no wire carries")),
        ({"channel_direction": "inbound"}, TrunkRules(), (False, "it came in")),
    ],
)
def test_a_leg_is_off_net_or_not_by_a_rule(
    facts: dict[str, str], trunk_rules: TrunkRules, verdict: tuple[bool, str]
) -> None:
    (explained,) = only(
        leg("x", **{"channel_direction": "outbound", **facts}), settings=FoldSettings(trunk_rules=trunk_rules)
    ).legs
    assert (explained.off_net, explained.off_net_rule) == verdict


def test_a_hostile_cause_is_cut_before_it_is_quoted() -> None:
    """No sentence grows with what a caller sends."""
    legs = leg("x", originate_disposition="y" * 9000, user="1000", end=False)
    (begun,) = legs
    assert begun.create
    end = msgspec.structs.replace(begun.create, hangup_us=START_US + 1, cause="z" * 9000)
    explained = only([msgspec.structs.replace(begun, end=end)])
    assert max(map(len, explained.rules.values())) < 200


def test_an_explanation_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        explanations(LEGS["park"])[0][2].note = "x"
